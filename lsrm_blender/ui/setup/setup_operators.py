# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators for setup: backend, tools, online access, checkpoints, preferences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import CheckpointMissing, EnvironmentBroken, LsrmError
from ... import preferences
from ...jobs.checkpoints import not_accepted
from ...jobs.removal import remove_in_background
from .. import session_timer, views_tasks
from ..operators import IdleOperator, TaskOperator
from .released_files import ReleasedFiles
from .self_test import SELF_TEST, self_test
from .setup_state import look_again
from .setup_tasks import ADD_CHECKPOINT, INSTALL, add_checkpoint, install_backend

if TYPE_CHECKING:
    from ...jobs.task import Task

REMOVAL_MESSAGE = "To install it again takes a download"


class LSRM_OT_install_backend(TaskOperator, bpy.types.Operator):
    """Download and install the backend's packages, once, apart from Blender's own Python."""

    bl_idname = INSTALL
    bl_label = "Install Backend"
    bl_description = (
        "Download and install the backend's packages, once, apart from Blender's own Python"
    )

    def task(self, _context: bpy.types.Context) -> Task:
        """The installation, if downloads are allowed."""
        _check_online("the backend has")
        stored = preferences.addon_preferences()
        return install_backend(stored.torch_build if stored is not None else "")


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
        else "Press Allow Online Access in the preferences of LSRM.",
    )


class LSRM_OT_remove_backend(IdleOperator, bpy.types.Operator):
    """Remove the backend that LSRM has installed; results and checkpoints stay."""

    bl_idname = "lsrm.remove_backend"
    bl_label = "Remove Backend"
    bl_description = "Remove the backend that LSRM has installed; results and checkpoints stay"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End the backend, rename its folder, and have it deleted by another process."""
        session_timer.SESSION.release(wait=sys.platform == "win32")  # which keeps open files
        try:
            remove_in_background(preferences.environment_folder())
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        session_timer.SESSION.dismiss()
        session_timer.show()
        look_again()
        self.report({"INFO"}, "The backend is removed")
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: installing again takes a download."""
        asked: set[str] = context.window_manager.invoke_confirm(
            self, event, title=self.bl_label, message=REMOVAL_MESSAGE, confirm_text="Remove"
        )
        return asked


class LSRM_OT_allow_online_access(bpy.types.Operator):
    """Allow Blender and its extensions to go online, as in its system preferences."""

    bl_idname = "lsrm.allow_online_access"
    bl_label = "Allow Online Access"
    bl_description = "Allow Blender and its extensions to go online, as in its system preferences"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only if Blender was not started offline."""
        if bpy.app.online_access_override:
            cls.poll_message_set("Blender was started with --offline-mode")
            return False
        return not bpy.app.online_access

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the preference of Blender."""
        context.preferences.system.use_online_access = True
        return {"FINISHED"}


class LSRM_OT_add_checkpoint(ReleasedFiles, TaskOperator, bpy.types.Operator):
    """Convert downloaded weights whose license is accepted, check them, and choose them."""

    bl_idname = ADD_CHECKPOINT
    bl_label = "Add Checkpoint"
    bl_description = "Convert downloaded weights, check them, and choose them in this scene"

    def task(self, context: bpy.types.Context) -> Task:
        """The conversion of what is given here, or chosen in the preferences.

        Raises:
            CheckpointMissing: if nothing is chosen.
            LicenseNotAccepted: if the license is not accepted.
        """
        stored = preferences.addon_preferences()
        release = self.release or (stored.release if stored is not None else "")
        dinov3 = self.dinov3 or (stored.dinov3 if stored is not None else "")
        if not release:
            raise CheckpointMissing(
                "No download is chosen.", "Choose its folder, or one of its files, above."
            )
        if not preferences.current().license_accepted:
            raise not_accepted()
        features = Path(bpy.path.abspath(dinov3)) if dinov3 else None
        return add_checkpoint(context.scene, Path(bpy.path.abspath(release)), features)


class LSRM_OT_self_test(TaskOperator, bpy.types.Operator):
    """Ask the backend, the graphics card and a second Blender what they can do."""

    bl_idname = SELF_TEST
    bl_label = "Self-Test"
    bl_description = "Ask the backend, the graphics card and a second Blender what they can do"

    def task(self, context: bpy.types.Context) -> Task:
        """The test, with the job of the scene's settings."""
        return self_test(context.scene)


class LSRM_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of LSRM."""

    bl_idname = "lsrm.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Show the preferences of LSRM"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open Blender's preferences at this extension."""
        bpy.ops.preferences.addon_show(module=preferences.PACKAGE)
        return {"FINISHED"}


CLASSES = (
    LSRM_OT_install_backend,
    LSRM_OT_install_photo_tools,
    LSRM_OT_remove_backend,
    LSRM_OT_allow_online_access,
    LSRM_OT_add_checkpoint,
    LSRM_OT_self_test,
    LSRM_OT_open_preferences,
)
