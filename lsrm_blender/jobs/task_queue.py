# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that run one after the other in a session, in an order that the user may change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...backend.shared.errors import Cancelled, EnvironmentBroken, LsrmError

if TYPE_CHECKING:
    from pathlib import Path

    from .session import Session
    from .task import Task

WAITING, RUNNING, DONE, FAILED, STOPPED = "WAITING", "RUNNING", "DONE", "FAILED", "STOPPED"
"""The states of an item."""

FINISHED = frozenset({DONE, FAILED, STOPPED})
PAUSING = frozenset({Cancelled.code, EnvironmentBroken.code})
"""Errors after which nothing starts by itself: the user stopped, or all others would fail too."""


@dataclass(frozen=True)
class QueueItem:
    """A task in the queue, and what has become of it.

    Attributes:
        number: that no other item of the queue has.
        title: of the task.
        origin: the scene and the file that it is about.
        state: one of the above.
        note: the outcome, or message and remedy of the error.
        result: a result folder that could not be imported, for the user to import.
    """

    number: int
    title: str
    origin: str
    state: str = WAITING
    note: str = ""
    result: str = ""


class TaskQueue:
    """Starts one waiting task after the other whenever the session is idle.

    Args:
        session: that runs the tasks; it may run others in between.

    Attributes:
        items: in their order, finished ones included.
        paused: whether no waiting task is started; one that runs goes on.
    """

    def __init__(self, session: Session) -> None:
        self.items: tuple[QueueItem, ...] = ()
        self.paused = False
        self._session = session
        self._tasks: dict[int, Task] = {}
        self._count = 0

    @property
    def waiting(self) -> int:
        """The number of waiting items."""
        return sum(item.state == WAITING for item in self.items)

    @property
    def busy(self) -> bool:
        """Whether an item runs, or is about to start."""
        return self._running is not None or (self.waiting > 0 and not self.paused)

    def add(self, task: Task, origin: str) -> None:
        """Append a task; `pump` starts it when its turn has come."""
        self._count += 1
        self._tasks[self._count] = task
        self.items += (QueueItem(self._count, task.title, origin),)

    def remove(self, number: int) -> None:
        """Remove an item; one that runs stays.

        Raises:
            LsrmError: if it runs.
        """
        if any(item.number == number and item.state == RUNNING for item in self.items):
            raise LsrmError("This job is running.", "Stop it first.")
        if task := self._tasks.pop(number, None):
            task.close()
        self.items = tuple(item for item in self.items if item.number != number)

    def remove_finished(self) -> None:
        """Remove what is done, failed or stopped."""
        self.items = tuple(item for item in self.items if item.state not in FINISHED)

    def move(self, number: int, by: int) -> None:
        """Move an item up (negative) or down, as far as there is room."""
        items = list(self.items)
        index = next((i for i, item in enumerate(items) if item.number == number), None)
        if index is not None:
            items.insert(min(max(index + by, 0), len(items) - 1), items.pop(index))
            self.items = tuple(items)

    def imported(self, result: Path) -> None:
        """Withdraw the offers to import a result."""
        self.items = tuple(
            replace(item, result="") if item.result == str(result) else item for item in self.items
        )

    def pump(self) -> bool:
        """Pump the session, note the end of an item, and start the next one.

        Returns:
            Whether the items or the state of the session have changed.
        """
        before = self.items
        try:
            changed = self._session.pump()
        finally:
            self._note_end()
        self._start_next()
        return changed or self.items != before

    def close(self) -> None:
        """Remove all items, and what was made for them."""
        for task in self._tasks.values():
            task.close()
        self._tasks.clear()
        self.items, self.paused = (), False

    @property
    def _running(self) -> QueueItem | None:
        return next((item for item in self.items if item.state == RUNNING), None)

    def _note_end(self) -> None:
        """Store what has become of the running item, once it does not run any more."""
        item, state = self._running, self._session.state
        if item is None or state.running:
            return
        if state.error is None:
            self._put(replace(item, state=DONE, note=state.note, result=state.result))
            return
        code, message, remedy = state.error
        ended = STOPPED if code == Cancelled.code else FAILED
        self._put(replace(item, state=ended, note=f"{message} {remedy}".strip()))
        self.paused = self.paused or code in PAUSING

    def _start_next(self) -> None:
        """Start the first waiting item, unless something runs or the queue is paused."""
        if self.paused or self._session.state.running:
            return
        item = next((each for each in self.items if each.state == WAITING), None)
        if item is None:
            return
        self._put(replace(item, state=RUNNING))
        try:
            self._session.start(self._tasks.pop(item.number))
        except LsrmError:  # noted in the state of the session
            self._note_end()

    def _put(self, changed: QueueItem) -> None:
        same = (changed if item.number == changed.number else item for item in self.items)
        self.items = tuple(same)
