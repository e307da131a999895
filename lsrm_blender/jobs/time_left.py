# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many seconds a task has left, from what the stages of its steps are expected to take."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STARTING = ""
"""The stage of a step before it reports one."""

UNKNOWN_STAGE = 1.0
"""Seconds to expect of a stage that nothing is known about."""

LEAST_SHARE = 0.1
"""Of a stage that takes longer than expected, which is still ahead while it reports nothing."""

TRUSTED = 4.0
"""Seconds of a stage, times its fraction, after which its pace counts as much as what was expected:
the pace of a short stage, or of its beginning, says little."""

MIN_SECONDS, MIN_FRACTION = 1.5, 0.01
"""Of a task before its remaining time is estimated from its pace."""


class StepTime:
    """The seconds of the stages of a step: expected, spent, and left.

    Args:
        expected: seconds of its stages, in their order; one that is skipped will not come.
        clock: monotonic, in seconds.

    Attributes:
        spent: seconds of the stages that have ended.
    """

    def __init__(
        self, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.spent: dict[str, float] = {}
        self._expected = dict(expected)
        self._ahead = [stage for stage in expected if stage != STARTING]
        self._clock = clock
        self._stage, self._fraction, self._since = STARTING, 0.0, clock()

    def report(self, stage: str, fraction: float) -> None:
        """Note the stage that runs now, and its fraction, 0..1."""
        if stage != self._stage:
            self.finish()
            self._stage, self._since = stage, self._clock()
            if stage in self._ahead:
                self._ahead = self._ahead[self._ahead.index(stage) + 1 :]
        self._fraction = fraction

    def finish(self) -> None:
        """Note the end of the stage that runs."""
        spent = self._clock() - self._since
        self.spent[self._stage] = self.spent.get(self._stage, 0.0) + spent

    @property
    def left(self) -> float:
        """Seconds to the end of the step."""
        return self._left_of_stage() + sum(self._expected[stage] for stage in self._ahead)

    def _left_of_stage(self) -> float:
        """Seconds to the end of the stage that runs: as expected at first, at its pace later."""
        expected = self._expected.get(self._stage, UNKNOWN_STAGE)
        spent, fraction = self._clock() - self._since, self._fraction
        least = LEAST_SHARE * (1.0 - fraction) * max(expected, spent)
        by_expectation = max(expected - spent, least)
        by_pace = spent * (1.0 - fraction) / fraction if fraction > 0.0 else 0.0
        doubt = math.sqrt(1.0 - fraction) * TRUSTED / (spent * fraction + TRUSTED)
        return doubt * by_expectation + (1.0 - doubt) * by_pace


class TaskTime:
    """How far a task is, and how many seconds it has left.

    Args:
        weight: the sum of the shares of its steps.
        clock: monotonic, in seconds.
    """

    def __init__(self, weight: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._weight, self._clock = weight, clock
        self._began = clock()
        self._finished = self._share = self._done = 0.0
        self._step, self._known = StepTime({}, clock), False

    def begin(self, expected: Mapping[str, float], share: float) -> None:
        """Start a step.

        Args:
            expected: seconds of its stages; empty if they are not known.
            share: of the time of the task: in seconds, if they are known.
        """
        self._step, self._share, self._known = (
            StepTime(expected, self._clock),
            share,
            bool(expected),
        )

    def finish(self) -> dict[str, float]:
        """End the step; returns the seconds of its stages."""
        self._finished += self._share
        self._step.finish()
        return self._step.spent

    def report(self, stage: str, fraction: float) -> tuple[float, float]:
        """Note how far the step is.

        Returns:
            The fraction of the task that is done, and whole seconds to its end, or -1.
        """
        self._step.report(stage, fraction)
        spent = self._clock() - self._began
        if self._known:
            after = max(self._weight - self._finished - self._share, 0.0)
            left = self._step.left + after
            self._done = max(self._done, round(spent / (spent + left), 3))
            return self._done, round(left)
        done = min((self._finished + self._share * fraction) / self._weight, 1.0)
        done = self._done = max(self._done, done)
        if spent < MIN_SECONDS or done < MIN_FRACTION:
            return done, -1.0
        return done, round(spent * (1.0 - done) / done)
