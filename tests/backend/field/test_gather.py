# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gather of rows, and what volumes and rays make of it, against plain sums."""

from __future__ import annotations

import pytest
import torch

from backend.field.gather import gather_rows

ROWS, CHANNELS, POINTS, CORNERS = 11, 4, 30, 8


def _blend(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows, indices of which a sixth are missing, and weights; some rows are named twice."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, CHANNELS, generator=generator, dtype=dtype)
    index = torch.randint(-2, ROWS, (POINTS, CORNERS), generator=generator)
    weights = torch.rand(POINTS, CORNERS, generator=generator, dtype=dtype)
    return rows, index, weights


def _plain(rows: torch.Tensor, index: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The definition, one term after the other."""
    result = []
    for row, weight in zip(index, weights, strict=True):
        kept = row >= 0
        result.append((weight[kept, None] * rows[row[kept]]).sum(0))
    return torch.stack(result)


@pytest.mark.parametrize("integer", [torch.int32, torch.int64])
def test_a_gather_is_a_weighted_sum(integer: torch.dtype) -> None:
    """Every result is the sum of its rows, whichever integers name them; a missing row is zero."""
    rows, index, weights = _blend(torch.float32)
    assert (index < 0).any()
    # eight products of numbers around 1
    torch.testing.assert_close(
        gather_rows(rows, index.to(integer), weights),
        _plain(rows, index, weights),
        atol=8 * torch.finfo(torch.float32).eps,
        rtol=1e-5,
    )


def test_gradients_of_a_gather() -> None:
    """The gradient in the rows passes gradcheck in float64, and rows without an index get zero."""
    rows, index, weights = _blend(torch.float64)
    index[index == 5] = 6
    rows.requires_grad_()
    assert torch.autograd.gradcheck(lambda r: gather_rows(r, index, weights), (rows,))
    gather_rows(rows, index, weights).sum().backward()
    assert (rows.grad[5] == 0).all()
    assert (rows.grad[6] > 0).all()


def test_a_gather_is_linear() -> None:
    """A finite difference of any length is the gradient, because the gather is linear."""
    rows, index, weights = _blend(torch.float64)
    rows.requires_grad_()
    along = torch.randn(ROWS, CHANNELS, generator=torch.Generator().manual_seed(1)).double()
    target = torch.linspace(-1, 1, POINTS * CHANNELS).double().view(POINTS, CHANNELS)
    (gather_rows(rows, index, weights) * target).sum().backward()
    with torch.no_grad():
        there, back = (gather_rows(rows + s * along, index, weights) for s in (0.5, -0.5))
    difference = ((there - back) * target).sum()
    torch.testing.assert_close((rows.grad * along).sum(), difference, rtol=1e-12, atol=1e-12)


def test_gradients_arrive_in_any_layout() -> None:
    """A gradient that is not contiguous, as an expanded or a transposed one, gives the same."""
    rows, index, weights = _blend(torch.float64)
    rows.requires_grad_()
    for target in (
        torch.ones(1, 1).double().expand(POINTS, CHANNELS),
        torch.arange(POINTS * CHANNELS).double().view(CHANNELS, POINTS).T,
    ):
        (found,) = torch.autograd.grad(gather_rows(rows, index, weights), rows, target)
        (plain,) = torch.autograd.grad(_plain(rows, index, weights), rows, target)
        torch.testing.assert_close(found, plain)


def test_empty_gathers() -> None:
    """No points give no result, no rows give zeros, and both have gradients."""
    rows = torch.ones(ROWS, CHANNELS, requires_grad=True)
    nothing = gather_rows(rows, torch.zeros(0, CORNERS).long(), torch.zeros(0, CORNERS))
    assert nothing.shape == (0, CHANNELS)
    nothing.sum().backward()
    assert (rows.grad == 0).all()
    missing = torch.full((POINTS, CORNERS), -1)
    none = torch.zeros(0, CHANNELS, requires_grad=True)
    zeros = gather_rows(none, missing, torch.ones(POINTS, CORNERS))
    assert zeros.shape == (POINTS, CHANNELS)
    assert (zeros == 0).all()
    zeros.sum().backward()
    assert none.grad.shape == none.shape
