# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators of the queue: add, run, pause, move, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty

from ....backend.shared.errors import LsrmError
from ...jobs.task_queue import FAILED, FINISHED, RUNNING
from .. import session_timer
from ..operators import reconstruction

if TYPE_CHECKING:
    from .queue_state import LSRM_PG_queue_item

ADD, RUN, PAUSE = "lsrm.add_to_queue", "lsrm.run_queue", "lsrm.pause_queue"
REMOVE, MOVE, CLEAR = "lsrm.remove_from_queue", "lsrm.move_in_queue", "lsrm.clear_queue"
STEPS = {"UP": -1, "DOWN": 1}


class LSRM_OT_add_to_queue(bpy.types.Operator):
    """Reconstruct the source after all jobs that run or wait."""

    bl_idname = ADD
    bl_label = "Add to Queue"
    bl_description = (
        "Reconstruct the source as it is now, after all jobs that run or wait: "
        "other files can be opened meanwhile"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Append the job, which holds a copy of the open file."""
        file = Path(bpy.data.filepath).name
        origin = f"{context.scene.name}, {file}" if file else context.scene.name
        try:
            session_timer.QUEUE.add(reconstruction(context), origin)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        session_timer.show()
        self.report({"INFO"}, f"{session_timer.QUEUE.waiting} jobs wait in the queue")
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Append the job, and have the timer start it when its turn has come."""
        outcome = self.execute(context)
        if not bpy.app.background:
            session_timer.start_timer()
        return outcome


class LSRM_OT_run_queue(bpy.types.Operator):
    """Run the waiting jobs, one after the other."""

    bl_idname = RUN
    bl_label = "Run Queue"
    bl_description = "Run the waiting jobs, one after the other"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only if a job waits."""
        if session_timer.QUEUE.waiting:
            return True
        cls.poll_message_set("No job waits in the queue")
        return False

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Run all, and return when they are finished."""
        queue = session_timer.QUEUE
        waiting = {item.number for item in queue.items if item.state not in FINISHED}
        session_timer.run_queue()
        ended = [item for item in queue.items if item.number in waiting]
        if problems := [item for item in ended if item.state == FAILED]:
            lines = "\n".join(f"{item.title}: {item.note}" for item in problems)
            self.report({"ERROR"}, f"{len(problems)} of {len(ended)} jobs failed\n{lines}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{len(ended)} jobs are done")
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Have the timer run them, and return at once."""
        if bpy.app.background:
            return self.execute(context)
        session_timer.QUEUE.paused = False
        session_timer.start_timer()
        return {"FINISHED"}


class LSRM_OT_pause_queue(bpy.types.Operator):
    """Start no waiting job; the one that runs goes on to its end."""

    bl_idname = PAUSE
    bl_label = "Pause Queue"
    bl_description = "Start no waiting job; the one that runs goes on to its end"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Pause the queue."""
        session_timer.QUEUE.paused = True
        session_timer.show()
        return {"FINISHED"}


class LSRM_OT_remove_from_queue(bpy.types.Operator):
    """Remove the chosen job from the queue; what it has made stays."""

    bl_idname = REMOVE
    bl_label = "Remove from Queue"
    bl_description = "Remove the chosen job from the queue; what it has made stays"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if one is chosen that does not run."""
        chosen = _chosen(context)
        if chosen is not None and chosen.state == RUNNING:
            cls.poll_message_set("Stop the job first")
        return chosen is not None and chosen.state != RUNNING

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it, and its copy of the file."""
        if chosen := _chosen(context):
            session_timer.QUEUE.remove(chosen.number)
            session_timer.show()
        return {"FINISHED"}


class LSRM_OT_move_in_queue(bpy.types.Operator):
    """Move the chosen job in the queue."""

    bl_idname = MOVE
    bl_label = "Move in Queue"
    bl_description = "Move the chosen job in the queue"
    bl_options = {"INTERNAL"}

    direction: EnumProperty(
        name="Direction", items=(("UP", "Up", "Run it earlier"), ("DOWN", "Down", "Run it later"))
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if one is chosen."""
        return _chosen(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move it by one place."""
        if chosen := _chosen(context):
            session_timer.QUEUE.move(chosen.number, STEPS[self.direction])
            session_timer.show()
        return {"FINISHED"}


class LSRM_OT_clear_queue(bpy.types.Operator):
    """Remove the jobs that have ended from the queue; what they have made stays."""

    bl_idname = CLEAR
    bl_label = "Remove Finished"
    bl_description = "Remove the jobs that have ended from the queue; what they have made stays"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Remove them."""
        session_timer.QUEUE.remove_finished()
        session_timer.show()
        return {"FINISHED"}


def _chosen(context: bpy.types.Context) -> LSRM_PG_queue_item | None:
    """The active job of the queue, if there is one."""
    chosen: LSRM_PG_queue_item | None = context.window_manager.lsrm_queue.chosen()
    return chosen


CLASSES = (
    LSRM_OT_add_to_queue,
    LSRM_OT_run_queue,
    LSRM_OT_pause_queue,
    LSRM_OT_remove_from_queue,
    LSRM_OT_move_in_queue,
    LSRM_OT_clear_queue,
)
