# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker: a process with one device, which computes the share of one rank."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..shared.errors import BackendDied, EnvironmentBroken
from ..shared.machine.process_activity import cpu_seconds, has_children, main_thread_wants_to_run
from ..shared.rpc import protocol
from ..shared.rpc.protocol import BadMessage, LineSplitter

if TYPE_CHECKING:
    import queue
    from collections.abc import Mapping
    from pathlib import Path

    from ..shared.errors import LsrmError
    from ..shared.rpc.protocol import Message

    Inbox = queue.SimpleQueue[tuple[int, Message | None]]

WAIT_SECONDS = 2.0
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Rank:
    """One of the processes that share an object.

    Attributes:
        number: 0 .. count - 1.
        count: of all ranks.
        device: what it computes on, as torch names it.
    """

    number: int
    count: int
    device: str

    def __str__(self) -> str:
        return f"worker {self.number} ({self.device})"


class WorkerProcess:
    """A running worker; its messages are put into an inbox, then None when it has ended.

    It ends by itself when its stdin is closed, as it is when its parent dies.

    Args:
        rank: of the worker.
        program: the program and its arguments.
        variables: its environment.
        log: the file for everything that it prints to stderr.
        inbox: receives the number of the rank and a message, from a thread.

    Raises:
        EnvironmentBroken: if it cannot be started.
        OSError: if the log cannot be written.
    """

    def __init__(
        self,
        rank: Rank,
        program: tuple[str, ...],
        variables: Mapping[str, str],
        log: Path,
        inbox: Inbox,
    ) -> None:
        self.rank = rank
        self._log = log
        self._inbox = inbox
        with log.open("wb") as errors:
            self._process = _start(program, variables, errors.fileno())
        self._reader = threading.Thread(target=self._read, name=f"LSRM {rank}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def cpu_seconds(self) -> float | None:
        """Processor time that it has used; None where the system does not say."""
        return cpu_seconds(self.pid)

    @property
    def wants_to_run(self) -> bool:
        """Whether the thread that does the work waits for a processor, a disk, or a compiler."""
        return main_thread_wants_to_run(self.pid) or has_children(self.pid)

    def send(self, message: Message) -> None:
        """Write a small message to its stdin; one that has ended is noticed by its inbox."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(protocol.encode(message))
                self._process.stdin.flush()

    def log_tail(self) -> str:
        """The end of what it has printed to stderr."""
        with contextlib.suppress(OSError):
            return self._log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").strip()
        return ""

    def exit_error(self) -> LsrmError:
        """Why it has ended without an answer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(WAIT_SECONDS)
        code, who = self._process.poll(), str(self.rank).capitalize()
        if code == -signal.SIGKILL:
            return BackendDied(
                f"{who} was killed by the system, probably because memory ran out.",
                "Close other programs, or use fewer views, or one device.",
            )
        last = (self.log_tail().splitlines() or ["its log is empty"])[-1]
        return BackendDied(
            f"{who} ended by itself ({code}): {last}.", "Try again, or use one device."
        )

    def kill(self) -> None:
        """Begin to kill it."""
        self._process.kill()

    def wait(self) -> None:
        """Wait until it is gone after `kill`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not self._reader.is_alive():
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        """Pass on messages until the worker ends; runs in a thread of its own."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        lines = LineSplitter()
        with contextlib.suppress(OSError, ValueError, BadMessage):
            while data := self._process.stdout.read1():  # type: ignore[attr-defined]
                for line in lines.feed(data):
                    self._inbox.put((self.rank.number, protocol.decode(line)))
        self._inbox.put((self.rank.number, None))


def _start(
    program: tuple[str, ...], variables: Mapping[str, str], errors: int
) -> subprocess.Popen[bytes]:
    """Start a program in the process group of its parent, so that both are killed together.

    Raises:
        EnvironmentBroken: if that is impossible.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(variables),
            creationflags=flags,
        )
    except OSError as error:
        raise EnvironmentBroken(
            f"A worker cannot be started: {error}.", "Install the backend again."
        ) from error
