# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server in a child process: runs the jobs of its parent, one after the other.

The main thread runs the jobs. A second thread reads requests and answers `status`, `cancel` and
`shutdown` immediately; a third sends heartbeats. Standard library only: Blender runs this too.
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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import LsrmError, as_lsrm_error
from ..progress import Progress
from . import protocol
from .protocol import BadMessage, ErrorResponse, Message, Notification, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[dict[str, Any], Progress], Any]

LOGGER = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""That a job has to stop after the parent has ended."""

REPORT_SECONDS = 0.05
"""Between two progress notifications of one stage, at least."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
"""Of the lines in the log of a server."""

TERMINATED_EXIT_CODE, ORPHANED_EXIT_CODE = 143, 1


class Pipe:
    """The connection to the parent.

    Args:
        receiving: file descriptor to read the parent's lines from.
        sending: file descriptor to write lines to.
    """

    def __init__(self, receiving: int, sending: int) -> None:
        self._receiving = receiving
        self._sending = sending
        self._lock = threading.Lock()
        self._lines = protocol.LineSplitter()

    @classmethod
    def take_standard_streams(cls, *, silent: bool = False) -> Pipe:
        """Use stdin and stdout for the protocol.

        Args:
            silent: whether what libraries print is dropped; otherwise it goes to stderr.
        """
        sys.stdout.flush()
        receiving, sending = os.dup(0), os.dup(1)
        if sys.platform == "win32":
            import msvcrt

            for end in (receiving, sending):
                msvcrt.setmode(end, os.O_BINARY)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing if silent else 2, 1)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(receiving, sending)

    def send(self, message: Message) -> None:
        """Write one message.

        Raises:
            OSError: if the parent has ended.
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
    """A request in the queue or running.

    Attributes:
        request: of the parent.
        progress: stops the job.
        stage: reported last.
        fraction: of that stage, 0..1.
        reported: when that was, in seconds of the monotonic clock.
    """

    request: Request
    progress: Progress
    stage: str = ""
    fraction: float = 0.0
    reported: float = -1.0


class Server:
    """Serves one parent until it closes the pipe.

    Args:
        pipe: to the parent.
        methods: functions of the parameters and a `Progress` that return the result, by name.
        describe: more members for the response to `initialize`; may be slow.
        release: frees what is kept for the next job; returns the response to `release`.
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
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[int | str, Job] = {}
        self._running: Job | None = None
        self._parent = os.getppid()
        self._closing = threading.Event()

    def serve(self) -> int:
        """Run jobs until the parent ends or requests `shutdown`; returns the exit code."""
        signal.signal(signal.SIGTERM, _terminate)
        for loop in (self._read_requests, self._send_heartbeats):
            threading.Thread(target=loop, daemon=True, name=loop.__name__.strip("_")).start()
        while (job := self._queue.get()) is not None:
            self._running = job
            self._send(self._run_job(job))
            self._jobs.pop(job.request.id, None)
            self._running = None
        return 0

    # The thread that reads requests.

    def _read_requests(self) -> None:
        while True:
            try:
                lines = self._pipe.receive()
            except BadMessage as error:
                self._send(_error_response(error))
                continue
            except OSError:
                lines = None
            if lines is None:
                self._close()
                return
            for line in lines:
                self._handle_line(line)

    def _handle_line(self, line: bytes) -> None:
        """Respond to a request, or make a job of it."""
        try:
            request = _decode_request(line)
            result = self._respond_immediately(request)
        except BadMessage as error:
            self._send(_error_response(error))
            return
        if result is not None:
            self._send(Response(request.id, result))
        if request.method == protocol.SHUTDOWN:
            self._close()

    def _respond_immediately(self, request: Request) -> dict[str, Any] | None:
        """The result of a request that needs no job; None after queueing a job for any other.

        Raises:
            BadMessage: if the method is unknown, the id in use, or the versions do not fit.
        """
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
            raise BadMessage("the id is in use", protocol.INVALID_REQUEST, request.id)
        if request.method == protocol.INITIALIZE:
            _check_version(request)
        self._enqueue(request)
        return None

    def _enqueue(self, request: Request) -> None:
        job = Job(request, Progress())
        job.progress = Progress(
            lambda stage, fraction, text: self._report(job, stage, fraction, text),
            lambda mesh, picture: self._send_preview(job, mesh, picture),
        )
        self._jobs[request.id] = job
        self._queue.put(job)

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
        reported = {"stage": running.stage, "fraction": running.fraction}
        return {"running": running.request.id, **reported, "waiting": waiting}

    def _close(self) -> None:
        """Cancel all jobs, and end the process when they have stopped or GRACE_SECONDS are over."""
        if self._closing.is_set():
            return
        self._closing.set()
        for job in list(self._jobs.values()):
            job.progress.cancel()
        self._queue.put(None)
        deadline = threading.Timer(GRACE_SECONDS, os._exit, (ORPHANED_EXIT_CODE,))
        deadline.daemon = True
        deadline.start()

    # The thread that sends heartbeats.

    def _send_heartbeats(self) -> None:
        while not self._closing.wait(protocol.HEARTBEAT_SECONDS):
            running = self._running
            busy = running.request.id if running else None
            self._send(Notification(protocol.HEARTBEAT, {"running": busy}))
            if os.getppid() != self._parent:
                self._close()

    # The main thread.

    def _run_job(self, job: Job) -> Response | ErrorResponse:
        """The response to a job's request: its result, or whatever exception it raises."""
        request = job.request
        began = time.monotonic()
        try:
            job.progress.check()
            result = self._methods[request.method](request.params, job.progress)
        except LsrmError as error:
            LOGGER.warning("%s: %s", request.method, error)
            return ErrorResponse(request.id, error)
        except Exception as error:  # noqa: BLE001 - the server must stay alive for the next job
            traceback.print_exc(file=sys.stderr)
            return ErrorResponse(request.id, as_lsrm_error(error), protocol.INTERNAL_ERROR)
        LOGGER.info("%s: done in %.1f s", request.method, time.monotonic() - began)
        return Response(request.id, result)

    def _report(self, job: Job, stage: str, fraction: float, text: str) -> None:
        """Send the progress of the running job, at most once in REPORT_SECONDS for one stage."""
        now = time.monotonic()
        if stage == job.stage and fraction < 1.0 and now - job.reported < REPORT_SECONDS:
            return
        job.stage, job.fraction, job.reported = stage, fraction, now
        progress = {"id": job.request.id, "stage": stage, "fraction": fraction, "message": text}
        self._send(Notification(protocol.PROGRESS, progress))

    def _send_preview(self, job: Job, mesh: str, picture: str) -> None:
        params = {"id": job.request.id, "mesh": mesh, "picture": picture}
        self._send(Notification(protocol.PREVIEW, params))

    def _send(self, message: Message) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            self._close()


