# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a lease: a process of a machine, and whether that process is known to be dead."""

from __future__ import annotations

import functools
import os
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DEAD_STATES = "ZXx"
"""Of processes in /proc that have ended, whether their parent has noticed or not."""


@dataclass(frozen=True)
class Holder:
    """A process that converts items.

    Attributes:
        run: the name of its run.
        host: the name of its machine, for people.
        machine: tells apart machines, their boots, and containers whose process ids differ.
        process: its id.
        started: when the process was started, in ticks since the boot; None where that is unknown.
    """

    run: str
    host: str
    machine: str
    process: int
    started: int | None

    def __str__(self) -> str:
        return f"{self.host} (process {self.process})"

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; of other machines that is never known."""
        if self.machine != this_machine() or sys.platform == "win32":
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it lives, and belongs to another user
            pass
        state, started = _process_state(self.process)
        return state in DEAD_STATES or (started is not None and started != self.started)


def this_process(run: str) -> Holder:
    """The holder that the calling process is."""
    process = os.getpid()
    return Holder(run, socket.gethostname(), this_machine(), process, _process_state(process)[1])


@functools.cache
def this_machine() -> str:
    """What only processes share whose ids can be compared: a kernel since its boot, a container."""
    try:
        return f"{BOOT_ID.read_text('ascii').strip()} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - it names no file
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _process_state(process: int) -> tuple[str, int | None]:
    """The state of a process and when it was started; a blank and None without /proc."""
    try:
        text = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    except OSError:
        return " ", None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])
