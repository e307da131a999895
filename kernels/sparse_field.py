# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features sampled from the kept voxels of a fine grid, elsewhere from a coarse grid, and decoded.

Grid axes are [z, y, x], points (x, y, z). The outermost voxels lie on the faces of the cube.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .blending import blend_rows
from .core.dispatch import run_triton, uses_triton
from .core.sparse_grid import SparseGrid, corners

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Blend = Callable[[Tensor, Tensor, Tensor], Tensor]
    Network = Sequence[Tensor]


def sample(points: Tensor, grid: SparseGrid, blend: Blend = blend_rows) -> Tensor:
    """The trilinear feature of eq. (10), [points, 3] to [points, channels].

    QUIRK 15 (docs/deviations.md): a missing voxel takes the nearest coarse feature, not an
    interpolated one.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        blend: the weighted sum of rows, for callers that have a faster one for their device.
    """
    voxels, weights = corners(points, grid.bricks.resolution, grid.half_side)
    row = grid.bricks.rows(voxels)
    result = blend(grid.rows, row, weights)
    missing = row < 0
    partly = torch.nonzero(missing.any(1))[:, 0]
    if len(partly) == 0:
        return result
    nearest = grid.coarse.flatten(1).T[grid.cells(voxels[partly])]
    added = ((weights * missing)[partly, :, None] * nearest).sum(1)
    return result.index_add(0, partly, added.to(result.dtype))


def decode(
    points: Tensor, grid: SparseGrid, networks: Sequence[Network], blend: Blend = blend_rows
) -> Tensor:
    """Bias-free ReLU networks on the feature at each point, which the kernel never stores.

    Gradients reach rows, coarse grid and layers, not the points; they are sums in a fixed order.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        networks: the matrices [outputs, inputs] of each, as of `torch.nn.Linear`; the first one
            reads the channels.
        blend: as for `sample`, used by the reference implementation.

    Returns:
        [points, outputs of the last layers, network after network], before any activation.
    """
    if uses_triton(grid.rows):
        from .gpu.sparse_field import FusedDecode

        volume = grid, grid.rows, grid.coarse
        fused = [run_triton(FusedDecode.apply, points, *volume, *layers) for layers in networks]
        return torch.cat(fused, 1)
    return decode_features(sample(points, grid, blend), networks)


def decode_features(features: Tensor, networks: Sequence[Network]) -> Tensor:
    """[points, channels] through networks, ReLU between their layers; see `decode`."""
    found = []
    for *inner, last in networks:
        hidden = features
        for matrix in inner:
            hidden = F.relu(F.linear(hidden, matrix))
        found.append(F.linear(hidden, last))
    return torch.cat(found, 1)