class LogToParent(logging.Handler):
    """Sends log records to the parent as notifications.

    Args:
        pipe: to the parent.
    """

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(logging.INFO)
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        params = {"level": record.levelname, "message": record.getMessage()}
        with contextlib.suppress(OSError):
            self._pipe.send(Notification(protocol.LOG, params))


def _decode_request(line: bytes) -> Request:
    message = protocol.decode(line)
    if isinstance(message, Request):
        return message
    raise BadMessage("not a request", protocol.INVALID_REQUEST)


def _check_version(request: Request) -> None:
    """Raise for a parent of another protocol version.

    Raises:
        BadMessage: with both versions.
    """
    theirs = request.params.get("protocol")
    if theirs != protocol.PROTOCOL_VERSION:
        raise BadMessage(
            f"its protocol version is {theirs}, this one is {protocol.PROTOCOL_VERSION}",
            protocol.INVALID_PARAMS,
            request.id,
        )


def _error_response(error: BadMessage) -> ErrorResponse:
    refused = LsrmError(
        f"The request was refused: {error}.", "Use the extension and backend of one version."
    )
    return ErrorResponse(error.id, refused, error.rpc_code)


def _terminate(_number: int, _frame: object) -> NoReturn:
    """Exit through all context managers, which remove unfinished folders."""
    sys.exit(TERMINATED_EXIT_CODE)
