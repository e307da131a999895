# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The UI task that runs, the child processes it uses, and the state that the panel shows.

A task is a generator: it yields steps for child processes, and between them does what needs Blender
in this process. In a window a timer advances it; a script runs it to the end.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import Cancelled, LsrmError, as_lsrm_error
from .task import Outcome, Preview
from .time_left import TaskTime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ...backend.shared.progress import Progress
    from .backend_client import Client
    from .job import Job
    from .task import Step, Task

LOGGER = logging.getLogger(__name__)

BUSY_INTERVAL, IDLE_INTERVAL = 0.1, 1.0
"""Seconds between two pumps by the timer."""

SHOWN_INTERVAL = 0.5
"""Seconds between two changes of what the panel shows of a running stage: where no graphics card
draws Blender's window, drawing takes the processor from the job."""

NUMBERS = ("message", "overall", "fraction", "eta")
"""Of the state, which change all the time."""


@dataclass(frozen=True)
class SessionState:
    """What the panel shows.

    Attributes:
        running: whether a task runs.
        title: of the task.
        step: the title of its step.
        stage: of the step.
        message: a detail of the stage.
        overall: fraction of the task, 0..1.
        fraction: of the stage, 0..1.
        eta: seconds to the end of the task, or -1.
        preview: of what the task makes, if there is any.
        warnings: sentences about what earlier steps of the task have made.
        stopping: whether a cancel has been requested.
        note: the outcome of the last task.
        result: of the last task, if it was not imported.
        error: code, message and remedy, if the last task failed.
        log: the path of the last child's log.
        operator: the `bl_idname` of the operator that has started the task.
    """

    running: bool = False
    title: str = ""
    step: str = ""
    stage: str = ""
    message: str = ""
    overall: float = 0.0
    fraction: float = 0.0
    eta: float = -1.0
    preview: Preview | None = None
    warnings: tuple[str, ...] = ()
    stopping: bool = False
    note: str = ""
    result: str = ""
    error: tuple[str, str, str] | None = None
    log: str = ""
    operator: str = ""


