# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of ranks, from measured times."""

from __future__ import annotations

import pytest
import torch

from backend.parallel.speed import relative_speeds, seconds_of_products


@pytest.mark.parametrize(
    ("seconds", "speeds"),
    [
        ([0.5, 0.5], [1.0, 1.0]),
        ([0.50, 0.52, 0.49], [1.0, 1.0, 1.0]),
        ([0.2, 0.4, 0.1], [0.5, 0.25, 1.0]),
        ([3.0], [1.0]),
    ],
)
def test_speeds_are_relative_to_the_fastest(seconds, speeds):
    """Twice the time is half the speed; small differences are noise."""
    assert relative_speeds(seconds) == tuple(speeds)


def test_products_take_time():
    """The measurement is short and above zero."""
    assert 0 < seconds_of_products(torch.device("cpu"), torch.float32, side=16) < 1
