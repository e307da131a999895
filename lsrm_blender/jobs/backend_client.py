# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parent's end of the pipe: hands out jobs, watches over the child, never waits for it.

The same object serves a window, where a timer calls `pump`, and a script, where `wait` does. Every
job ends: with a result, or with an error that says what to do. No bpy in here.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ...backend.shared import protocol
from ...backend.shared.errors import BackendDied, Cancelled, EnvironmentBroken, LsrmError
from ...backend.shared.protocol import (
    BadMessage,
    ErrorResponse,
    Message,
    Notification,
    Request,
    Response,
)
from .child_process import ChildProcess, death
from .child_watchdog import TimeLimits, Watchdog, stopped
from .job import Job, JobProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...backend.shared.progress import Progress
    from .child_process import ChildCommand

LOGGER = logging.getLogger(__name__)

LONGEST_STEP = 1.0
"""Seconds that one pump counts at most: time in which we did not listen is not the child's."""

PUMP_BUDGET = 0.005
"""Seconds that one pump may take: it runs between two frames of the interface."""

WAIT_INTERVAL = 0.02
TELL_INTERVAL = 1.0
BANNER = 1 << 16
"""Bytes that a child may print to the pipe before it speaks the protocol: Blender says hello."""


class Client:
    """One child at a time, started when there is work, replaced when it dies.

    Args:
        make_command: returns the command of the child; called at each start.
        limits: how long the client waits for the child.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        make_command: Callable[[], ChildCommand],
        limits: TimeLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or TimeLimits()
        self.child: ChildProcess | None = None
        self._make_command = make_command
        self._clock = clock
        self._last_pump = clock()
        self._now = 0.0
        self._next_id = 0
        self._waiting: deque[Job] = deque()
        self._leaving: list[tuple[ChildProcess, float]] = []
        self._running: Job | None = None
        self._lines = protocol.LineSplitter()
        self._watchdog = Watchdog(self.limits, 0.0)
        self._hello = 0
        self._banner = 0

    # What a user of this class calls.

    def submit(self, method: str, params: dict[str, Any] | None = None) -> Job:
        """Queue work; `pump` does the rest."""
        job = Job(self._new_id(), method, params or {})
        self._waiting.append(job)
        return job

    def cancel(self, job: Job, *, now: bool = False) -> None:
        """Stop a job: ask the child, which is ended if it does not listen; or end it `now`."""
        if job.finished:
            return
        if job is not self._running:
            self._waiting.remove(job)
            _fail(job, stopped())
            return
        if job.cancelled_at is None:
            job.cancelled_at = self._now
            self._send(Request(self._new_id(), protocol.CANCEL, {"id": job.id}))
        if now:
            self._lose(stopped())

    @property
    def watching(self) -> bool:
        """Whether there is a child to look after."""
        return self.child is not None or bool(self._leaving)

    @property
    def busy(self) -> bool:
        """Whether a job is not finished."""
        return self._running is not None or bool(self._waiting)

    def pump(self) -> bool:
        """Do what is to be done now, within milliseconds.

        Returns:
            Whether a job has changed.
        """
        clock = self._clock()
        self._now += min(clock - self._last_pump, LONGEST_STEP)
        self._last_pump = clock
        before = self._picture()
        self._see_off()
        if self.child is None and self._waiting:
            self._start()
        if self.child is not None:
            self._listen()
        if self.child is not None:
            self._judge()
        self._next()
        return self._picture() != before

    def wait(self, job: Job, progress: Progress) -> Any:
        """Pump until a job is finished, for scripts.

        Args:
            job: to wait for.
            progress: told how far the job is; if it is cancelled, so is the job.

        Returns:
            The child's answer.

        Raises:
            LsrmError: the job's error.
        """
        shown, told = job.progress, 0.0
        while not job.finished:
            self.pump()
            try:
                progress.check()
                if _worth_telling(job.progress, shown, self._now - told):
                    shown, told = job.progress, self._now
                    progress.report(shown.stage, shown.fraction, shown.message)
            except Cancelled:
                self.cancel(job)
            except BaseException:
                self.cancel(job, now=True)
                raise
            time.sleep(WAIT_INTERVAL)
        if job.error is not None:
            raise job.error
        return job.result

    def dismiss(self) -> None:
        """Let an idle child go; `pump` sees that it does."""
        if self.child is not None and not self.busy:
            self._send(Request(self._new_id(), protocol.SHUTDOWN))
            self.child.hang_up()
            self._leaving.append((self.child, self._now + self.limits.terminate))
            self._forget_child()

    def close(self) -> None:
        """End the child and all jobs; takes two seconds at most. A new job starts a new child."""
        jobs = [*self._waiting, *([self._running] if self._running else [])]
        self._waiting.clear()
        self._running = None
        for job in jobs:
            _fail(job, stopped())
        if self.child is not None:
            self._send(Request(self._new_id(), protocol.SHUTDOWN))
            self.child.close()
            self._forget_child()
        self._see_off(now=True)

    # The life of the child.

    def _start(self) -> None:
        try:
            self.child = ChildProcess(self._make_command())
        except (LsrmError, OSError) as error:
            self._fail_all(error if isinstance(error, LsrmError) else _no_log(error))
            return
        atexit.register(self.close)
        self._lines = protocol.LineSplitter()
        self._watchdog = Watchdog(self.limits, self._now)
        self._banner = 0
        self._hello = self._new_id()
        words = {"protocol": protocol.PROTOCOL_VERSION}
        self._send(Request(self._hello, protocol.INITIALIZE, words))

    def _see_off(self, *, now: bool = False) -> None:
        """Clean up after children that have gone, and kill those that do not go."""
        for leaving in list(self._leaving):
            child, deadline = leaving
            if now or child.exit_code is not None or self._now > deadline:
                child.kill()
                self._leaving.remove(leaving)

    def _forget_child(self) -> None:
        self.child = None
        atexit.unregister(self.close)

    def _lose(self, error: LsrmError) -> None:
        """The child is of no use any more: end it, and tell its job why."""
        child, job = self.child, self._running
        if child is not None:
            child.kill()
            self._forget_child()
        self._running = None
        if job is not None:
            _fail(job, stopped() if job.cancelled_at is not None else error)
        if not self._watchdog.ready:  # the next one would not start either
            self._fail_all(error)

    def _fail_all(self, error: LsrmError) -> None:
        while self._waiting:
            _fail(self._waiting.popleft(), error)

    def _next(self) -> None:
        """Give the child its next job, if it has none."""
        if self.child is None or not self._watchdog.ready or self._running is not None:
            return
        if self._waiting:
            job = self._running = self._waiting.popleft()
            job.stage_since = self._now
            self._send(Request(job.id, job.method, job.params))

    # What the child says.

    def _listen(self) -> None:
        deadline = time.perf_counter() + PUMP_BUDGET
        for line in self._received_lines():
            self._hear(line)
            if self.child is None or time.perf_counter() > deadline:
                return

    def _received_lines(self) -> Iterator[bytes]:
        while self.child is not None and (piece := self.child.received()) is not None:
            try:
                yield from self._lines.feed(piece)
            except BadMessage as error:
                self._garbage(str(error).encode())

    def _hear(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
            self._understand(message)
        except (BadMessage, ValueError, TypeError):
            self._garbage(line)
            return
        if self.child is not None:
            self._watchdog.hear(self.child, self._now)

    def _garbage(self, line: bytes) -> None:
        """A line that is no message: a banner at first, later a sign of a broken child."""
        self._banner += len(line)
        if self.child is None or (not self._watchdog.spoken and self._banner < BANNER):
            return
        words = line[:60].decode("utf-8", "replace")
        self._lose(
            BackendDied(
                f"{self.child.command.name} wrote what is no message: {words!r}.",
                "Install the backend again; if it stays so, report it with the log.",
            )
        )

    def _understand(self, message: Message) -> None:
        if isinstance(message, Notification):
            self._take_note(message)
        elif isinstance(message, Request):
            raise BadMessage("a child asks nothing", protocol.INVALID_REQUEST)
        elif message.id == self._hello:
            self._greet(message)
        elif self._running is not None and message.id == self._running.id:
            job, self._running = self._running, None
            if isinstance(message, Response):
                job.result, job.finished = message.result, True
            else:
                _fail(job, message.error if job.cancelled_at is None else stopped())

    def _take_note(self, told: Notification) -> None:
        job = self._running
        if told.method == protocol.LOG:
            LOGGER.info("%s", told.params.get("message", ""))
        elif told.method == protocol.PROGRESS and job and told.params.get("id") == job.id:
            progress = JobProgress.of(told.params)
            if progress.stage != job.progress.stage:
                job.stage_since = self._now
            job.progress = progress

    def _greet(self, message: Response | ErrorResponse) -> None:
        """The answer to `initialize`: go on if we speak the same language."""
        if isinstance(message, ErrorResponse) and message.rpc_code != protocol.INVALID_PARAMS:
            self._lose(message.error)
            return
        result = message.result if isinstance(message, Response) else None
        theirs = result.get("protocol") if isinstance(result, dict) else None
        if theirs == protocol.PROTOCOL_VERSION:
            self._watchdog.ready = True
            return
        name = self.child.command.name if self.child else "The child"
        self._lose(
            EnvironmentBroken(
                f"{name} is of another version than the extension: protocol {theirs or 'unknown'}, "
                f"not {protocol.PROTOCOL_VERSION}.",
                "Install the backend that came with this extension.",
            )
        )

    # What the child does not say.

    def _judge(self) -> None:
        """Notice a child that is dead, silent, stuck, deaf or too loud."""
        child = self.child
        if child is None:
            return
        code = child.exit_code
        if code is not None:
            self._bury(child, code)
            return
        problem = self._watchdog.problem(child, self._running, self._now)
        if problem is not None:
            self._lose(problem)

    def _bury(self, child: ChildProcess, code: int) -> None:
        """The child has ended; perhaps its last words are still in the pipe."""
        child.kill()
        for line in self._received_lines():
            self._hear(line)
        if self.child is not None:
            name, log = child.command.name, child.command.log
            self._lose(death(name, code, child.log_tail(), log))

    # Small things.

    def _send(self, message: Message) -> None:
        if self.child is not None:
            self.child.send(protocol.encode(message))

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _picture(self) -> tuple[Any, ...]:
        """What a user of this object can see."""
        job = self._running
        where = (job.id, job.progress) if job else None
        return where, len(self._waiting), self.child is None


def _worth_telling(now: JobProgress, shown: JobProgress, seconds: float) -> bool:
    """Whether people at a terminal want to read it: stages, and a line a second."""
    return now.stage != shown.stage or (now != shown and seconds > TELL_INTERVAL)


def _fail(job: Job, error: LsrmError) -> None:
    job.error, job.finished = error, True


def _no_log(error: OSError) -> LsrmError:
    return EnvironmentBroken(f"The log cannot be written: {error}.", "Choose another folder.")
