# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of `bench`: right kernels pass, wrong ones do not."""

from __future__ import annotations

from itertools import count

import pytest
import torch

from benchmarks.kernels.checks import compared, exact, fields, layers, rough_plan
from kernels.core.dispatch import choice
from kernels.layer_norm import layer_norm

ROWS = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))


def test_tiles_are_checked_as_tiles():
    """The checks' table is coherent enough not to fall back to single queries."""
    (tiles,) = rough_plan(torch.device("cpu")).selected
    assert tiles.queries.shape[1] == 8


@pytest.mark.parametrize("name", ["block mean", "gates"])
def test_right_kernels_pass(name):
    """Correct kernels pass, value and gradients."""
    function, inputs = layers(torch.device("cpu"))[name]
    check = compared(name, function, inputs)
    assert check.ok
    assert len(check.errors) == 1 + len(inputs)


@pytest.mark.parametrize("name", fields(torch.device("cpu")))
def test_the_field_in_16_bits(name):
    """Rows, colors and light in float16; points and weights stay float32."""
    function, inputs = fields(torch.device("cpu"))[name]
    check = compared(name, function, [each.half() for each in inputs])
    assert check.ok, check


def test_wrong_kernels_fail():
    """A thousandth too much, or NaN, is not within float32's rounding."""
    for factor in (1.001, torch.nan):
        check = compared("", lambda x, f=factor: x * (f if choice() == "triton" else 1), [ROWS])
        assert not check.ok


def test_kernels_that_do_not_repeat_fail():
    """Two runs must give the same bits."""
    number = count()
    check = compared("", lambda x: layer_norm(x) + 1e-7 * next(number), [ROWS])
    assert not check.repeats
    assert not check.ok


def test_indices_must_be_exact():
    """One index in twenty that differs from the reference's is an error of a twentieth."""
    wrong = torch.arange(20)
    check = exact("", lambda: wrong.clamp(max=18) if choice() == "triton" else wrong)
    assert check.errors == pytest.approx((0.05,))
    assert not check.ok
