# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers for tests of child processes: pumping clients, looking at processes and files."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def pumped(client, job, seconds: float = 10.0) -> str:
    """Pump a client until a job is finished; returns the code of its error, or "done"."""
    pump_until(client, lambda: job.finished, seconds)
    return job.error.code if job.error else "done"


def pump_until(client, condition, seconds: float = 10.0) -> None:
    """Pump until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        client.pump()
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends_within(pid: int, seconds: float = 4.0) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)


def children_of(pid: int) -> list[int]:
    """The child processes of a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, with their contents."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
