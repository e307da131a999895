# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue as the panel draws it; not saved in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

if TYPE_CHECKING:
    from ...jobs.task_queue import QueueItem, TaskQueue


class LSRM_PG_queue_item(bpy.types.PropertyGroup):
    """One job of the queue; its `name` is the title."""

    number: IntProperty()
    origin: StringProperty()
    state: StringProperty()
    note: StringProperty()
    result: StringProperty()

    def show(self, item: QueueItem) -> None:
        """Copy an item."""
        self.name = item.title
        for each in ("number", "origin", "state", "note", "result"):
            setattr(self, each, getattr(item, each))


class LSRM_PG_queue(bpy.types.PropertyGroup):
    """The jobs of the queue, in their order."""

    items: CollectionProperty(type=LSRM_PG_queue_item)
    active: IntProperty()
    paused: BoolProperty()
    waiting: IntProperty()

    def show(self, queue: TaskQueue) -> bool:
        """Copy the queue, if it has changed; returns whether the state of a job has."""
        self.paused, self.waiting = queue.paused, queue.waiting
        before = [(each.number, each.state) for each in self.items]
        after = [(item.number, item.state) for item in queue.items]
        if before != after or any(map(_differs, self.items, queue.items)):
            chosen = self.chosen()
            number = chosen.number if chosen is not None else -1
            self.items.clear()
            for item in queue.items:
                self.items.add().show(item)
            numbers = [item.number for item in queue.items]
            self.active = numbers.index(number) if number in numbers else max(0, len(numbers) - 1)
        return before != after

    def chosen(self) -> LSRM_PG_queue_item | None:
        """The active job; None if there is none."""
        return self.items[self.active] if 0 <= self.active < len(self.items) else None


def _differs(shown: LSRM_PG_queue_item, item: QueueItem) -> bool:
    return (shown.note, shown.result) != (item.note, item.result)


CLASSES = (LSRM_PG_queue_item, LSRM_PG_queue)


def attach() -> None:
    """Add the pointer to the window manager, after the classes are registered."""
    bpy.types.WindowManager.lsrm_queue = PointerProperty(type=LSRM_PG_queue)


def detach() -> None:
    """Remove the pointer."""
    del bpy.types.WindowManager.lsrm_queue
