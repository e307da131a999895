# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that show the log, and copy what somebody who helps needs of it."""

from __future__ import annotations

import platform
from pathlib import Path

import bpy

from ....backend.shared.version import version
from ... import preferences
from ...jobs.problem_report import problem_report
from ...jobs.room import gigabytes
from .. import session_timer

BACKEND_VERSIONS = ("version", "python", "torch")
"""Of what the backend says about itself."""

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


class LSRM_OT_copy_report(bpy.types.Operator):
    """Copy versions, device, error and the end of the log, without the name of your home folder."""

    bl_idname = "lsrm.copy_report"
    bl_label = "Copy Report"
    bl_description = (
        "Copy versions, device, error and the end of the log, to paste where you ask for help; "
        "your home folder is left out"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the report into the clipboard."""
        log = session_timer.SESSION.state.log
        context.window_manager.clipboard = problem_report(
            _facts(context.window_manager), Path(log) if log else None, Path.home()
        )
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


def _facts(manager: bpy.types.WindowManager) -> dict[str, str]:
    """What there is to say about this computer and the last job."""
    state, backend = manager.lsrm, session_timer.SESSION.about("backend")
    error = f"{state.error_message} {state.error_remedy}"
    versions = [f"{name} {backend[name]}" for name in BACKEND_VERSIONS if name in backend]
    card = backend.get("device", "not asked yet")
    memory = gigabytes(backend["memory"]) if backend.get("memory") else ""
    return {
        "LSRM": version(),
        "Blender": f"{bpy.app.version_string}, Python {platform.python_version()}",
        "System": platform.platform(),
        "Backend": ", ".join(versions),
        "Device": f"{preferences.current().device}: {card} {memory}".strip(),
        "Job": state.title or state.operator,
        state.error_code: error if state.error_code else "",
        **{finding.name: finding.found for finding in manager.lsrm_self_test.findings},
    }


CLASSES = (LSRM_OT_open_log, LSRM_OT_copy_report)
