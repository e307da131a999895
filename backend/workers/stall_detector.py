# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workers hang: they send no heartbeat, or none of them computes although there is work.

A worker on the CPU sleeps while it waits for the other ranks; on a GPU it polls, once it has joined
them. So workers that may wait idle count as hanging only if all are idle. Where the system does not
report processor time, only heartbeats count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

STALL_SECONDS = 5.0
"""Without a heartbeat, or without computing, after which a worker hangs."""

BUSY_SECONDS = 60.0
"""Without a heartbeat although it computes, as while it loads a library, after which it hangs."""

IDLE_SHARE = 0.03
"""Of the time that a worker may compute and yet be idle: its heartbeats cost something."""


class Worker(Protocol):
    """What is observed of a worker."""

    def cpu_seconds(self) -> float | None:
        """Processor time that it has used; None where the system does not say."""

    @property
    def wants_to_run(self) -> bool:
        """Whether the thread that does the work waits for a processor or a disk."""


@dataclass
class _Observation:
    """What is known of one worker.

    Attributes:
        heartbeat: when its last message came.
        computed: when it was last found to compute.
        cpu_seconds: that it had used by then.
    """

    heartbeat: float
    computed: float
    cpu_seconds: float | None


class StallDetector:
    """Observes the workers of one job while they have work.

    Args:
        workers: by number.
        now: the time, in seconds of any clock.
    """

    def __init__(self, workers: Sequence[Worker], now: float) -> None:
        self._workers = workers
        self._observed = [_Observation(now, now, worker.cpu_seconds()) for worker in workers]

    def message_received(self, number: int, now: float) -> None:
        """Note that a worker is alive."""
        self._observed[number].heartbeat = now

    def hanging(self, busy: Sequence[int], now: float, *, wait_idle: bool) -> list[int]:
        """The workers that hang.

        Args:
            busy: those that have not finished their work.
            now: the time.
            wait_idle: whether a worker that waits for others uses no processor.
        """
        for worker, observed in zip(self._workers, self._observed, strict=True):
            self._observe(worker, observed, now)
        silent = [number for number in busy if self._is_silent(self._observed[number], now)]
        idle = [n for n in busy if now - self._observed[n].computed > STALL_SECONDS]
        if silent:
            return silent
        return idle if not wait_idle or len(idle) == len(busy) else []

    def _observe(self, worker: Worker, observed: _Observation, now: float) -> None:
        used, before = worker.cpu_seconds(), observed.cpu_seconds
        span = now - observed.computed
        computed = used is None or before is None or used - before > IDLE_SHARE * max(span, 1.0)
        if computed or worker.wants_to_run:
            observed.computed, observed.cpu_seconds = now, used

    def _is_silent(self, observed: _Observation, now: float) -> bool:
        silence = now - observed.heartbeat
        computing = now - observed.computed <= STALL_SECONDS
        return silence > (BUSY_SECONDS if computing else STALL_SECONDS)
