# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling and decoding of a sparse field in one Triton kernel: features stay in registers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from ..sparse_field import network, sample
from .launch import LEAST_ROWS
from .tile_attention import load_rows, store_rows

if TYPE_CHECKING:
    from ..sparse_field import SparseGrid

POINTS = 64  # of a program
PRECISION = "tf32x3"  # three products of tensor floats make one of float32
WARPS = 4


@triton.jit
def axis_place(points_ptr, point, axis, real, half_side, resolution):
    """The lower voxel and the fraction above it, along x, y or z."""
    place = tl.load(points_ptr + point.to(tl.int64) * 3 + axis, mask=real, other=0.0)
    place = tl.minimum(tl.maximum(0.5 * (place / half_side + 1.0), 0.0), 1.0) * (resolution - 1)
    low = tl.minimum(tl.floor(place), resolution - 2)
    return low.to(tl.int32), place - low


@triton.jit
def axis_corner(low, fraction, upper: tl.constexpr):
    """One of the two voxels along an axis, and its weight."""
    if upper:
        return low + 1, fraction
    return low, 1.0 - fraction


@triton.jit
def coarse_rows(coarse_ptr, cell, volume, missing, channels, WIDTH: tl.constexpr):
    """[points, WIDTH] of a [channels, z, y, x] grid."""
    channel = tl.arange(0, WIDTH)
    offset = channel.to(tl.int64)[None, :] * volume + cell[:, None]
    inside = missing[:, None] & (channel < channels)[None, :]
    return tl.load(coarse_ptr + offset, mask=inside, other=0.0)


@triton.jit
def decode_kernel(
    points_ptr,  # [points, 3] float32
    rows_ptr,  # [rows, channels]
    index_ptr,  # [z, y, x] int32
    coarse_ptr,  # [channels, z, y, x]
    layers_ptr,  # [LAYERS, WIDTH, WIDTH] float32, inputs by outputs, padded with zeros
    out_ptr,  # [points, outputs]
    points,
    half_side,
    resolution,
    cells,
    channels,
    outputs,
    LAYERS: tl.constexpr,
    WIDTH: tl.constexpr,
    POINTS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Eight corners, from the rows or from the coarse grid, then the layers."""
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    real = point < points
    x_low, x_part = axis_place(points_ptr, point, 0, real, half_side, resolution)
    y_low, y_part = axis_place(points_ptr, point, 1, real, half_side, resolution)
    z_low, z_part = axis_place(points_ptr, point, 2, real, half_side, resolution)
    ratio = resolution // cells
    hidden = tl.zeros([POINTS, WIDTH], tl.float32)
    for corner in tl.static_range(8):
        z, z_weight = axis_corner(z_low, z_part, corner // 4)
        y, y_weight = axis_corner(y_low, y_part, corner // 2 % 2)
        x, x_weight = axis_corner(x_low, x_part, corner % 2)
        row = tl.load(index_ptr + (z * resolution + y) * resolution + x, mask=real, other=-1)
        z, y, x = (
            tl.minimum(z // ratio, cells - 1),
            tl.minimum(y // ratio, cells - 1),
            tl.minimum(x // ratio, cells - 1),
        )
        cell = (z * cells + y) * cells + x
        feature = load_rows(rows_ptr, row, channels, 0, row >= 0, channels, WIDTH).to(tl.float32)
        missing = real & (row < 0)
        feature += coarse_rows(coarse_ptr, cell, cells * cells * cells, missing, channels, WIDTH)
        hidden += (z_weight * y_weight * x_weight)[:, None] * feature
    line = tl.arange(0, WIDTH)
    for layer in tl.static_range(LAYERS):
        matrix = tl.load(layers_ptr + (layer * WIDTH + line[:, None]) * WIDTH + line[None, :])
        hidden = tl.dot(hidden, matrix, input_precision=PRECISION)
        if layer < LAYERS - 1:
            hidden = tl.maximum(hidden, 0.0)
    store_rows(out_ptr, point, outputs, 0, real, hidden, outputs, WIDTH)


class FusedDecode(torch.autograd.Function):
    """`sparse_field.decode`; rows and coarse grid are arguments once more to be differentiated."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, grid: SparseGrid, rows: Tensor, coarse: Tensor, *layers: Tensor
    ) -> Tensor:
        ctx.save_for_backward(points, rows, coarse, *layers)
        ctx.grid = grid
        points, index = points.float().contiguous(), grid.index.int().contiguous()
        rows, coarse, matrices = rows.contiguous(), coarse.contiguous(), packed(layers)
        out = rows.new_empty((len(points), len(layers[-1])))
        if out.numel():
            decode_kernel[(triton.cdiv(len(points), POINTS),)](
                points, rows, index, coarse, matrices, out, len(points),
                grid.half_side, grid.resolution, coarse.shape[-1], rows.shape[1], out.shape[1],
                LAYERS=len(layers), WIDTH=matrices.shape[1],
                POINTS=POINTS, PRECISION=PRECISION, num_warps=WARPS,
            )  # fmt: skip
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        points, *given = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2:]
        with torch.enable_grad():
            given = [
                each.detach().requires_grad_(need) for each, need in zip(given, wanted, strict=True)
            ]
            rows, coarse, *layers = given
            grid = replace(ctx.grid, rows=rows, coarse=coarse)
            out = network(sample(points, grid), tuple(layers))
        asked = [each for each, need in zip(given, wanted, strict=True) if need]
        found = iter(torch.autograd.grad(out, asked, grad, materialize_grads=True))
        return None, None, *(next(found) if need else None for need in wanted)


def packed(layers: tuple[Tensor, ...]) -> Tensor:
    """All matrices, transposed and padded to one size, [layers, width, width] float32."""
    sides = [side for matrix in layers for side in matrix.shape]
    width = max(LEAST_ROWS, triton.next_power_of_2(max(sides)))
    square = [
        F.pad(matrix.T.float(), (0, width - matrix.shape[0], 0, width - matrix.shape[1]))
        for matrix in layers
    ]
    return torch.stack(square).contiguous()
