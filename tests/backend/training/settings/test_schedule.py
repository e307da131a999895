# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The learning rate and the sharpness at the steps where their rule changes."""

from __future__ import annotations

import pytest

from backend.training.settings.schedule import InverseStd, LearningRate

STEPS = 10_000


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (0, 1e-10),
        (1500, 2e-4),
        (3000, 4e-4),
        (6500, 0.5 * (4e-4 + 1e-6)),  # the middle of the cosine
        (STEPS, 1e-6),
    ],
)
def test_the_rate_rises_and_falls(step, wanted):
    """Linear from 1e-10 in 3000 steps, then a cosine."""
    assert LearningRate().at(step, STEPS) == pytest.approx(wanted, rel=1e-6)


def test_without_a_warm_up_the_rate_begins_at_its_peak():
    """There is no step of the rise."""
    assert LearningRate(warm_up=0).at(0, STEPS) == 4e-4


@pytest.mark.parametrize(("step", "wanted"), [(0, 10), (1500, 15), (3000, 20), (6500, 110)])
def test_the_surface_becomes_sharper(step, wanted):
    """In two straight lines that meet where the warm-up ends."""
    assert InverseStd().at(step, STEPS, 3000) == pytest.approx(wanted)
    assert InverseStd().at(STEPS, STEPS, 3000) == pytest.approx(200)
