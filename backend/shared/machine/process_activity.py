# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process computes, and its memory, as far as the system says. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CLOCK_TICKS = 100
"""Ticks per second in /proc, on every Linux there is."""


@dataclass(frozen=True)
class ProcessMemory:
    """Main memory of a process.

    Attributes:
        used: bytes at present.
        peak: bytes at most so far.
    """

    used: int
    peak: int


def memory_of(pid: int) -> ProcessMemory:
    """The main memory of a process; none where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ProcessMemory(0, 0)
    kibibytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    used, peak = (1024 * int(kibibytes.get(name, 0)) for name in ("VmRSS", "VmHWM"))
    return ProcessMemory(used, peak)


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process has used; None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def wants_to_run(pid: int) -> bool:
    """Whether one of its threads waits for a processor or a disk; False without /proc."""
    return any(map(_is_runnable, Path(f"/proc/{pid}/task").glob("*/stat")))


def main_thread_wants_to_run(pid: int) -> bool:
    """Whether its main thread waits for a processor or a disk; False without /proc."""
    return _is_runnable(Path(f"/proc/{pid}/stat"))


def has_children(pid: int) -> bool:
    """Whether its main thread has started processes that still exist; False without /proc."""
    try:
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").strip())
    except OSError:
        return False


def _is_runnable(thread: Path) -> bool:
    try:
        return thread.read_text("ascii", "replace").rpartition(")")[2].split()[0] in "RD"
    except OSError:
        return False
