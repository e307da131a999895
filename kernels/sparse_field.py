# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features between the kept voxels of a fine grid, with a coarse grid where none are, decoded.

Grid axes are [z, y, x], points (x, y, z). The outermost voxels lie on the faces of the cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .blending import blend_rows
from .dispatch import uses_triton

if TYPE_CHECKING:
    from collections.abc import Callable

    Blend = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SparseGrid:
    """Rows of the kept voxels over the cube [-half_side, half_side]^3, and a coarse grid."""

    rows: Tensor  # [rows, channels]
    index: Tensor  # [z, y, x] int, the row of every fine voxel, -1 where there is none
    coarse: Tensor  # [channels, z, y, x], cubic, with a whole number of fine voxels per cell
    half_side: float

    @property
    def resolution(self) -> int:
        """Fine voxels per side."""
        return self.index.shape[-1]


def corners(points: Tensor, resolution: int, half_side: float) -> tuple[Tensor, Tensor]:
    """The voxels around points, clamped into the cube, and their trilinear weights.

    Args:
        points: [points, 3] (x, y, z).
        resolution: voxels per side.
        half_side: of the cube.

    Returns:
        Flat indices into the grid, int32 [points, 8], and weights [points, 8].
    """
    place = (0.5 * (points / half_side + 1)).clamp(0, 1) * (resolution - 1)
    low = place.floor().clamp(max=resolution - 2)
    fraction = place - low
    x, y, z = low.int().unbind(1)
    steps = torch.tensor([0, 1, resolution, resolution + 1], dtype=torch.int32, device=low.device)
    first = (z * resolution + y) * resolution + x
    flat = torch.cat([steps, steps + resolution * resolution]) + first[:, None]
    x_weight, y_weight, z_weight = torch.stack([1 - fraction, fraction], 2).unbind(1)
    plane = (y_weight[:, :, None] * x_weight[:, None]).flatten(1)
    return flat, (z_weight[:, :, None] * plane[:, None]).flatten(1)


def sample(points: Tensor, grid: SparseGrid, blend: Blend = blend_rows) -> Tensor:
    """The trilinear feature of eq. (10), [points, 3] to [points, channels].

    QUIRK 15: a missing voxel takes the nearest coarse feature, not an interpolated one.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        blend: a weighted sum of rows, for callers who know a faster one where they are.
    """
    flat, weights = corners(points, grid.resolution, grid.half_side)
    row = grid.index.flatten()[flat]
    kept = row >= 0
    result = points.new_zeros(points.shape[0], grid.rows.shape[1])
    if grid.rows.shape[0]:
        result = blend(grid.rows, row, weights)
    partly = torch.nonzero(~kept.all(1))[:, 0]
    if len(partly) == 0:
        return result
    missing = (weights * ~kept)[partly, :, None]
    return result.index_add(0, partly, (missing * _nearest(grid, flat[partly])).sum(1))


def decode(
    points: Tensor, grid: SparseGrid, layers: tuple[Tensor, ...], blend: Blend = blend_rows
) -> Tensor:
    """A bias-free ReLU network on the feature at each point; its features are never written.

    Gradients reach rows, coarse grid and layers, not the points. They go through the sampled
    features, made again on the way back, and are sums in a fixed order.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        layers: matrices [outputs, inputs] as of `torch.nn.Linear`, the first one on the channels.
        blend: as for `sample`, where features are written after all.

    Returns:
        [points, outputs of the last layer], before any activation.
    """
    if uses_triton(grid.rows):
        from .gpu.sparse_field import FusedDecode

        with torch.cuda.device_of(grid.rows):  # Triton launches on the current card
            return FusedDecode.apply(points, grid, grid.rows, grid.coarse, *layers)  # type: ignore[no-any-return,no-untyped-call]
    return network(sample(points, grid, blend), layers)


def network(feature: Tensor, layers: tuple[Tensor, ...]) -> Tensor:
    """[points, channels] through the layers, ReLU between them."""
    for matrix in layers[:-1]:
        feature = F.relu(F.linear(feature, matrix))
    return F.linear(feature, layers[-1])


def _nearest(grid: SparseGrid, flat: Tensor) -> Tensor:
    """Coarse features [..., channels] of the cells that hold fine voxels [...] (flat indices)."""
    ratio, cells = grid.resolution // grid.coarse.shape[-1], grid.coarse.shape[-1]
    axes = flat // grid.resolution**2, flat // grid.resolution, flat
    z, y, x = ((axis % grid.resolution // ratio).clamp(max=cells - 1) for axis in axes)
    return grid.coarse[:, z, y, x].movedim(0, -1).to(grid.rows.dtype)
