# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering and the field as the paper defines them: light along a ray, and eqs. (10) to (12).

As in `definitions`, every function is written to be read, and the tests of the kernels compare with
it.

Letters in shapes:
    S  samples of one ray, near to far
    P  points
    V  rows, one per kept voxel
    C  channels
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def ray_weights(thickness: Tensor) -> Tensor:
    """The share of a ray's light that ends at each sample, from optical thickness; [S] to [S]."""
    light, weights = torch.ones_like(thickness[:1]), [thickness[:0]]
    for sample in thickness.split(1):
        absorbed = light * (1 - torch.exp(-sample))
        weights.append(absorbed)
        light = light - absorbed
    return torch.cat(weights)


def blend_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """sum_k weights[p, k] rows[index[p, k]]; a negative index names a row of zeros.

    Args:
        rows: [V, C].
        index: [P, K] int64.
        weights: [P, K].

    Returns:
        [P, C].
    """
    padded = torch.cat([rows, torch.zeros_like(rows.sum(0, keepdim=True))])
    chosen = padded[torch.where(index < 0, len(rows), index)]
    return (weights[:, :, None] * chosen).sum(1)


def sample(
    points: Tensor, rows: Tensor, row_of_voxel: Tensor, coarse: Tensor, half_side: float
) -> Tensor:
    """Eq. (10): trilinear interpolation between the eight voxels around each point.

    A voxel that is not kept has the feature of the coarse cell it lies in.

    Args:
        points: [P, 3] (x, y, z); outside of the cube they are moved to its surface.
        rows: [V, C], the features of the kept voxels.
        row_of_voxel: [z, y, x] int, -1 for a voxel that is not kept. The outermost voxels lie on
            the faces of the cube.
        coarse: [C, z, y, x].
        half_side: of the cube.

    Returns:
        [P, C].
    """
    size = len(row_of_voxel)
    position = (0.5 * (points / half_side + 1)).clamp(0, 1) * (size - 1)
    low = position.floor().clamp(max=size - 2)
    feature = points.new_zeros(len(points), rows.shape[1])
    for corner in product((0, 1), repeat=3):
        upper = torch.tensor(corner, dtype=torch.bool)
        weight = torch.where(upper, position - low, low + 1 - position).prod(1, keepdim=True)
        x, y, z = (low.long() + upper).unbind(1)
        feature = feature + weight * _voxel(rows, row_of_voxel[z, y, x], coarse, (z, y, x), size)
    return feature


def decode(feature: Tensor, network: Sequence[Tensor]) -> Tensor:
    """Eqs. (11) and (12): linear maps without bias, and a ReLU between them.

    Args:
        feature: [P, C].
        network: matrices [outputs, inputs], the first one with C inputs.

    Returns:
        [P, outputs of the last matrix], before any activation.
    """
    for matrix in network[:-1]:
        feature = (feature @ matrix.T).relu()
    return feature @ network[-1].T


def _voxel(
    rows: Tensor, row: Tensor, coarse: Tensor, voxel: tuple[Tensor, Tensor, Tensor], size: int
) -> Tensor:
    """The features of voxels, [P, C]: their rows, or those of the coarse cells around them."""
    cells = coarse.shape[-1]
    z, y, x = ((axis // (size // cells)).clamp(max=cells - 1) for axis in voxel)
    one = torch.ones_like(row[:, None], dtype=rows.dtype)
    return torch.where(row[:, None] < 0, coarse[:, z, y, x].T, blend_rows(rows, row[:, None], one))
