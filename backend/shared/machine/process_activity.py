# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process computes, as far as the system says. Standard library only."""

from __future__ import annotations

from pathlib import Path

CLOCK_TICKS = 100
"""Ticks per second in /proc, on every Linux there is."""


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
