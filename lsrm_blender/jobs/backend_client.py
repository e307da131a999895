# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parent's end of the pipe: starts a child process, sends it jobs, watches over it.

The same object serves a window, where a timer calls `pump`, and a script, where `wait` does.
Neither blocks on the child. Every job ends: with a result, or with an error that has a remedy.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import (
    BackendDied,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
    as_lsrm_error,
)
from ...backend.shared.live.preview_files import PreviewFiles
from ...backend.shared.rpc import protocol
from ...backend.shared.rpc.protocol import (
    BadMessage,
    ErrorResponse,
    Message,
    Notification,
    Request,
    Response,
)
from .child_process import ChildProcess, exit_error
from .child_watchdog import TimeLimits, Watchdog, cancelled_error
from .job import Job, JobProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...backend.shared.progress import Progress
    from .child_process import ChildCommand

LOGGER = logging.getLogger(__name__)

LONGEST_STEP = 1.0
"""Seconds that one pump counts at most: a parent that slept does not blame the child for it."""

PUMP_BUDGET = 0.005
"""Seconds that one pump may take: it runs between two frames of the interface."""

WAIT_INTERVAL = 0.02
BANNER_BYTES = 1 << 16
"""What a child may print to the pipe before its first message: Blender prints a banner."""


class Client:
    """One child process at a time, started when there is a job, replaced when it dies.

    Args:
        make_command: returns the command of the child; called at each start.
        limits: how long the client waits for the child.
        clock: seconds, monotonic.

    Attributes:
        limits: the time limits.
        child: the running child, if there is one.
        about: what the last child that was ready says about itself.
    """

    def __init__(
        self,
        make_command: Callable[[], ChildCommand],
        limits: TimeLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or TimeLimits()
        self.child: ChildProcess | None = None
        self.about: dict[str, Any] = {}
        self._make_command = make_command
        self._clock = clock
        self._last_pump = clock()
        self._now = 0.0
        self._next_id = 0
        self._queue: deque[Job] = deque()
        self._stopping: list[tuple[ChildProcess, float]] = []
        self._running: Job | None = None
        self._lines = protocol.LineSplitter()
        self._watchdog = Watchdog(self.limits, 0.0)
        self._initialize_id = 0
        self._invalid_bytes = 0

    # What a user of this class calls.

    def submit(self, method: str, params: dict[str, Any] | None = None) -> Job:
        """Queue a job; `pump` does the rest."""
        job = Job(self._new_id(), method, params or {})
        self._queue.append(job)
        return job

    def cancel(self, job: Job, *, now: bool = False) -> None:
        """Stop a job: by a request, after which the watchdog ends the child, or by a kill `now`."""
        if job.finished:
            return
        if job is not self._running:
            self._queue.remove(job)
            job.fail(cancelled_error())
            return
        if job.cancelled_at is None:
            job.cancelled_at = self._now
            self._send(Request(self._new_id(), protocol.CANCEL, {"id": job.id}))
        if now:
            self._kill_child(cancelled_error())

    @property
    def has_child(self) -> bool:
        """Whether a child runs, or still has to end."""
        return self.child is not None or bool(self._stopping)

    @property
    def busy(self) -> bool:
        """Whether a job is not finished."""
        return self._running is not None or bool(self._queue)

    def pump(self) -> bool:
        """Start, read from, check and feed the child, within milliseconds.

        Returns:
            Whether a job has changed.
        """
        clock = self._clock()
        self._now += min(clock - self._last_pump, LONGEST_STEP)
        self._last_pump = clock
        before = self._visible_state()
        self._reap_stopping()
        if self.child is None and self._queue:
            self._start_child()
        if self.child is not None:
            self._receive()
        if self.child is not None:
            self._check_child()
        self._send_next_job()
        return self._visible_state() != before

    def wait(self, job: Job, progress: Progress, beside: Client | None = None) -> Any:
        """Pump until a job is finished, for scripts.

        Args:
            job: to wait for.
            progress: receives the progress of the job; if it is cancelled, so is the job.
            beside: another client, whose jobs go on meanwhile.

        Returns:
            The child's answer.

        Raises:
            LsrmError: the job's error.
        """
        reported, reported_at = job.progress, 0.0
        while not job.finished:
            self.pump()
            if beside is not None:
                beside.pump()
            try:
                progress.check()
                if job.progress.is_worth_reporting(reported, self._now - reported_at):
                    reported, reported_at = job.progress, self._now
                    progress.report(reported.stage, reported.fraction, reported.message)
            except Cancelled:
                self.cancel(job)
            except BaseException:
                self.cancel(job, now=True)
                raise
            time.sleep(WAIT_INTERVAL)
        if job.error is not None:
            raise job.error
        return job.result

    def refresh(self) -> None:
        """End an idle child that would be started by another command now, or by none."""
        if self.child is None or self.busy:
            return
        try:
            same = self._make_command().arguments == self.child.command.arguments
        except LsrmError:  # the start of the next child will say why
            same = False
        if not same:
            self.stop_idle()

    def stop_idle(self) -> None:
        """Request an idle child to end, without waiting; `pump` kills it if it does not."""
        if self.child is not None and not self.busy:
            self._send(Request(self._new_id(), protocol.SHUTDOWN))
            self.child.close_stdin()
            self._stopping.append((self.child, self._now + self.limits.terminate))
            self._forget_child()

    def close(self) -> None:
        """End the child and all jobs; takes two seconds at most. A new job starts a new child."""
        jobs = [*self._queue, *([self._running] if self._running else [])]
        self._queue.clear()
        self._running = None
        for job in jobs:
            job.fail(cancelled_error())
        if self.child is not None:
            self._send(Request(self._new_id(), protocol.SHUTDOWN))
            self.child.close()
            self._forget_child()
        self._reap_stopping(now=True)

    # Start and end of the child.

    def _start_child(self) -> None:
        try:
            self.child = ChildProcess(self._make_command())
        except (LsrmError, OSError) as error:
            self._fail_queue(error if isinstance(error, LsrmError) else _log_error(error))
            return
        except Exception as error:
            self._fail_queue(as_lsrm_error(error))
            raise
        atexit.register(self.close)
        self._lines = protocol.LineSplitter()
        self._watchdog = Watchdog(self.limits, self._now)
        self._invalid_bytes = 0
        self._initialize_id = self._new_id()
        params = {"protocol": protocol.PROTOCOL_VERSION}
        self._send(Request(self._initialize_id, protocol.INITIALIZE, params))

    def _reap_stopping(self, *, now: bool = False) -> None:
        """Clean up after children that have ended; kill those past their deadline, or all `now`."""
        for entry in list(self._stopping):
            child, deadline = entry
            if now or child.exit_code is not None or self._now > deadline:
                child.kill()
                self._stopping.remove(entry)

    def _forget_child(self) -> None:
        self.child = None
        atexit.unregister(self.close)

    def _kill_child(self, error: LsrmError) -> None:
        """End a child that cannot be used any more; its job fails with the error."""
        child, job = self.child, self._running
        if child is not None:
            child.kill()
            self._forget_child()
        self._running = None
        if job is not None:
            job.fail(cancelled_error() if job.cancelled_at is not None else error)
        if not self._watchdog.ready:  # the next one would not start either
            self._fail_queue(error)

    def _fail_queue(self, error: LsrmError) -> None:
        while self._queue:
            self._queue.popleft().fail(error)

    def _send_next_job(self) -> None:
        if self.child is None or not self._watchdog.ready or self._running is not None:
            return
        if self._queue:
            job = self._running = self._queue.popleft()
            job.stage_since = self._now
            self._send(Request(job.id, job.method, job.params))

    # Messages from the child.

    def _receive(self) -> None:
        deadline = time.perf_counter() + PUMP_BUDGET
        for line in self._received_lines():
            self._handle_line(line)
            if self.child is None or time.perf_counter() > deadline:
                return

    def _received_lines(self) -> Iterator[bytes]:
        while self.child is not None and (data := self.child.received()) is not None:
            try:
                yield from self._lines.feed(data)
            except BadMessage as error:
                self._handle_invalid(str(error).encode())

    def _handle_line(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
            self._handle_message(message)
        except (BadMessage, ValueError, TypeError):
            self._handle_invalid(line)
            return
        if self.child is not None:
            self._watchdog.message_received(self.child, self._now)

    def _handle_invalid(self, line: bytes) -> None:
        """A line that is no message: part of a banner at first, later a sign of a broken child."""
        self._invalid_bytes += len(line)
        banner = not self._watchdog.has_received and self._invalid_bytes < BANNER_BYTES
        if self.child is None or banner:
            return
        text = line[:60].decode("utf-8", "replace")
        self._kill_child(
            BackendDied(
                f"{self.child.command.name} sent a line that is no message: {text!r}.",
                "Install the backend again; if it happens again, report it with the log.",
            )
        )

    def _handle_message(self, message: Message) -> None:
        if isinstance(message, Notification):
            self._handle_notification(message)
        elif isinstance(message, Request):
            raise BadMessage("a child sends no requests", protocol.INVALID_REQUEST)
        elif message.id == self._initialize_id:
            self._handle_initialized(message)
        elif self._running is not None and message.id == self._running.id:
            job, self._running = self._running, None
            if isinstance(message, Response):
                job.result, job.finished = message.result, True
            else:
                job.fail(message.error if job.cancelled_at is None else cancelled_error())

    def _handle_notification(self, message: Notification) -> None:
        job = self._running
        if message.method == protocol.LOG:
            LOGGER.info("%s", message.params.get("message", ""))
        elif job is None or message.params.get("id") != job.id:
            return
        elif message.method == protocol.PREVIEW:
            job.preview = PreviewFiles.from_params(message.params)
        elif message.method == protocol.PROGRESS:
            progress = JobProgress.from_params(message.params)
            if progress.stage != job.progress.stage:
                job.stage_since = self._now
            job.progress = progress

    def _handle_initialized(self, message: Response | ErrorResponse) -> None:
        """The answer to `initialize`: the child is ready if it has the same protocol version."""
        if isinstance(message, ErrorResponse) and message.rpc_code != protocol.INVALID_PARAMS:
            self._kill_child(message.error)
            return
        result = message.result if isinstance(message, Response) else None
        about: dict[str, Any] = result if isinstance(result, dict) else {}
        version = about.get("protocol")
        if version == protocol.PROTOCOL_VERSION:
            self._watchdog.ready, self.about = True, about
            return
        name = self.child.command.name if self.child else "The child"
        self._kill_child(
            EnvironmentBroken(
                f"{name} is of another version than the extension: "
                f"protocol {version or 'unknown'}, not {protocol.PROTOCOL_VERSION}.",
                "Install the backend that came with this extension.",
            )
        )

    # The state of the child.

    def _check_child(self) -> None:
        """End the job of a child that is dead, silent, too slow or too verbose."""
        child = self.child
        if child is None:
            return
        code = child.exit_code
        if code is not None:
            self._handle_exit(child, code)
            return
        problem = self._watchdog.problem(child, self._running, self._now)
        if problem is not None:
            self._kill_child(problem)

    def _handle_exit(self, child: ChildProcess, code: int) -> None:
        """The child has ended; its last messages may still be in the pipe."""
        child.kill()
        for line in self._received_lines():
            self._handle_line(line)
        if self.child is not None:
            self._kill_child(exit_error(child.command, code, child.log_tail()))

    # Helpers.

    def _send(self, message: Message) -> None:
        if self.child is not None:
            self.child.send(protocol.encode(message))

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _visible_state(self) -> tuple[Any, ...]:
        """What a user of this object can see."""
        job = self._running
        where = (job.id, job.progress, job.preview) if job else None
        return where, len(self._queue), self.child is None


def _log_error(error: OSError) -> LsrmError:
    return EnvironmentBroken(f"The log cannot be written: {error}.", "Choose another folder.")
