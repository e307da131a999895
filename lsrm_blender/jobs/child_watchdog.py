# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a parent waits for its child process, and when it gives the child up."""

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
"""The fraction of its silence that a child must have computed to count as alive."""


@dataclass(frozen=True)
class TimeLimits:
    """How long a child may take, in seconds.

    Attributes:
        first_message: from its start to its first message.
        silence: between two messages.
        busy: between two messages, while it computes or its processor time is unknown.
        ready: from its start to the answer to `initialize`.
        stage: for one stage of a job.
        terminate: from a cancel until the child is terminated.
        kill: from a cancel until the child is killed.
        log_megabytes: the size of its log, in MiB.
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
        limits: the time limits.
        now: when the child was started.

    Attributes:
        has_received: whether a message of the child has come.
        ready: whether the child has answered `initialize`.
    """

    def __init__(self, limits: TimeLimits, now: float) -> None:
        self.has_received = False
        self.ready = False
        self._limits = limits
        self._started = self._last_message = now
        self._cpu = 0.0
        self._terminated = False

    def message_received(self, child: ChildProcess, now: float) -> None:
        """Note that the child is alive."""
        self.has_received = True
        self._last_message = now
        self._cpu = child.cpu_seconds() or 0.0

    def problem(self, child: ChildProcess, job: Job | None, now: float) -> LsrmError | None:
        """Why a running child has to be given up, if it has to."""
        if job is not None and job.cancelled_at is not None:
            return self._cancel_ignored(child, now - job.cancelled_at)
        limits, name = self._limits, child.command.name
        remedy = f"Try again; if it happens again, look at the log {child.command.log}."
        if self._silent(child, now - self._last_message):
            seconds = now - self._last_message
            return BackendDied(f"{name} gave no sign of life for {seconds:.0f} s.", remedy)
        if not self.ready and now - self._started > limits.ready:
            return BackendDied(f"{name} was not ready in {limits.ready:.0f} s.", remedy)
        if child.log_size() > limits.log_megabytes * MEGABYTE:
            size = child.log_size() // MEGABYTE
            return BackendDied(f"{name} filled its log with {size} MB.", remedy)
        return self._overdue(job, now) if job is not None else None

    def _cancel_ignored(self, child: ChildProcess, since: float) -> LsrmError | None:
        """Terminate a child that has not answered a cancel in time; give it up if that fails."""
        if since > self._limits.kill:
            return cancelled_error()
        if since > self._limits.terminate and not self._terminated:
            self._terminated = True
            child.terminate()
        return None

    def _silent(self, child: ChildProcess, silence: float) -> bool:
        limits = self._limits
        if silence <= (limits.silence if self.has_received else limits.first_message):
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


def cancelled_error() -> Cancelled:
    """The error of a cancelled job, however it ended."""
    return Cancelled("The job was stopped.", "Start it again when you are ready.")
