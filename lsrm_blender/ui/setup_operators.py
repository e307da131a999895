# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators for setup and repair: installation, preferences, the log, less memory, messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.errors import EnvironmentBroken, LsrmError
from .. import preferences
from . import session_timer, tasks, views_tasks
from .operators import TaskOperator

if TYPE_CHECKING:
    from ..jobs.session import Task
    from .properties import LSRM_PG_settings

SMALLEST_TEXTURE, SMALLEST_VIEW = 256, 32
SMALLER_THAN_AUTOMATIC = "1024"
"""Sides in texels and pixels below which nothing is halved."""

SHOWN_LINES = 30
"""Lines at the end of a log that are scrolled into view."""


class LSRM_OT_install_backend(TaskOperator, bpy.types.Operator):
    """Download and install the backend's packages, once, apart from Blender's own Python."""

    bl_idname = "lsrm.install_backend"
    bl_label = "Install Backend"
    bl_description = (
        "Download and install the backend's packages, once, apart from Blender's own Python"
    )

    def task(self, _context: bpy.types.Context) -> Task:
        """The installation, if downloads are allowed."""
        _check_online("the backend has")
        return tasks.install_backend()


class LSRM_OT_install_photo_tools(TaskOperator, bpy.types.Operator):
    """Download and install what finding cameras and making masks of photographs needs, once."""

    bl_idname = views_tasks.INSTALL_TOOLS
    bl_label = "Install Photograph Tools"
    bl_description = (
        "Download and install what finding cameras and making masks of photographs needs, once"
    )

    def task(self, _context: bpy.types.Context) -> Task:
        """The installation, if downloads are allowed and the backend is the extension's own."""
        _check_online("the photograph tools have")
        python = preferences.backend_python()
        if not python.is_relative_to(preferences.environment_folder()):
            raise EnvironmentBroken(
                f"The backend runs in {python}, which LSRM has not installed.",
                f"In a clone of LSRM run: python3 -m backend install --extra {views_tasks.PHOTOS}",
            )
        return views_tasks.install_photo_tools()


def _check_online(what: str) -> None:
    """Refuse to download where Blender may not go online.

    Raises:
        EnvironmentBroken: with where to allow it.
    """
    if bpy.app.online_access:
        return
    forced = bpy.app.online_access_override
    raise EnvironmentBroken(
        f"Blender may not go online, and {what} to be downloaded.",
        "Start Blender without --offline-mode."
        if forced
        else "Allow Online Access in Preferences, System, Network.",
    )


class LSRM_OT_find_backend(bpy.types.Operator):
    """Look for an installed backend."""

    bl_idname = "lsrm.find_backend"
    bl_label = "Find Backend"
    bl_description = "Look for an installed backend"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Report which Python will be used."""
        stored = preferences.addon_preferences()
        try:
            found = f"The backend runs in {preferences.backend_python()}"
        except LsrmError as error:
            found = f"{error.message} {error.remedy}"
        if stored is not None:
            stored.found = found
        self.report({"INFO"}, found)
        return {"FINISHED"}


class LSRM_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of LSRM."""

    bl_idname = "lsrm.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Show the preferences of LSRM"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open Blender's preferences at this extension."""
        bpy.ops.preferences.addon_show(module=preferences.PACKAGE)
        return {"FINISHED"}


class LSRM_OT_open_log(bpy.types.Operator):
    """Show the log of the last job in a text editor."""

    bl_idname = "lsrm.open_log"
    bl_label = "Open Log"
    bl_description = "Show the log of the last job in a text editor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Load the log as a text of this file; show it in a text editor if there are windows."""
        path = Path(session_timer.SESSION.state.log)
        if not path.is_file():
            self.report({"WARNING"}, "There is no log yet.")
            return {"CANCELLED"}
        text = bpy.data.texts.get("LSRM log") or bpy.data.texts.new("LSRM log")
        text.from_string(path.read_text("utf-8", "replace"))
        text.cursor_set(max(0, len(text.lines) - SHOWN_LINES))
        if not bpy.app.background:
            _show_text(context, text)
        return {"FINISHED"}


def _show_text(context: bpy.types.Context, text: bpy.types.Text) -> None:
    """Show a text in an open text editor, or in a new window."""
    editors = [
        area
        for each in context.window_manager.windows
        for area in each.screen.areas
        if area.type == "TEXT_EDITOR"
    ]
    if not editors:
        bpy.ops.wm.window_new()
        editors = [context.window_manager.windows[-1].screen.areas[0]]
        editors[0].type = "TEXT_EDITOR"
    space = editors[0].spaces.active
    space.text = text
    space.show_word_wrap = True
    space.top = max(0, len(text.lines) - SHOWN_LINES)


class LSRM_OT_use_less(bpy.types.Operator):
    """Halve the size of the textures, and of the views where they are still to be taken."""

    bl_idname = "lsrm.use_less"
    bl_label = "Use Less Memory"
    bl_description = (
        "Halve the size of the textures, and of the views where they are still to be taken"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if a size can be halved."""
        if _halved(context.scene.lsrm):
            return True
        cls.poll_message_set("Textures and views are as small as they get")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Halve the settings, for the next job."""
        settings = context.scene.lsrm
        for name, value in _halved(settings).items():
            setattr(settings, name, value)
        session_timer.SESSION.dismiss()
        session_timer.show()
        return {"FINISHED"}


def _halved(settings: LSRM_PG_settings) -> dict[str, str | int]:
    """The settings that can be halved, with their new values."""
    smaller: dict[str, str | int] = {}
    if settings.texture_size == "auto":
        smaller["texture_size"] = SMALLER_THAN_AUTOMATIC
    elif (texture_size := int(settings.texture_size)) > SMALLEST_TEXTURE:
        smaller["texture_size"] = str(texture_size // 2)
    if settings.source == "OBJECTS" and settings.view_size > SMALLEST_VIEW:
        smaller["view_size"] = max(settings.view_size // 2, SMALLEST_VIEW)
    return smaller


class LSRM_OT_dismiss(bpy.types.Operator):
    """Remove the message from the panel."""

    bl_idname = "lsrm.dismiss"
    bl_label = "Dismiss"
    bl_description = "Remove the message from the panel"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Clear the outcome of the last task; the log keeps it."""
        session_timer.SESSION.dismiss()
        session_timer.show()
        return {"FINISHED"}


CLASSES = (
    LSRM_OT_install_backend,
    LSRM_OT_install_photo_tools,
    LSRM_OT_find_backend,
    LSRM_OT_open_preferences,
    LSRM_OT_open_log,
    LSRM_OT_use_less,
    LSRM_OT_dismiss,
)
