# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process with a pipe: read without blocking, and killed with its whole process group."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import BackendDied, EnvironmentBroken
from ...backend.shared.exit_codes import ENVIRONMENT
from ...backend.shared.machine.process_activity import cpu_seconds, memory_of, wants_to_run
from ...backend.shared.virtual_environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...backend.shared.errors import LsrmError
    from ...backend.shared.machine.process_activity import ProcessMemory

MOST_UNREAD = 256
"""Unread pieces of output that are kept; the child blocks beyond that."""

ALWAYS_THERE = Path(ROOT.anchor)
"""The working directory of children. Blender deletes its temporary folder when it loads factory
settings; in a folder that is gone, every relative path is an error."""

JOIN_SECONDS = 2.0
TAIL_BYTES = 4000
# The large ones are Windows' own.
OUT_OF_MEMORY_CODES = {-9, 137, 3221225495}
CRASH_CODES = {-11, -7, -6, -4, 139, 134, 135, 132, 3221225477, 3221225725}


@dataclass(frozen=True)
class ChildCommand:
    """How a child process is started.

    Attributes:
        name: of the child, in messages.
        arguments: the program and its arguments; there is no shell.
        log: the file for everything it prints to stderr.
        variables: its environment.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)


class ChildProcess:
    """A running child process.

    Args:
        command: how it is started.

    Attributes:
        command: the same.

    Raises:
        EnvironmentBroken: if it cannot be started.
    """

    def __init__(self, command: ChildCommand) -> None:
        self.command = command
        self._received: queue.Queue[bytes] = queue.Queue(MOST_UNREAD)
        self._closing = threading.Event()
        try:
            self._process = _start(command)
        except OSError as error:
            raise EnvironmentBroken(
                f"{command.name} cannot be started: {error}.",
                "Choose another one in the preferences, or install it again.",
            ) from error
        self._reader = threading.Thread(target=self._read, name="LSRM reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the child, and of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def send(self, data: bytes) -> None:
        """Write to the child's stdin; one that has ended is noticed by its exit code.

        The data must be small, because the write blocks while the pipe is full.
        """
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(data)
                self._process.stdin.flush()

    def received(self) -> bytes | None:
        """Some of what the child has written to stdout, or None if there is nothing new."""
        try:
            return self._received.get_nowait()
        except queue.Empty:
            return None

    def log_tail(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError), self.command.log.open("rb") as log:
            log.seek(max(0, self.log_size() - TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()
        return ""

    def log_size(self) -> int:
        """The size of its log, in bytes."""
        try:
            return self.command.log.stat().st_size
        except OSError:
            return 0

    def cpu_seconds(self) -> float | None:
        """Processor time that it has used; None where there is no /proc."""
        return cpu_seconds(self.pid)

    def memory(self) -> ProcessMemory:
        """Its main memory; none where there is no /proc."""
        return memory_of(self.pid)

    @property
    def wants_to_run(self) -> bool:
        """Whether one of its threads waits for a processor or a disk; False without /proc."""
        return wants_to_run(self.pid)

    def terminate(self) -> None:
        """Send SIGTERM to the process group."""
        if self.exit_code is None:
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process group, and wait for the child."""
        if self.exit_code is None:
            _kill_tree(self._process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(JOIN_SECONDS)
        self._clean_up()

    def close_stdin(self) -> None:
        """Close the child's stdin, on which it ends; does not wait for that."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def close(self, timeout: float = 1.0) -> None:
        """Close stdin, then terminate, then kill the child; takes 2 * timeout seconds at most."""
        self.close_stdin()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.kill()

    def _clean_up(self) -> None:
        """Kill what is left of the process group, and end the reading thread."""
        if sys.platform != "win32":
            self._signal_group(signal.SIGKILL)
        self._closing.set()
        self._reader.join(JOIN_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not self._reader.is_alive():
                with contextlib.suppress(OSError):
                    stream.close()

    def _signal_group(self, number: int) -> None:
        if sys.platform == "win32":
            self._process.terminate()
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _read(self) -> None:
        """Move bytes from the pipe to the queue; runs in a thread of its own."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        pipe = self._process.stdout.fileno()
        while not self._closing.is_set():
            try:
                data = os.read(pipe, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self._enqueue(data)

    def _enqueue(self, data: bytes) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._received.put(data, timeout=0.2)
                return


def exit_error(command: ChildCommand, code: int, log_tail: str) -> LsrmError:
    """The error that explains why a child ended.

    Args:
        command: of the child.
        code: its exit code.
        log_tail: the end of its log.
    """
    name = command.name
    remedy = f"Try again; if it happens again, look at the log {command.log}."
    if code in OUT_OF_MEMORY_CODES:
        return BackendDied(
            f"{name} was killed by the system ({code}), probably because memory ran out.",
            "Close other programs, or use fewer views and a smaller texture.",
        )
    if code in CRASH_CODES:
        return BackendDied(f"{name} crashed ({code}).", remedy)
    last = (log_tail.splitlines() or ["its log is empty"])[-1]
    if code == ENVIRONMENT or "ModuleNotFoundError" in last or "ImportError" in last:
        return EnvironmentBroken(
            f"{name} is not complete: {last}.", "Install the backend again in the preferences."
        )
    return BackendDied(f"{name} ended by itself ({code}): {last}.", remedy)


def _start(command: ChildCommand) -> subprocess.Popen[bytes]:
    command.log.parent.mkdir(parents=True, exist_ok=True)
    # On Windows another process may hold the old one open; then it is overwritten.
    with contextlib.suppress(OSError):
        command.log.replace(command.log.with_suffix(".previous" + command.log.suffix))
    own_group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        own_group = {"creationflags": flags}
    with command.log.open("wb") as log:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ALWAYS_THERE,
            env=dict(command.variables),
            **own_group,
        )


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
