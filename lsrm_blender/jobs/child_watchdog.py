# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a parent waits for its child, and how it finds out that waiting is in vain.

No bpy in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...backend.shared.errors import BackendDied, Cancelled, LsrmError

if TYPE_CHECKING:
    from .child_process import ChildProcess
    from .job import Job

MEGABYTE = 1 << 20

BLENDER_FIRST_MESSAGE = 60.0
"""Seconds until the first message of a Blender: its first start on a computer is slow."""

WORKING_SHARE = 0.05
"""Of the time, that a silent child must have spent computing to be taken for alive."""


@dataclass(frozen=True)
class TimeLimits:
    """How long things may take, in seconds.

    Attributes:
        first_message: from the start of the child until it says anything.
        silence: between two signs of life.
        busy: the same, while the child is seen to compute, or where that cannot be seen.
        ready: until `initialize` is answered.
        stage: one stage of a job.
        terminate: after a cancel, until the child is asked to end.
        kill: after a cancel, until it is killed.
        log_megabytes: that the child may print.
    """

    first_message: float = 10.0
    silence: float = 8.0
    busy: float = 60.0
    ready: float = 120.0
    stage: float = 1800.0
    terminate: float = 5.0
    kill: float = 9.0
    log_megabytes: int = 200


class Watchdog:
    """Watches over one child, from its start to its end; times are on the client's clock.

    Args:
        limits: time limits.
        now: when the child was started.

    Attributes:
        spoken: whether it has said anything.
        ready: whether it has answered `initialize`.
    """

    def __init__(self, limits: TimeLimits, now: float) -> None:
        self.spoken = False
        self.ready = False
        self._limits = limits
        self._started = self._heard = now
        self._cpu = 0.0
        self._terminated = False

    def hear(self, child: ChildProcess, now: float) -> None:
        """Take note of a sign of life."""
        self.spoken = True
        self._heard = now
        self._cpu = child.cpu_seconds() or 0.0

    def problem(self, child: ChildProcess, job: Job | None, now: float) -> LsrmError | None:
        """What is wrong with a child that runs, if anything is."""
        if job is not None and job.cancelled_at is not None:
            return self._deaf(child, now - job.cancelled_at)
        limits, name = self._limits, child.command.name
        remedy = f"Try again; if it happens again, look at the log {child.command.log}."
        if self._silent(child, now - self._heard):
            seconds = now - self._heard
            return BackendDied(f"{name} gave no sign of life for {seconds:.0f} s.", remedy)
        if not self.ready and now - self._started > limits.ready:
            return BackendDied(f"{name} was not ready in {limits.ready:.0f} s.", remedy)
        if child.log_size() > limits.log_megabytes * MEGABYTE:
            size = child.log_size() // MEGABYTE
            return BackendDied(f"{name} filled its log with {size} MB.", remedy)
        return self._overdue(job, now) if job is not None else None

    def _deaf(self, child: ChildProcess, since: float) -> LsrmError | None:
        """A cancel was asked for: have the child end, then killed, if it does not listen."""
        if since > self._limits.kill:
            return stopped()
        if since > self._limits.terminate and not self._terminated:
            self._terminated = True
            child.terminate()
        return None

    def _silent(self, child: ChildProcess, silence: float) -> bool:
        limits = self._limits
        if silence <= (limits.silence if self.spoken else limits.first_message):
            return False
        used = child.cpu_seconds()
        computing = used is None or used - self._cpu > WORKING_SHARE * silence
        # On a machine with too much to do it may hardly get to compute.
        computing = computing or child.wants_to_run
        return not computing or silence > limits.busy

    def _overdue(self, job: Job, now: float) -> LsrmError | None:
        stage = job.progress.stage or job.method
        limit = self._limits.stage
        if now - job.stage_since <= limit:
            return None
        return BackendDied(
            f"The stage {stage!r} took longer than {limit:.0f} s.",
            "Raise the time limit in the preferences, or use fewer or smaller views.",
        )


def stopped() -> Cancelled:
    """What becomes of a job that was cancelled, however it ended."""
    return Cancelled("The job was stopped.", "Start it again when you are ready.")
