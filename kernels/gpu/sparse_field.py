# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling and decoding of a sparse field in one Triton kernel: features stay in registers.

The backward samples them again, into the memory that then holds their gradient: sampling and the
backward of the layers together need more than the registers. Programs sum the gradients of the
layers over their share of the points; the gradients of rows and coarse cells are sums over sorted
uses. So nothing is added concurrently, and two runs give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..core.blend_plan import BlendPlan
from ..core.sparse_grid import corners
from .blending import spread_rows
from .launch import LEAST_ROWS
from .tile_memory import load_rows, store_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.sparse_grid import SparseGrid

POINTS = {"decode": 64, "gradient": 16}  # of one step; more of a gradient spill registers
PROGRAMS = 1024  # most programs that share the points of a gradient
PRECISION = "tf32x3"  # three products of tensor floats make one of float32
WARPS = 4


class Volume(NamedTuple):
    """Pointers to the sampled volume, see `sparse_field.SparseGrid`.

    Attributes:
        rows: [rows, channels].
        numbers: [z, y, x] int32.
        coarse: [channels, z, y, x].
    """

    rows: Any
    numbers: Any
    coarse: Any


class Extent(NamedTuple):
    """Sizes of the volume.

    Attributes:
        half_side: of the cube.
        bricks: per side of the grid.
        cells: per side of the coarse grid.
        channels: of a feature.
    """

    half_side: Any
    bricks: Any
    cells: Any
    channels: Any


@triton.jit
def axis_position(points_ptr, point, axis, real, half_side, resolution):
    """The lower voxel and the fraction above it, along x, y or z."""
    position = tl.load(points_ptr + point.to(tl.int64) * 3 + axis, mask=real, other=0.0)
    position = tl.minimum(tl.maximum(0.5 * (position / half_side + 1.0), 0.0), 1.0)
    position *= resolution - 1
    low = tl.minimum(tl.floor(position), resolution - 2)
    return low.to(tl.int32), position - low


@triton.jit
def axis_corner(low, fraction, upper: tl.constexpr):
    """One of the two voxels along an axis, and its weight."""
    if upper:
        return low + 1, fraction
    return low, 1.0 - fraction


