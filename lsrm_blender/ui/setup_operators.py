# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that mend: the backend's installation, the log, too little memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.errors import EnvironmentBroken, LsrmError
from .. import preferences
from . import tasks, window
from .operators import PlanOperator

if TYPE_CHECKING:
    from ..jobs.session import Plan
    from .properties import LSRM_PG_settings

SMALLEST_TEXTURE, SMALLEST_VIEW = 256, 32
"""Sides in texels and pixels below which nothing is halved."""

SHOWN_LINES = 30
"""Of the end of a log."""


class LSRM_OT_install_backend(PlanOperator, bpy.types.Operator):
    """Download and install the backend's packages, once, apart from Blender's own Python."""

    bl_idname = "lsrm.install_backend"
    bl_label = "Install Backend"
    bl_description = (
        "Download and install the backend's packages, once, apart from Blender's own Python"
    )

    def plan(self, _context: bpy.types.Context) -> Plan:
        """The installation, if downloads are allowed."""
        if not bpy.app.online_access:
            forced = bpy.app.online_access_override
            raise EnvironmentBroken(
                "Blender may not go online, and the backend has to be downloaded.",
                "Start Blender without --offline-mode."
                if forced
                else "Allow Online Access in Preferences, System, Network.",
            )
        return tasks.install_backend()


class LSRM_OT_find_backend(bpy.types.Operator):
    """Look for an installed backend."""

    bl_idname = "lsrm.find_backend"
    bl_label = "Find Backend"
    bl_description = "Look for an installed backend"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Say which Python will be used."""
        addon = context.preferences.addons.get(preferences.PACKAGE)
        try:
            found = f"The backend runs in {preferences.backend_python()}"
        except LsrmError as error:
            found = f"{error.message} {error.remedy}"
        if addon is not None:
            addon.preferences.found = found
        self.report({"INFO"}, found)
        return {"FINISHED"}


class LSRM_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of LSRM."""

    bl_idname = "lsrm.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Show the preferences of LSRM"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """In Blender's own editor."""
        bpy.ops.preferences.addon_show(module=preferences.PACKAGE)
        return {"FINISHED"}


class LSRM_OT_open_log(bpy.types.Operator):
    """Show the log of the last job in a text editor."""

    bl_idname = "lsrm.open_log"
    bl_label = "Open Log"
    bl_description = "Show the log of the last job in a text editor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """As a text of this file, in a window of its own where there are windows."""
        path = Path(window.SESSION.shown.log)
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
        """Only while there is something to halve."""
        if _halved(context.scene.lsrm):
            return True
        cls.poll_message_set("Textures and views are as small as they get")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For the next job."""
        settings = context.scene.lsrm
        for name, value in _halved(settings).items():
            setattr(settings, name, value)
        window.SESSION.dismiss()
        window.show()
        return {"FINISHED"}


def _halved(settings: LSRM_PG_settings) -> dict[str, str | int]:
    """The settings that would be smaller, with their values then."""
    smaller: dict[str, str | int] = {}
    if (texture_size := int(settings.texture_size)) > SMALLEST_TEXTURE:
        smaller["texture_size"] = str(texture_size // 2)
    if settings.source == "OBJECTS" and settings.view_size > SMALLEST_VIEW:
        smaller["view_size"] = max(settings.view_size // 2, SMALLEST_VIEW)
    return smaller


class LSRM_OT_dismiss(bpy.types.Operator):
    """Put the message away."""

    bl_idname = "lsrm.dismiss"
    bl_label = "Dismiss"
    bl_description = "Put the message away"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """It stays in the log."""
        window.SESSION.dismiss()
        window.show()
        return {"FINISHED"}


CLASSES = (
    LSRM_OT_install_backend,
    LSRM_OT_find_backend,
    LSRM_OT_open_preferences,
    LSRM_OT_open_log,
    LSRM_OT_use_less,
    LSRM_OT_dismiss,
)
