# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators for what earlier jobs have made: look again, open its folder, delete it."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...backend.shared.errors import BadAsset, LsrmError
from ..jobs.history import delete_entry, read_entry, read_history
from . import history_state


class LSRM_OT_refresh_history(bpy.types.Operator):
    """Look for results on disk again."""

    bl_idname = "lsrm.refresh_history"
    bl_label = "Refresh"
    bl_description = "Look for results on disk again"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Read the folders."""
        history_state.refresh()
        return {"FINISHED"}


class LSRM_OT_open_folder(bpy.types.Operator):
    """Show a folder in the file manager."""

    bl_idname = "lsrm.open_folder"
    bl_label = "Open Folder"
    bl_description = "Show the folder of these files in the file manager"
    bl_options = {"INTERNAL"}  # needs the folder, which the panel gives

    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open it, if it is still there."""
        if not Path(self.folder).is_dir():
            self.report({"ERROR"}, str(_gone(self.folder)))
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=self.folder)
        return {"FINISHED"}


class LSRM_OT_delete_result(bpy.types.Operator):
    """Delete the files of a job; objects that were imported from it stay."""

    bl_idname = "lsrm.delete_result"
    bl_label = "Delete Result"
    bl_description = "Delete the files of this result from disk; imported objects stay"
    bl_options = {"INTERNAL"}  # needs the folder, which the panel gives

    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete it, unless something else needs it."""
        folder = Path(self.folder)
        try:
            if not self.folder or not folder.is_dir():
                raise _gone(self.folder)
            note = delete_entry(read_entry(folder), read_history(folder.parent.parent))
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            context.window_manager.lsrm_history.read(context.scene)
        self.report({"INFO"}, note)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: deleted files are not in the trash."""
        confirmed: set[str] = context.window_manager.invoke_confirm(
            self, event, title=self.bl_label, message=self.folder, confirm_text="Delete"
        )
        return confirmed


def _gone(folder: str) -> BadAsset:
    return BadAsset(f"There is no folder {folder}.", "Refresh the history.")


CLASSES = (LSRM_OT_refresh_history, LSRM_OT_open_folder, LSRM_OT_delete_result)
