# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session of this Blender, its queue, and the timer that pumps them and redraws the panel."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.errors import LsrmError
from .. import preferences, windows
from ..jobs.backend_client import Client
from ..jobs.child_watchdog import BLENDER_FIRST_MESSAGE, TimeLimits
from ..jobs.session import BUSY_INTERVAL, Session
from ..jobs.task_queue import TaskQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..jobs.task import Task

LOGGER = logging.getLogger(__name__)
INSTALLATION_SECONDS = 7.0 * 24 * 3600
"""The limit of the installation: its speed is that of the network."""

PUMP_SECONDS = 0.02
"""Between two pumps while a script waits."""


def _make_client(child: str) -> Client:
    limit = preferences.current().time_limit
    limits = {
        "blender": TimeLimits(stage=limit, first_message=BLENDER_FIRST_MESSAGE),
        "install": TimeLimits(stage=INSTALLATION_SECONDS),
    }.get(child, TimeLimits(stage=limit))
    return Client(lambda: preferences.child_command(child), limits)


SESSION = Session(_make_client)
"""The only one of this Blender, shared by the timer and the operators."""

QUEUE = TaskQueue(SESSION)
"""The tasks that run in it one after the other."""


def start(task: Task) -> None:
    """Start a task; the timer advances it.

    Raises:
        LsrmError: if it cannot be started.
    """
    try:
        SESSION.start(task)
    finally:
        start_timer()


def start_timer() -> None:
    """Have the timer advance what runs and what waits."""
    show()
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, persistent=True)


def show_error(title: str, operator: str, error: LsrmError) -> None:
    """Show why an operator could not start a task."""
    SESSION.show_error(title, operator, error)
    show()


def tick() -> float | None:
    """Pump queue and session; the callback of Blender's timer, which returns its next interval."""
    try:
        changed = QUEUE.pump()
    except Exception:
        LOGGER.exception("A task failed")  # the timer must go on: it watches over processes
        changed = True
    if changed:
        show()
    return BUSY_INTERVAL if QUEUE.busy else SESSION.interval


def show() -> None:
    """Copy the state of the session to the window manager, and redraw the panel."""
    manager = bpy.context.window_manager
    if manager is None or not hasattr(manager, "lsrm"):
        return
    ended = manager.lsrm.running and not SESSION.state.running
    manager.lsrm.show(SESSION.state)
    manager.lsrm_live.show(SESSION.state.preview)
    if manager.lsrm_queue.show(QUEUE) or ended:
        _read_history()
    windows.redraw()


def _read_history() -> None:
    """List what the last task has made."""
    manager = bpy.context.window_manager
    if hasattr(manager, "lsrm_history"):
        manager.lsrm_history.read(bpy.context.scene)


def run(task: Task) -> str:
    """Start a task and wait for its end, for scripts; returns a sentence about the outcome.

    Raises:
        LsrmError: if it fails.
    """
    from ...backend.shared.progress import Progress

    with _ended_on_interrupt():
        return SESSION.run(task, Progress())


def run_queue() -> None:
    """Run what waits in the queue, and wait for the end of all, for scripts."""
    QUEUE.paused = False
    with _ended_on_interrupt():
        while QUEUE.busy:
            QUEUE.pump()
            time.sleep(PUMP_SECONDS)


@contextmanager
def _ended_on_interrupt() -> Iterator[None]:
    """End the task and all children if the body is interrupted; show what has become of it."""
    try:
        yield
    except LsrmError:
        raise
    except BaseException:
        SESSION.cancel(now=True)
        QUEUE.close()
        SESSION.close()
        raise
    finally:
        show()
        _read_history()


def unregister() -> None:
    """End the timer and all child processes."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    QUEUE.close()
    SESSION.close()
