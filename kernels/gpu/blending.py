# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted sums of rows in Triton, and their gradient, summed row by row over sorted uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from .tile_memory import load_rows, store_rows

if TYPE_CHECKING:
    from ..core.blend_plan import BlendPlan

POINTS = 64  # of a program
ENTRIES = 16  # uses of a row in one step
CHANNELS = 32  # of a program
WARPS = {"blend": 4, "spread": 1}


@triton.jit
def blend_kernel(
    rows_ptr,  # [rows, channels]
    index_ptr,  # [points, corners] int64
    weights_ptr,  # [points, corners] float32
    out_ptr,  # [points, channels]
    points,
    corners,
    channels,
    POINTS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Some points, some channels; a negative index is a zero."""
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    first = tl.program_id(1) * CHANNELS
    real = point < points
    total = tl.zeros([POINTS, CHANNELS], tl.float32)
    for corner in range(corners):
        offset = point.to(tl.int64) * corners + corner
        row = tl.load(index_ptr + offset, mask=real, other=-1)
        weight = tl.load(weights_ptr + offset, mask=real, other=0.0)
        pointer = rows_ptr + first
        values = load_rows(pointer, row, channels, 0, row >= 0, channels - first, CHANNELS)
        total += weight[:, None] * values.to(tl.float32)
    store_rows(out_ptr + first, point, channels, 0, real, total, channels - first, CHANNELS)


@triton.jit
def spread_kernel(
    grad_ptr,  # [points, channels]
    weights_ptr,  # [points * corners] float32
    uses_ptr,  # [uses] int64 into weights, row after row
    used_ptr,  # [used rows] int64
    offsets_ptr,  # [used rows + 1] int64 into uses
    rows_grad_ptr,  # [rows, channels], zeros
    corners,
    channels,
    ENTRIES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One used row: its uses are summed in order."""
    number = tl.program_id(0)
    first = tl.program_id(1) * CHANNELS
    begin, end = tl.load(offsets_ptr + number), tl.load(offsets_ptr + number + 1)
    total = tl.zeros([ENTRIES, CHANNELS], tl.float32)
    for entry in range(begin, end, ENTRIES):
        offset = entry + tl.arange(0, ENTRIES)
        inside = offset < end
        use = tl.load(uses_ptr + offset, mask=inside, other=0)
        weight = tl.load(weights_ptr + use, mask=inside, other=0.0)
        pointer, point = grad_ptr + first, use // corners
        grad = load_rows(pointer, point, channels, 0, inside, channels - first, CHANNELS)
        total += weight[:, None] * grad.to(tl.float32)
    channel = first + tl.arange(0, CHANNELS)
    pointer = rows_grad_ptr + tl.load(used_ptr + number) * channels + channel
    result = tl.sum(total, 0).to(rows_grad_ptr.dtype.element_ty)
    tl.store(pointer, result, mask=channel < channels)


class FusedBlend(torch.autograd.Function):
    """`blending.blend`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, plan: BlendPlan) -> Tensor:
        rows, (index, weights) = rows.contiguous(), plan.packed
        (points, corners), channels = index.shape, rows.shape[1]
        out = rows.new_empty((points, channels))
        if out.numel():
            grid = (triton.cdiv(points, POINTS), triton.cdiv(channels, CHANNELS))
            blend_kernel[grid](
                rows, index, weights, out, points, corners, channels,
                POINTS=POINTS, CHANNELS=CHANNELS, num_warps=WARPS["blend"],
            )  # fmt: skip
        ctx.plan, ctx.shape = plan, rows.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return spread_rows(grad, ctx.plan, ctx.shape), None


def spread_rows(grad: Tensor, plan: BlendPlan, shape: torch.Size) -> Tensor:
    """The gradient of the rows, [rows, channels].

    Args:
        grad: [points, channels] of the blended rows.
        plan: how they were blended.
        shape: of the rows.
    """
    grad, result = grad.contiguous(), grad.new_zeros(shape)
    uses, weights = plan.uses, plan.packed[1]
    if len(uses.used) and shape[1]:
        spread_kernel[(len(uses.used), triton.cdiv(shape[1], CHANNELS))](
            grad, weights, uses.entries, uses.used, uses.offsets, result,
            weights.shape[1], shape[1],
            ENTRIES=ENTRIES, CHANNELS=CHANNELS, num_warps=WARPS["spread"],
        )  # fmt: skip
    return result
