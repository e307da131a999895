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
from .core.dispatch import uses_triton

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Blend = Callable[[Tensor, Tensor, Tensor], Tensor]
    Network = Sequence[Tensor]


@dataclass(frozen=True)
class Bricks:
    """Where the kept voxels of a fine grid are: cubes of voxels, one behind the other in rows.

    The voxels of brick b are rows b * side^3 to (b + 1) * side^3 - 1, x fastest.
    """

    numbers: Tensor  # [z, y, x] int, cubic: the brick in each place, -1 where there is none
    side: int = 1  # voxels along an edge

    @property
    def resolution(self) -> int:
        """Fine voxels per side of the grid."""
        return self.numbers.shape[-1] * self.side

    def rows(self, places: Tensor) -> Tensor:
        """The rows of voxels, -1 where none is kept.

        Args:
            places: [points, 3, n] int32: of each point n voxels along x, y and z.

        Returns:
            [points, n^3], x fastest.
        """
        outer = _combined(places // self.side if self.side > 1 else places, self.numbers.shape[-1])
        # Several times as fast as indexing with brackets on a CPU, where it takes most of the time.
        brick = self.numbers.flatten().index_select(0, outer.flatten()).view_as(outer)
        if self.side == 1:
            return brick
        inner = _combined(places % self.side, self.side)
        return torch.where(brick < 0, -1, brick * self.side**3 + inner)


@dataclass(frozen=True)
class SparseGrid:
    """Rows of the kept voxels over the cube [-half_side, half_side]^3, and a coarse grid."""

    rows: Tensor  # [rows, channels]
    bricks: Bricks  # whose rows these are
    coarse: Tensor  # [channels, z, y, x], cubic, with a whole number of fine voxels per cell
    half_side: float

    def cells(self, places: Tensor) -> Tensor:
        """The coarse cells that hold voxels, as flat indices [points, n^3]; see `Bricks.rows`."""
        side = self.coarse.shape[-1]
        ratio = self.bricks.resolution // side
        return _combined((places // ratio).clamp(max=side - 1), side)


def corners(points: Tensor, resolution: int, half_side: float) -> tuple[Tensor, Tensor]:
    """The voxels around points, clamped into the cube, and their trilinear weights.

    Args:
        points: [points, 3] (x, y, z), float32 or float64.
        resolution: voxels per side.
        half_side: of the cube.

    Returns:
        The lower and the upper voxel along x, y and z, int32 [points, 3, 2], and the weights of
        the eight corners, [points, 8], x fastest.
    """
    place = (0.5 * (points / half_side + 1)).clamp(0, 1) * (resolution - 1)
    low = place.floor().clamp(max=resolution - 2)
    fraction = place - low
    x_weight, y_weight, z_weight = torch.stack([1 - fraction, fraction], 2).unbind(1)
    plane = (y_weight[:, :, None] * x_weight[:, None]).flatten(1)
    weights = (z_weight[:, :, None] * plane[:, None]).flatten(1)
    lower = low.int()
    return torch.stack([lower, lower + 1], 2), weights


def sample(points: Tensor, grid: SparseGrid, blend: Blend = blend_rows) -> Tensor:
    """The trilinear feature of eq. (10), [points, 3] to [points, channels].

    QUIRK 15 (docs/deviations.md): a missing voxel takes the nearest coarse feature, not an
    interpolated one.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        blend: a weighted sum of rows, for callers who know a faster one where they are.
    """
    places, weights = corners(points, grid.bricks.resolution, grid.half_side)
    row = grid.bricks.rows(places)
    result = blend(grid.rows, row, weights)
    missing = row < 0
    partly = torch.nonzero(missing.any(1))[:, 0]
    if len(partly) == 0:
        return result
    nearest = grid.coarse.flatten(1).T[grid.cells(places[partly])]
    added = ((weights * missing)[partly, :, None] * nearest).sum(1)
    return result.index_add(0, partly, added.to(result.dtype))


def decode(
    points: Tensor, grid: SparseGrid, networks: Sequence[Network], blend: Blend = blend_rows
) -> Tensor:
    """Bias-free ReLU networks on the feature at each point; on a card it is never written.

    Gradients reach rows, coarse grid and layers, not the points; they are sums in a fixed order.

    Args:
        points: [points, 3] (x, y, z).
        grid: what is sampled.
        networks: of each the matrices [outputs, inputs] as of `torch.nn.Linear`, the first one on
            the channels.
        blend: as for `sample`, where features are written after all.

    Returns:
        [points, outputs of the last layers, network after network], before any activation.
    """
    if not uses_triton(grid.rows):
        return decode_features(sample(points, grid, blend), networks)
    from .gpu.sparse_field import FusedDecode

    with torch.cuda.device_of(grid.rows):  # Triton launches on the current card
        found = [
            FusedDecode.apply(points, grid, grid.rows, grid.coarse, *layers)  # type: ignore[no-untyped-call]
            for layers in networks
        ]
    return torch.cat(found, 1)


def decode_features(features: Tensor, networks: Sequence[Network]) -> Tensor:
    """[points, channels] through networks, ReLU between their layers; see `decode`."""
    found = []
    for *inner, last in networks:
        hidden = features
        for matrix in inner:
            hidden = F.relu(F.linear(hidden, matrix))
        found.append(F.linear(hidden, last))
    return torch.cat(found, 1)


def _combined(places: Tensor, side: int) -> Tensor:
    """Flat indices [points, n^3] into a cubic grid, of places [points, 3, n] along x, y and z."""
    x, y, z = places.unbind(1)
    plane = (y[:, :, None] * side + x[:, None]).flatten(1)
    return ((z * side**2)[:, :, None] + plane[:, None]).flatten(1)
