# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overall progress of a job and its remaining time, estimated from earlier jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds of the stages on two cores, in their order. A stage that is not listed counts as the
# average one. After the first job of a process, measurements replace these numbers.
TYPICAL_SECONDS = {
    "reconstruct": {
        "masks": 0.5,
        "views": 0.5,
        "dense stage": 10.0,
        "selection": 1.0,
        "routing": 1.0,
        "sparse stage": 15.0,
        "hull": 1.0,
        "stereo": 15.0,
        "refine": 35.0,
        "mesh": 4.0,
        "materials": 10.0,
        "texture": 6.0,
        "write": 3.0,
    },
    "capture": {"open": 1.0, "capture": 10.0},
}
MIN_SECONDS = 1.5
"""Of a job before its remaining time is estimated."""

MIN_FRACTION = 0.01
"""Of a job before its remaining time is estimated."""


@dataclass(frozen=True)
class Estimate:
    """The progress of a whole job.

    Attributes:
        fraction: of the job that is done, 0..1.
        eta: seconds to its end; None too early in the job.
    """

    fraction: float
    eta: float | None


class TimeLeft:
    """Converts the progress of stages to estimates for the whole job.

    Args:
        method: the kind of job; each has its own stages.
        clock: monotonic, in seconds.
    """

    def __init__(self, method: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._typical = TYPICAL_SECONDS.get(method, {})
        self._expected = dict(self._typical)
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Start a new job."""
        self._start = self._stage_start = self._clock()
        self._stage = ""
        self._done: dict[str, float] = {}

    def report(self, stage: str, fraction: float) -> Estimate:
        """The estimate after a stage has reported its fraction, 0..1."""
        now = self._clock()
        if stage != self._stage:
            self._close(now)
            self._stage, self._stage_start = stage, now
        return self._estimate(now, fraction)

    def finish(self) -> None:
        """End a successful job: its seconds are expected of the next one."""
        self._close(self._clock())
        self._expected = {name: max(seconds, 1e-3) for name, seconds in self._done.items()}

    def _close(self, now: float) -> None:
        if self._stage:
            spent = now - self._stage_start
            self._done[self._stage] = self._done.get(self._stage, 0.0) + spent

    def _estimate(self, now: float, fraction: float) -> Estimate:
        usual = sum(self._expected.values()) / max(len(self._expected), 1) or 1.0
        names = list(self._expected)
        # Stages keep their order: one that was skipped will not come.
        passed = names[: names.index(self._stage)] if self._stage in names else []
        over = {*self._done} - {self._stage}
        ahead = {*names, self._stage} - {*passed} - over
        seconds = {
            name: self._expected.get(name, self._typical.get(name, usual)) for name in over | ahead
        }
        done = sum(seconds[name] for name in over) + fraction * seconds[self._stage]
        share = min(done / sum(seconds.values()), 1.0)
        spent = now - self._start
        if spent < MIN_SECONDS or share < MIN_FRACTION:
            return Estimate(share, None)
        return Estimate(share, spent * (1.0 - share) / share)
