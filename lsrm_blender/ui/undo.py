# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task changes in the scene, as a step of Blender's undo."""

from __future__ import annotations

import bpy


def push_undo(what: str) -> None:
    """Store the open file as a step of undo: a timer has changed it, which stores none by itself.

    Without it, an undo of what the user does next takes back the change of the task, too.

    Args:
        what: was done, for the history of undo.
    """
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message=f"LSRM: {what}")