@triton.jit
def row_of(numbers_ptr, z, y, x, bricks, real, SIDE: tl.constexpr):
    """The row of a voxel, -1 where its brick is not kept."""
    offset = ((z // SIDE) * bricks + y // SIDE) * bricks + x // SIDE
    brick = tl.load(numbers_ptr + offset, mask=real, other=-1)
    inner = ((z % SIDE) * SIDE + y % SIDE) * SIDE + x % SIDE
    return tl.where(brick < 0, -1, brick * (SIDE * SIDE * SIDE) + inner)


@triton.jit
def coarse_rows(coarse_ptr, z, y, x, ratio, extent, missing, WIDTH: tl.constexpr):
    """[points, WIDTH] of the coarse cells that hold voxels."""
    cells, channel = extent.cells, tl.arange(0, WIDTH)
    z, y, x = (
        tl.minimum(z // ratio, cells - 1),
        tl.minimum(y // ratio, cells - 1),
        tl.minimum(x // ratio, cells - 1),
    )
    cell = (z * cells + y) * cells + x
    offset = channel.to(tl.int64)[None, :] * (cells * cells * cells) + cell[:, None]
    inside = missing[:, None] & (channel < extent.channels)[None, :]
    return tl.load(coarse_ptr + offset, mask=inside, other=0.0)


@triton.jit
def sampled(points_ptr, volume, extent, point, real, SIDE: tl.constexpr, WIDTH: tl.constexpr):
    """Eight corners, from the rows or from the coarse grid, [points, WIDTH] float32."""
    bricks, channels = extent.bricks, extent.channels
    resolution = bricks * SIDE
    half_side, ratio = extent.half_side, resolution // extent.cells
    x_low, x_part = axis_position(points_ptr, point, 0, real, half_side, resolution)
    y_low, y_part = axis_position(points_ptr, point, 1, real, half_side, resolution)
    z_low, z_part = axis_position(points_ptr, point, 2, real, half_side, resolution)
    feature = tl.zeros([point.shape[0], WIDTH], tl.float32)
    for corner in tl.static_range(8):
        z, z_weight = axis_corner(z_low, z_part, corner // 4)
        y, y_weight = axis_corner(y_low, y_part, corner // 2 % 2)
        x, x_weight = axis_corner(x_low, x_part, corner % 2)
        row = row_of(volume.numbers, z, y, x, bricks, real, SIDE)
        found = load_rows(volume.rows, row, channels, 0, row >= 0, channels, WIDTH).to(tl.float32)
        missing = real & (row < 0)
        found += coarse_rows(volume.coarse, z, y, x, ratio, extent, missing, WIDTH).to(tl.float32)
        feature += (z_weight * y_weight * x_weight)[:, None] * found
    return feature


@triton.jit
def matrix_of(layers_ptr, layer, WIDTH: tl.constexpr):
    """One layer, inputs by outputs."""
    line = tl.arange(0, WIDTH)
    return tl.load(layers_ptr + (layer * WIDTH + line[:, None]) * WIDTH + line[None, :])


@triton.jit
def layer_inputs(
    feature, layers_ptr, LAYERS: tl.constexpr, WIDTH: tl.constexpr, PRECISION: tl.constexpr
):
    """What each layer reads, LAYERS times [points, WIDTH]."""
    inputs = (feature,)
    for layer in tl.static_range(LAYERS - 1):
        matrix = matrix_of(layers_ptr, layer, WIDTH)
        hidden = tl.dot(inputs[layer], matrix, input_precision=PRECISION)
        inputs += (tl.maximum(hidden, 0.0),)  # type: ignore[assignment]
    return inputs


@triton.jit
def decode_kernel(
    points_ptr,  # [points, 3] float32
    volume,
    layers_ptr,  # [LAYERS, WIDTH, WIDTH] float32, inputs by outputs, padded with zeros
    out_ptr,  # [points, outputs]
    points,
    extent,
    outputs,
    SIDE: tl.constexpr,
    LAYERS: tl.constexpr,
    WIDTH: tl.constexpr,
    POINTS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Features of some points through the layers; without layers the features themselves."""
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    real = point < points
    out = sampled(points_ptr, volume, extent, point, real, SIDE, WIDTH)
    if LAYERS > 0:
        inputs = layer_inputs(out, layers_ptr, LAYERS, WIDTH, PRECISION)
        matrix = matrix_of(layers_ptr, LAYERS - 1, WIDTH)
        out = tl.dot(inputs[LAYERS - 1], matrix, input_precision=PRECISION)
    store_rows(out_ptr, point, outputs, 0, real, out, outputs, WIDTH)


@triton.jit
def gradient_kernel(
    features_ptr,  # [points, channels] float32, overwritten by its gradient
    layers_ptr,  # as of `decode_kernel`
    grad_ptr,  # [points, outputs]
    layers_grad_ptr,  # [programs, LAYERS, WIDTH, WIDTH] float32
    points,
    channels,
    outputs,
    LAYERS: tl.constexpr,
    WIDTH: tl.constexpr,
    POINTS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradients of the features of a share of the points, and its part in those of the layers."""
    program = tl.program_id(0)
    sums = (tl.zeros([WIDTH, WIDTH], tl.float32),) * LAYERS
    for chunk in range(program, tl.cdiv(points, POINTS), tl.num_programs(0)):
        point = chunk * POINTS + tl.arange(0, POINTS)
        real = point < points
        feature = load_rows(features_ptr, point, channels, 0, real, channels, WIDTH)
        inputs = layer_inputs(feature, layers_ptr, LAYERS, WIDTH, PRECISION)
        slope = load_rows(grad_ptr, point, outputs, 0, real, outputs, WIDTH).to(tl.float32)
        added = ()
        for back in tl.static_range(LAYERS):
            given = inputs[LAYERS - 1 - back]
            share = tl.dot(given.T, slope, sums[LAYERS - 1 - back], input_precision=PRECISION)
            added = (share,) + added  # type: ignore[assignment]  # noqa: RUF005 - Triton unpacks nothing
            matrix = matrix_of(layers_ptr, LAYERS - 1 - back, WIDTH)
            slope = tl.dot(slope, matrix.T, input_precision=PRECISION)
            if back < LAYERS - 1:
                slope = tl.where(given > 0, slope, 0.0)
        sums = added
        store_rows(features_ptr, point, channels, 0, real, slope, channels, WIDTH)
    line = tl.arange(0, WIDTH)
    for layer in tl.static_range(LAYERS):
        row = (program * LAYERS + layer) * WIDTH + line
        tl.store(layers_grad_ptr + row[:, None] * WIDTH + line[None, :], sums[layer])


class FusedDecode(torch.autograd.Function):
    """`sparse_field.decode` of one network; the grid's tensors are arguments to have gradients."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, grid: SparseGrid, rows: Tensor, coarse: Tensor, *layers: Tensor
    ) -> Tensor:
        points = points.float().contiguous()
        ctx.save_for_backward(points, rows, coarse, *layers)
        ctx.grid, ctx.matrices = grid, packed(layers)
        out = rows.new_empty((len(points), len(layers[-1])))
        fill(out, points, grid, ctx.matrices)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        points, _rows, _coarse, *layers = ctx.saved_tensors
        matrices, grad = ctx.matrices, grad.contiguous()
        features = points.new_empty((len(points), ctx.grid.rows.shape[1]))
        fill(features, points, ctx.grid, matrices[:0])
        programs = min(PROGRAMS, triton.cdiv(len(points), POINTS["gradient"]))
        parts = points.new_empty((programs, *matrices.shape))
        if programs:
            gradient_kernel[(programs,)](
                features, matrices, grad, parts, len(points), features.shape[1], grad.shape[1],
                **options("gradient", matrices),
            )  # fmt: skip
        layer_grads = [
            total[: each.shape[1], : each.shape[0]].T.to(each.dtype)
            for total, each in zip(parts.sum(0), layers, strict=True)
        ]
        wanted = any(ctx.needs_input_grad[2:4])
        found = volume_gradients(features, points, ctx.grid) if wanted else (None, None)
        return None, None, *found, *layer_grads


def fill(out: Tensor, points: Tensor, grid: SparseGrid, matrices: Tensor) -> None:
    """Decoded points into `out` [points, outputs]; without matrices, sampled features."""
    if not out.numel():
        return
    bricks, rows, coarse = grid.bricks, grid.rows.contiguous(), grid.coarse.contiguous()
    side, cells = bricks.numbers.shape[-1], coarse.shape[-1]
    decode_kernel[(triton.cdiv(len(points), POINTS["decode"]),)](
        points, Volume(rows, bricks.numbers.int().contiguous(), coarse), matrices, out, len(points),
        Extent(grid.half_side, side, cells, rows.shape[1]), out.shape[1],
        SIDE=bricks.side, **options("decode", matrices),
    )  # fmt: skip


def volume_gradients(grad: Tensor, points: Tensor, grid: SparseGrid) -> tuple[Tensor, Tensor]:
    """Gradients of the rows and of the coarse grid.

    Args:
        grad: of the sampled features, [points, channels] float32.
        points: [points, 3] float32.
        grid: the sampled grid.
    """
    rows, coarse = grid.rows, grid.coarse
    voxels, weights = corners(points, grid.bricks.resolution, grid.half_side)
    row, cell = grid.bricks.rows(voxels).long(), grid.cells(voxels).long()
    rows_grad = spread_rows(grad, BlendPlan(row, weights), rows.shape)
    missing = torch.where(row < 0, cell, -1)
    cells_grad = spread_rows(grad, BlendPlan(missing, weights), coarse.flatten(1).T.shape)
    return rows_grad.to(rows.dtype), cells_grad.T.reshape(coarse.shape).to(coarse.dtype)


def options(kernel: str, matrices: Tensor) -> dict[str, Any]:
    """Compile options of "decode" and "gradient"."""
    return {
        "LAYERS": matrices.shape[0],
        "WIDTH": matrices.shape[1],
        "POINTS": POINTS[kernel],
        "PRECISION": PRECISION,
        "num_warps": WARPS,
        "num_stages": 1,
    }


def packed(layers: Sequence[Tensor]) -> Tensor:
    """All matrices, transposed and padded to one size, [layers, width, width] float32."""
    sides = [side for matrix in layers for side in matrix.shape]
    width = max(LEAST_ROWS, triton.next_power_of_2(max(sides)))
    square = [
        F.pad(matrix.T.float(), (0, width - matrix.shape[0], 0, width - matrix.shape[1]))
        for matrix in layers
    ]
    return torch.stack(square).contiguous()
