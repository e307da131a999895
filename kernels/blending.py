# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted sums of rows, differentiable in the rows: the gather of trilinear sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core.blend_plan import BlendPlan
from .core.dispatch import run_triton, uses_triton

if TYPE_CHECKING:
    from torch import Tensor


def blend_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """result[n] = sum_k weights[n, k] * rows[index[n, k]]; weights carry no gradient.

    The kernel sums the gradient of a row in the order of the points, without atomics: the same
    bits in every run.

    Args:
        rows: [rows, channels].
        index: [n, k] integer, below `rows`; a negative index names a row of zeros.
        weights: [n, k], float32 or float64, the type of the sums.

    Returns:
        [n, channels], in the type of the rows.
    """
    return blend(rows, BlendPlan(index, weights))


def blend(rows: Tensor, plan: BlendPlan) -> Tensor:
    """Blend rows [rows, channels] as planned to [n, channels]; see `blend_rows`."""
    if uses_triton(rows):
        from .gpu.blending import FusedBlend

        fused: Tensor = run_triton(FusedBlend.apply, rows, plan)
        return fused
    index, weights = plan.index, plan.weights
    if len(rows) == 0:  # then every row is missing
        zeros = weights.new_zeros(len(index), rows.shape[1])
        return (rows.sum() + zeros).to(rows.dtype)
    present = weights * (index >= 0)
    blended = (rows[index.clamp(min=0).long()] * present[..., None]).sum(1)
    return blended.to(rows.dtype)
