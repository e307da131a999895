# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child that serves its parent through a pipe: jobs in order, a heartbeat, cancel, a clean end.

The main thread works. One thread listens and answers at once what needs no work; one thread tells
that the process is alive. Standard library only: Blender's Python runs this too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from . import protocol
from .errors import LsrmError, as_lsrm_error
from .progress import Progress
from .protocol import Answer, BadMessage, Failure, Message, Notification, Request
from .time_left import TimeLeft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[dict[str, Any], Progress], Any]

LOGGER = logging.getLogger(__name__)

GRACE = 2.0
"""Seconds that a job has to stop after the parent is gone."""

REPORT_INTERVAL = 0.05
"""Seconds between two progress messages of one stage."""

TERMINATED, ORPHANED = 143, 1


class Pipe:
    """The two ends of the pipe to the parent.

    Args:
        receiving: file descriptor with the parent's lines.
        sending: file descriptor for ours.
    """

    def __init__(self, receiving: int, sending: int) -> None:
        self._receiving = receiving
        self._sending = sending
        self._lock = threading.Lock()
        self._lines = protocol.LineSplitter()

    @classmethod
    def take_standard_streams(cls) -> Pipe:
        """Keep stdin and stdout for the protocol: whatever libraries print then goes to stderr."""
        sys.stdout.flush()
        receiving, sending = os.dup(0), os.dup(1)
        if sys.platform == "win32":
            import msvcrt

            for end in (receiving, sending):
                msvcrt.setmode(end, os.O_BINARY)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(receiving, sending)

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            OSError: if the parent is gone.
        """
        data = protocol.encode(message)
        with self._lock:
            while data:
                data = data[os.write(self._sending, data) :]

    def receive(self) -> list[bytes] | None:
        """Wait for the next lines; None once the parent has closed the pipe.

        Raises:
            BadMessage: if a line is too long.
        """
        data = os.read(self._receiving, 1 << 16)
        return self._lines.feed(data) if data else None


@dataclass
class Job:
    """A request that needs work, and how to stop it."""

    request: Request
    progress: Progress
    stage: str = ""
    fraction: float = 0.0
    told: float = field(default=-1.0)


class Server:
    """Serves one parent until it closes the pipe.

    Args:
        pipe: to the parent.
        methods: the work this child can do, each with its parameters and a progress to report to.
        describe: tells, once, what else the answer to `initialize` shall hold. May be slow.
        release: frees what is kept for the next job, and tells what that was.
    """

    def __init__(
        self,
        pipe: Pipe,
        methods: Mapping[str, Handler],
        describe: Callable[[], dict[str, Any]] = dict,
        release: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._pipe = pipe
        self._methods: dict[str, Handler] = {
            **methods,
            protocol.INITIALIZE: lambda _, __: {
                "protocol": protocol.PROTOCOL_VERSION,
                **describe(),
            },
            protocol.RELEASE: lambda _, __: release(),
        }
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[int | str, Job] = {}
        self._running: Job | None = None
        self._estimates: dict[str, TimeLeft] = {}
        self._parent = os.getppid()
        self._closing = threading.Event()

    def serve(self) -> int:
        """Work until the parent is gone or says `shutdown`; returns the exit code."""
        signal.signal(signal.SIGTERM, _terminate)
        for work in (self._listen, self._beat):
            threading.Thread(target=work, daemon=True, name=work.__name__.strip("_")).start()
        while (job := self._waiting.get()) is not None:
            self._running = job
            self._send(self._outcome(job))
            self._jobs.pop(job.request.id, None)
            self._running = None
        return 0

    # The thread that listens.

    def _listen(self) -> None:
        while True:
            try:
                lines = self._pipe.receive()
            except BadMessage as error:
                self._send(_refusal(error))
                continue
            except OSError:
                lines = None
            if lines is None:
                self._close()
                return
            for line in lines:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        """Answer a line, or put it to the jobs."""
        try:
            request = _as_request(line)
            answer = self._at_once(request)
        except BadMessage as error:
            self._send(_refusal(error))
            return
        if answer is not None:
            self._send(Answer(request.id, answer))
        if request.method == protocol.SHUTDOWN:
            self._close()

    def _at_once(self, request: Request) -> dict[str, Any] | None:
        """The answer, if it needs no work; else the request becomes a job."""
        if request.method == protocol.STATUS:
            return self._status()
        if request.method == protocol.CANCEL:
            return {"cancelled": self._cancel(request.params.get("id"))}
        if request.method == protocol.SHUTDOWN:
            return {}
        if request.method not in self._methods:
            raise BadMessage(
                f"there is no method {request.method!r}", protocol.UNKNOWN_METHOD, request.id
            )
        if request.id in self._jobs:
            raise BadMessage("its id is taken", protocol.INVALID_REQUEST, request.id)
        if request.method == protocol.INITIALIZE:
            _check_version(request)
        self._accept(request)
        return None

    def _accept(self, request: Request) -> None:
        job = Job(request, Progress())
        job.progress = Progress(
            lambda stage, fraction, text: self._tell(job, stage, fraction, text)
        )
        self._jobs[request.id] = job
        self._waiting.put(job)

    def _cancel(self, identity: Any) -> bool:
        job = self._jobs.get(identity)
        if job is not None:
            job.progress.cancel()
        return job is not None

    def _status(self) -> dict[str, Any]:
        running = self._running
        waiting = [identity for identity, job in self._jobs.items() if job is not running]
        if running is None:
            return {"running": None, "waiting": waiting}
        where = {"stage": running.stage, "fraction": running.fraction}
        return {"running": running.request.id, **where, "waiting": waiting}

    def _close(self) -> None:
        """End soon: stop the job, drop those that wait, and do not wait long."""
        if self._closing.is_set():
            return
        self._closing.set()
        for job in list(self._jobs.values()):
            job.progress.cancel()
        self._waiting.put(None)
        deadline = threading.Timer(GRACE, os._exit, (ORPHANED,))
        deadline.daemon = True
        deadline.start()

    # The thread that tells that we are alive.

    def _beat(self) -> None:
        while not self._closing.wait(protocol.HEARTBEAT_SECONDS):
            running = self._running
            busy = running.request.id if running else None
            self._send(Notification(protocol.HEARTBEAT, {"running": busy}))
            if os.getppid() != self._parent:
                self._close()

    # The main thread.

    def _outcome(self, job: Job) -> Answer | Failure:
        """Do the work of a job; whatever goes wrong becomes its answer."""
        request = job.request
        estimate = self._estimate_of(request.method)
        estimate.begin()
        try:
            job.progress.check()
            result = self._methods[request.method](request.params, job.progress)
        except LsrmError as error:
            return Failure(request.id, error)
        except Exception as error:  # noqa: BLE001 - the next job must not suffer
            traceback.print_exc(file=sys.stderr)
            return Failure(request.id, as_lsrm_error(error), protocol.INTERNAL_ERROR)
        estimate.finish()
        return Answer(request.id, result)

    def _estimate_of(self, method: str) -> TimeLeft:
        return self._estimates.setdefault(method, TimeLeft(method))

    def _tell(self, job: Job, stage: str, fraction: float, text: str) -> None:
        """Pass a report of the running job on to the parent, unless the last one was just now."""
        now = time.monotonic()
        if stage == job.stage and fraction < 1.0 and now - job.told < REPORT_INTERVAL:
            return
        job.stage, job.fraction, job.told = stage, fraction, now
        whole = self._estimate_of(job.request.method).report(stage, fraction)
        self._send(
            Notification(
                protocol.PROGRESS,
                {
                    "id": job.request.id,
                    "stage": stage,
                    "fraction": fraction,
                    "message": text,
                    "overall": whole.fraction,
                    "eta": whole.eta,
                },
            )
        )

    def _send(self, message: Message) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            self._close()


class LogToParent(logging.Handler):
    """Sends log records through the pipe, for whoever watches.

    Args:
        pipe: to the parent.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(logging.INFO)
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        words = {"level": record.levelname, "message": record.getMessage()}
        with contextlib.suppress(OSError):
            self._pipe.send(Notification(protocol.LOG, words))


def _as_request(line: bytes) -> Request:
    message = protocol.decode(line)
    if isinstance(message, Request):
        return message
    raise BadMessage("not a request", protocol.INVALID_REQUEST)


def _check_version(request: Request) -> None:
    """Refuse a parent of another version.

    Raises:
        BadMessage: naming both.
    """
    theirs = request.params.get("protocol")
    if theirs != protocol.PROTOCOL_VERSION:
        raise BadMessage(
            f"it speaks protocol {theirs}, and this is {protocol.PROTOCOL_VERSION}",
            protocol.INVALID_PARAMS,
            request.id,
        )


def _refusal(error: BadMessage) -> Failure:
    told = LsrmError(
        f"The request was refused: {error}.", "Use the extension and backend together."
    )
    return Failure(error.id, told, error.number)


def _terminate(_number: int, _frame: object) -> NoReturn:
    """Leave through all context managers, so that no half-written folder stays."""
    sys.exit(TERMINATED)