class Session:
    """Runs one task at a time, with child processes that stay alive between tasks.

    Args:
        make_client: makes the client of a child process from its name.
        clock: monotonic, in seconds.

    Attributes:
        state: what the panel shows.
    """

    def __init__(
        self,
        make_client: Callable[[str], Client],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = SessionState()
        self._make_client = make_client
        self._clock = clock
        self._clients: dict[str, Client] = {}
        self._task: Task | None = None
        self._step: Step | None = None
        self._job: Job | None = None
        self._time = TaskTime(1.0, clock)
        self._shown, self._shown_at = self.state, -SHOWN_INTERVAL

    def start(self, task: Task) -> None:
        """Start a task; `pump` advances it.

        Raises:
            LsrmError: if another task runs, or this one fails before its first step.
        """
        if self._task is not None:
            task.close()
            raise LsrmError(f"{self._task.title} is still running.", "Wait for it, or cancel it.")
        self._task, self._time = task, TaskTime(task.weight, self._clock)
        self.state = SessionState(running=True, title=task.title, operator=task.operator)
        self._advance(None)
        if self.state.error is not None:
            raise _error_from(self.state.error)

    def run(self, task: Task, progress: Progress) -> str:
        """Start a task and wait for its end, for scripts.

        Returns:
            A sentence about the outcome.

        Raises:
            LsrmError: if it fails.
        """
        self.start(task)
        reported_at = 0.0
        while self.state.running:
            if self.pump() and time.monotonic() - reported_at > IDLE_INTERVAL:
                reported_at = time.monotonic()
                progress.report(self.state.step, self.state.overall, self.state.stage)
            time.sleep(0.02)
        if self.state.error is not None:
            raise _error_from(self.state.error)
        return self.state.note

    def pump(self) -> bool:
        """Pump the clients of all children, and advance the task.

        Returns:
            Whether the state is to be shown: it has changed, and not only in its numbers, or these
            were shown some time ago.
        """
        for client in list(self._clients.values()):
            client.pump()
        if self._job is not None:
            self._update(self._job)
        return self._is_news()

    @property
    def interval(self) -> float | None:
        """Seconds to the next pump; None if no child process is left."""
        if self._task is not None:
            return BUSY_INTERVAL
        alive = any(client.has_child for client in self._clients.values())
        return IDLE_INTERVAL if alive else None

    def cancel(self, *, now: bool = False) -> None:
        """Stop the task: by a request to its child, or by killing the child `now`."""
        if self._job is not None and self._step is not None:
            self.state = replace(self.state, stopping=True)
            self._clients[self._step.child].cancel(self._job, now=now)

    def release(self, *, wait: bool = True) -> None:
        """End the idle children; the next task starts new ones."""
        for client in self._clients.values():
            if wait and not client.busy:
                client.close()
            client.stop_idle()

    @property
    def memory(self) -> int:
        """Bytes of main memory that the children use; 0 where the system does not say."""
        children = [client.child for client in self._clients.values()]
        return sum(child.memory().used for child in children if child is not None)

    def about(self, child: str) -> dict[str, Any]:
        """What a child process has said about itself; empty if it was never ready."""
        return self._clients[child].about if child in self._clients else {}

    def show_error(self, title: str, operator: str, error: LsrmError) -> None:
        """Show why a task could not be started."""
        if not self.state.running:
            state = SessionState(title=title, operator=operator, log=self.state.log)
            self.state = _failed(state, error)

    def imported(self, result: Path) -> None:
        """Withdraw the offer to import a result."""
        if self.state.result == str(result):
            self.state = replace(self.state, result="")

    def dismiss(self) -> None:
        """Remove the outcome of the last task from the state."""
        if not self.state.running:
            self.state = SessionState(log=self.state.log)

    def close(self) -> None:
        """End the task and all children."""
        if self._task is not None:
            self._task.close()
        self._task = self._job = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self.state = SessionState()

    def _is_news(self) -> bool:
        """Whether the state is to be shown, as which it counts as shown."""
        if self.state == self._shown:
            return False
        now = self._clock()
        numbers = {name: getattr(self._shown, name) for name in NUMBERS}
        only_numbers = replace(self.state, **numbers) == self._shown
        if only_numbers and now - self._shown_at < SHOWN_INTERVAL:
            return False
        self._shown, self._shown_at = self.state, now
        return True

    def _update(self, job: Job) -> None:
        """Show the progress of a job; advance the task once the job is finished."""
        if not job.finished:
            self._show_progress(job)
            return
        if self._step is not None:
            self._step.spent.update(self._time.finish())
        self._job = None
        self._advance(job)

    def _show_progress(self, job: Job) -> None:
        step, progress = self._step, job.progress
        if step is None:
            return
        overall, left = self._time.report(progress.stage, progress.fraction)
        shown = Preview(job.preview, step) if job.preview and step.preview_in else None
        self.state = replace(
            self.state,
            stage=progress.stage,
            message=progress.message,
            fraction=progress.fraction,
            overall=overall,
            eta=left,
            preview=shown or self.state.preview,
            log=self._log_of(step),
        )

    def _log_of(self, step: Step) -> str:
        child = self._clients[step.child].child
        return str(child.command.log) if child is not None else self.state.log

    def _advance(self, finished: Job | None) -> None:
        """Send the outcome of a step into the task, and start the next step."""
        task = self._task
        if task is None:
            return
        try:
            if finished is not None and finished.error is not None:
                step = task.steps.throw(finished.error)
            else:
                step = task.steps.send(finished.result if finished is not None else None)
                if self.state.stopping:  # the child was done before the request reached it
                    step = task.steps.throw(Cancelled("The job was stopped.", "Start it again."))
            self._start_step(step)
        except StopIteration as end:
            self._finish(_finished(self.state, end.value))
        except LsrmError as error:
            self._fail(task, error)
        except Exception as error:
            self._fail(task, as_lsrm_error(error))
            raise

    def _start_step(self, step: Step) -> None:
        self._step = step
        if step.child not in self._clients:
            self._clients[step.child] = self._make_client(step.child)
        self._clients[step.child].refresh()
        self._job = self._clients[step.child].submit(step.method, step.params)
        self._time.begin(step.expected, step.share)
        preview = self.state.preview if step.preview_in is not None else None
        for warning in step.warnings:
            LOGGER.warning("%s: %s", self.state.title, warning)
        self.state = replace(
            self.state,
            step=step.title,
            stage="",
            message="",
            fraction=0.0,
            preview=preview,
            warnings=step.warnings,
        )

    def _fail(self, task: Task, error: LsrmError) -> None:
        try:
            task.close()  # it goes on if its step could not be started
        finally:
            self._finish(_failed(self.state, error))

    def _finish(self, state: SessionState) -> None:
        self._task = self._step = self._job = None
        self.state = state


def _finished(state: SessionState, outcome: Outcome | str | None) -> SessionState:
    """The state after a task is done."""
    if not isinstance(outcome, Outcome):
        outcome = Outcome(outcome or "")
    return SessionState(
        note=outcome.note, result=outcome.result, log=state.log, operator=state.operator
    )


def _failed(state: SessionState, error: LsrmError) -> SessionState:
    """The state after a task has failed."""
    details = (error.code, error.message, error.remedy)
    return SessionState(title=state.title, error=details, log=state.log, operator=state.operator)


def _error_from(details: tuple[str, str, str]) -> LsrmError:
    from ...backend.shared.rpc.protocol import error_from_dict

    code, message, remedy = details
    return error_from_dict({"code": code, "message": message, "remedy": remedy})
