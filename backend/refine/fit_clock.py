# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a fit: seconds for every run of a level, and how far all runs are together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.progress import Progress

PREPARATION = 30.0
"""What precedes the steps of a run takes as long as so many of them: its band, its rays, and where
the views are to decide, the comparison of the field with its start."""

USUAL_STOP = 0.55
"""Share of the steps after which a run usually ends that the held-out rays may stop."""

LEAST_AHEAD = 0.3
"""Share of the steps that are left, which are still expected of a run that goes on beyond that."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of the optimizer that is ahead.

    Attributes:
        steps: of a level, all of which take about the same time.
        may_stop: whether the held-out rays may end it early.
    """

    steps: int
    may_stop: bool

    def expected_after(self, step: float) -> float:
        """How many steps are expected after one of them."""
        if not self.may_stop:
            return self.steps - step
        return max(USUAL_STOP * self.steps - step, LEAST_AHEAD * (self.steps - step))


class FitClock:
    """Shares the seconds among runs, and reports how far they are: by time, not by their number.

    Args:
        seconds: for all runs.
        runs: in their order.
        progress: receives fractions of the stage `refine`.
    """

    def __init__(self, seconds: float, runs: Sequence[PlannedRun], progress: Progress) -> None:
        self._begin, self._seconds = time.perf_counter(), seconds
        self._runs, self._progress = runs, progress
        self._number, self._done, self._step = -1, 0.0, 0.0

    def begin_run(self) -> float:
        """Begin the next run; returns the seconds that it may take: an equal share of the rest."""
        self._number += 1
        self._done += self._step + PREPARATION
        self._step = 0.0
        left = self._seconds - (time.perf_counter() - self._begin)
        return max(1.0, left / max(1, len(self._runs) - self._number))

    def report(self, step: int) -> None:
        """Report the fraction of all runs together, from the step of the present one."""
        self._step = step
        present, *later = self._runs[self._number :]
        ahead = present.expected_after(step)
        ahead += sum(PREPARATION + each.expected_after(0) for each in later)
        done = self._done + step
        message = f"step {self._number + 1} of {len(self._runs)}"
        self._progress.report("refine", done / (done + ahead), message)
