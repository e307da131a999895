# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many seconds a step has left, from what its stages are expected to take."""

from __future__ import annotations

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

TRUST = 1.5
"""Exponent of a stage's fraction: how far the pace so far counts, against what was expected."""


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
        trust = fraction**TRUST
        return (1.0 - trust) * by_expectation + trust * by_pace
