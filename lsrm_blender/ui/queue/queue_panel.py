# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel with the jobs that run, wait or have ended."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...jobs.task_queue import DONE, FAILED, FINISHED, RUNNING, STOPPED, WAITING
from ..panel import SidebarPanel
from ..wrapped_text import draw_text
from .queue_operators import CLEAR, MOVE, PAUSE, REMOVE, RUN

ICONS = {
    WAITING: "TIME",
    RUNNING: "PLAY",
    DONE: "CHECKMARK",
    FAILED: "ERROR",
    STOPPED: "CANCEL",
}
LABELS = {
    WAITING: "Waiting",
    RUNNING: "Running",
    DONE: "Done",
    FAILED: "Failed",
    STOPPED: "Stopped",
}
ROWS = 4


class LSRM_UL_queue(bpy.types.UIList):
    """A line for each job, with an icon for its state: beside a word titles are cut off."""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        _icon: int,
        _active_data: bpy.types.PropertyGroup,
        _active_property: str,
    ) -> None:
        """Title and state of a job."""
        layout.label(text=item.name, icon=ICONS.get(item.state, "NONE"), translate=False)


class LSRM_PT_queue(SidebarPanel, bpy.types.Panel):
    """Jobs that run one after the other."""

    bl_label = "Queue"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if there are jobs in it."""
        return bool(context.window_manager.lsrm_queue.items)

    def draw(self, context: bpy.types.Context) -> None:
        """The list with its buttons, and what is known of the chosen job."""
        layout, queue = self.layout, context.window_manager.lsrm_queue
        row = layout.row()
        row.template_list("LSRM_UL_queue", "", queue, "items", queue, "active", rows=ROWS)
        column = row.column(align=True)
        column.operator(REMOVE, text="", icon="REMOVE")
        column.separator()
        column.operator(MOVE, text="", icon="TRIA_UP").direction = "UP"
        column.operator(MOVE, text="", icon="TRIA_DOWN").direction = "DOWN"
        row = layout.row()
        if queue.waiting:
            if queue.paused:
                row.operator(RUN, icon="PLAY", text="Continue")
            else:
                row.operator(PAUSE, icon="PAUSE", text="Pause")
        if any(item.state in FINISHED for item in queue.items):
            row.operator(CLEAR, icon="TRASH")
        if queue.paused and queue.waiting:
            layout.label(text="Paused: nothing starts by itself", icon="INFO")
        item = queue.chosen()
        if item is not None:
            _draw_item(layout.box(), context, item)


def _draw_item(
    box: bpy.types.UILayout, context: bpy.types.Context, item: bpy.types.PropertyGroup
) -> None:
    """Where a job is from and what has become of it, with a button for a result."""
    icon = ICONS.get(item.state, "NONE")
    box.label(text=f"{item.name}: {translate(LABELS[item.state])}", icon=icon, translate=False)
    box.label(text=item.origin, icon="SCENE_DATA", translate=False)
    for line in item.note.splitlines():
        draw_text(box, context, line)
    if item.result:
        row = box.row()
        row.operator_context = "EXEC_DEFAULT"
        row.operator("lsrm.import_result", icon="IMPORT", text="Import").directory = item.result


CLASSES = (LSRM_UL_queue, LSRM_PT_queue)
