# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers of one job: started, given the same request, watched, and killed at the end.

The parent is no rank: whatever happens to a rank, the parent stays responsive and takes the next
job. Processes are started plainly, because torch's elastic launcher listens on all interfaces,
restarts what fails, and cannot be cancelled.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import time
from typing import TYPE_CHECKING, Any

from ..shared.errors import BackendDied, LsrmError, write_failure
from ..shared.rpc.protocol import PROGRESS, ErrorResponse, Notification, Request, Response
from ..shared.virtual_environments import child_variables
from .stall_detector import STALL_SECONDS, StallDetector
from .worker_process import Rank, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    from ..shared.rpc.protocol import Message
    from .worker_process import Inbox

LOGGER = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-P", "-m", "backend.workers.worker")

_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
LOOPBACK_ONLY = {
    "GLOO_SOCKET_IFNAME": _LOOPBACK,
    "NCCL_SOCKET_IFNAME": f"={_LOOPBACK}",
    "NCCL_IB_DISABLE": "1",
    "NCCL_RAS_ENABLE": "0",  # NCCL's own monitor would listen on a port
}
"""Environment variables that bind all sockets of the workers to loopback, and open no others."""

POLL_SECONDS = 0.1
"""Between two looks at a cancel and at the workers."""

SETTLE_SECONDS = 2.0
"""For which a failure without a code waits for its cause: when a rank ends, the others fail soon,
too, and may be noticed first."""


class Workers:
    """Worker processes, one per device, inside a `with` statement; all are dead behind it.

    Args:
        devices: of the ranks, as torch names them.
        folder: private to this job; workers and parent exchange files in it.

    Raises:
        EnvironmentBroken: on entry, if a worker cannot be started.
        OutputNotWritable: on entry, if the folder cannot be written; DiskFull if its disk is full.
    """

    def __init__(self, devices: Sequence[str], folder: Path) -> None:
        self._ranks = [Rank(n, len(devices), device) for n, device in enumerate(devices)]
        self._folder = folder
        self._inbox: Inbox = queue.SimpleQueue()
        self.processes: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        try:
            for rank in self._ranks:
                self.processes.append(self._start(rank))
        except BaseException as error:
            self._kill()
            if isinstance(error, OSError):
                raise write_failure(self._folder, error) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def run(
        self, method: str, params: dict[str, Any], report: Callable[[float], None]
    ) -> list[Any]:
        """Send a request to all workers, and wait for their results, by rank.

        Args:
            method: of `backend/workers/worker.py`.
            params: plain values.
            report: called several times a second with the fraction that the slowest rank has done;
                an exception that it raises, as for a cancel, ends the wait.

        Raises:
            LsrmError: that of a worker; BackendDied if one ends or hangs.
        """
        for process in self.processes:
            process.send(Request(process.rank.number, method, params))
        detector = StallDetector(self.processes, time.monotonic())
        run = _Run(len(self._ranks))
        while run.busy:
            self._receive(run, detector, POLL_SECONDS)
            report(min(run.fractions))
            if run.errors:
                self._settle(run, detector)
                reason = run.reason()
                self._log(logging.WARNING if reason.code == LsrmError.code else logging.INFO)
                raise reason
            self._check_stall(run, detector)
        return [run.results[number] for number in range(len(self._ranks))]

    def _start(self, rank: Rank) -> WorkerProcess:
        variables = child_variables(**LOOPBACK_ONLY, **_threads(rank))
        return WorkerProcess(
            rank,
            (*PROGRAM, str(self._folder), str(rank.number), str(rank.count), rank.device),
            variables,
            self._folder / f"worker-{rank.number}.log",
            self._inbox,
        )

    def _receive(self, run: _Run, detector: StallDetector, seconds: float) -> None:
        """Take in all messages that have come; wait for one if there is none."""
        try:
            number, message = self._inbox.get(timeout=seconds)
            while True:
                detector.message_received(number, time.monotonic())
                ended = self.processes[number].exit_error if message is None else None
                run.take(number, message, ended)
                number, message = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _settle(self, run: _Run, detector: StallDetector) -> None:
        """Wait for an error with a code, if there is none yet."""
        end = time.monotonic() + SETTLE_SECONDS
        while run.busy and time.monotonic() < end and run.reason().code == LsrmError.code:
            self._receive(run, detector, POLL_SECONDS)

    def _check_stall(self, run: _Run, detector: StallDetector) -> None:
        """Raise BackendDied if workers hang."""
        wait_idle = self._ranks[0].device == "cpu" or not run.all_compute
        hanging = detector.hanging(run.busy, time.monotonic(), wait_idle=wait_idle)
        if hanging:
            names = ", ".join(str(self._ranks[number]) for number in hanging)
            raise BackendDied(
                f"No sign of life for {STALL_SECONDS:.0f} s: {names}.",
                "Try again, or use one device.",
            )

    def _log(self, level: int) -> None:
        """Keep what the workers have printed, which is removed with their folder."""
        for process in self.processes:
            if text := process.log_tail():
                LOGGER.log(level, "%s:\n%s", process.rank, text)

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def _threads(rank: Rank) -> dict[str, str]:
    """An equal share of the processors, unless the user says otherwise."""
    share = max(1, (os.cpu_count() or 1) // rank.count)
    return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(share)}


class _Run:
    """What has come of one request.

    Args:
        ranks: their number.

    Attributes:
        busy: ranks without an answer.
        results: by rank.
        fractions: done, by rank.
        errors: in the order in which they came.
    """

    def __init__(self, ranks: int) -> None:
        self.busy = list(range(ranks))
        self.results: dict[int, Any] = {}
        self.fractions = [0.0] * ranks
        self._computing: set[int] = set()
        self.errors: list[LsrmError] = []

    def take(
        self, number: int, message: Message | None, ended: Callable[[], LsrmError] | None
    ) -> None:
        """Note a message of a rank, or that it has ended."""
        if isinstance(message, Notification):
            if message.method == PROGRESS:
                self.fractions[number] = float(message.params["fraction"])
                self._computing.add(number)
        elif number in self.busy:
            self.busy.remove(number)
            self.fractions[number] = 1.0
            if isinstance(message, Response):
                self.results[number] = message.result
            elif isinstance(message, ErrorResponse):
                self.errors.append(message.error)
            elif ended is not None:
                self.errors.append(ended())

    @property
    def all_compute(self) -> bool:
        """Whether every rank has joined the others and begun to compute."""
        return len(self._computing) == len(self.fractions)

    def reason(self) -> LsrmError:
        """The first error with a code: a rank that misses another one fails without one."""
        return next((e for e in self.errors if e.code != LsrmError.code), self.errors[0])
