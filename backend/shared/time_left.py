# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a job is done, and how long the rest will take: learned from the jobs before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# How long the stages take on two cores, in their order. A stage that is not listed counts as the
# average one, and after the first job of a process measurements take over.
TYPICAL_SECONDS = {
    "reconstruct": {
        "views": 0.5,
        "dense stage": 10.0,
        "selection": 1.0,
        "routing": 1.0,
        "sparse stage": 15.0,
        "hull": 1.0,
        "refine": 35.0,
        "mesh": 4.0,
        "texture": 6.0,
        "write": 3.0,
    },
    "capture": {"open": 1.0, "capture": 10.0},
}
EARLIEST = 1.5
"""Seconds of work before a guess is made."""

LEAST = 0.01
"""Part of the work before a guess is made."""


@dataclass(frozen=True)
class Estimate:
    """Where a whole job is.

    Attributes:
        fraction: of the job that is done, 0..1.
        eta: seconds to its end; None where there is nothing to tell it from.
    """

    fraction: float
    eta: float | None


class TimeLeft:
    """Turns the reports of stages into estimates for the whole.

    Args:
        method: what is done; each has its own stages.
        clock: seconds, monotonic.
    """

    def __init__(self, method: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._typical = TYPICAL_SECONDS.get(method, {})
        self._expected = dict(self._typical)
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """A new job starts."""
        self._start = self._stage_start = self._clock()
        self._stage = ""
        self._done: dict[str, float] = {}

    def report(self, stage: str, fraction: float) -> Estimate:
        """The estimate after a stage has told how far it is."""
        now = self._clock()
        if stage != self._stage:
            self._close(now)
            self._stage, self._stage_start = stage, now
        return self._estimate(now, fraction)

    def finish(self) -> None:
        """The job was completed: the next one will be like it."""
        self._close(self._clock())
        self._expected = {name: max(seconds, 1e-3) for name, seconds in self._done.items()}

    def _close(self, now: float) -> None:
        if self._stage:
            spent = now - self._stage_start
            self._done[self._stage] = self._done.get(self._stage, 0.0) + spent

    def _estimate(self, now: float, fraction: float) -> Estimate:
        usual = sum(self._expected.values()) / max(len(self._expected), 1) or 1.0
        names = list(self._expected)
        # A stage that was passed over will not come: stages keep their order.
        passed = names[: names.index(self._stage)] if self._stage in names else []
        over = {*self._done} - {self._stage}
        ahead = {*names, self._stage} - {*passed} - over
        seconds = {
            name: self._expected.get(name, self._typical.get(name, usual)) for name in over | ahead
        }
        done = sum(seconds[name] for name in over) + fraction * seconds[self._stage]
        share = min(done / sum(seconds.values()), 1.0)
        spent = now - self._start
        if spent < EARLIEST or share < LEAST:
            return Estimate(share, None)
        return Estimate(share, spent * (1.0 - share) / share)
