# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that shows the log."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import session_timer

SHOWN_LINES = 30
"""Lines at the end of a log that are scrolled into view."""


class LSRM_OT_open_log(bpy.types.Operator):
    """Show the log of the last job in a text editor."""

    bl_idname = "lsrm.open_log"
    bl_label = "Open Log"
    bl_description = "Show the log of the last job in a text editor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Load the log as a text that no file keeps; show it if there are windows."""
        path = Path(session_timer.SESSION.state.log)
        if not path.is_file():
            self.report({"WARNING"}, "There is no log yet.")
            return {"CANCELLED"}
        text = bpy.data.texts.get("LSRM log") or bpy.data.texts.new("LSRM log")
        text.is_runtime_data = True  # so that it is not saved in the user's file
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


CLASSES = (LSRM_OT_open_log,)
