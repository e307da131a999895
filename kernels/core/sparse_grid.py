# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kept voxels of a fine grid over a coarse grid, and the voxels around a point.

Grid axes are [z, y, x], points (x, y, z). The outermost voxels lie on the faces of the cube.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Bricks:
    """The kept voxels of a fine grid, as bricks: cubes of voxels, one after the other in rows.

    The voxels of brick b are rows b * side^3 to (b + 1) * side^3 - 1, x fastest.

    Attributes:
        numbers: [z, y, x] int, cubic: the brick at each position, -1 for none.
        side: voxels along an edge of a brick.
    """

    numbers: Tensor
    side: int = 1

    @property
    def resolution(self) -> int:
        """Fine voxels per side of the grid."""
        return self.numbers.shape[-1] * self.side

    def rows(self, voxels: Tensor) -> Tensor:
        """The rows of voxels, -1 where none is kept.

        Args:
            voxels: [points, 3, n] int32: of each point n voxels along x, y and z.

        Returns:
            [points, n^3], x fastest.
        """
        outer = _combined(voxels // self.side if self.side > 1 else voxels, self.numbers.shape[-1])
        # On a CPU, where this takes most of the time, it is several times as fast as brackets.
        brick = self.numbers.flatten().index_select(0, outer.flatten()).view_as(outer)
        if self.side == 1:
            return brick
        inner = _combined(voxels % self.side, self.side)
        return torch.where(brick < 0, -1, brick * self.side**3 + inner)


@dataclass(frozen=True)
class SparseGrid:
    """Rows of the kept voxels over the cube [-half_side, half_side]^3, and a coarse grid.

    Attributes:
        rows: [rows, channels].
        bricks: the voxels of these rows.
        coarse: [channels, z, y, x], cubic, with a whole number of fine voxels per cell.
        half_side: of the cube.
    """

    rows: Tensor
    bricks: Bricks
    coarse: Tensor
    half_side: float

    def cells(self, voxels: Tensor) -> Tensor:
        """The coarse cells that hold voxels, as flat indices [points, n^3]; see `Bricks.rows`."""
        side = self.coarse.shape[-1]
        ratio = self.bricks.resolution // side
        return _combined((voxels // ratio).clamp(max=side - 1), side)


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
    lower, weights = lower_corners(points, resolution, half_side)
    return torch.stack([lower, lower + 1], 2).movedim(1, 0), weights


def lower_corners(points: Tensor, resolution: int, half_side: float) -> tuple[Tensor, Tensor]:
    """The lowest of the eight voxels around points, int32 [3, points], and weights; see `corners`.

    On a CPU long rows of one axis are several times as fast as rows of three or eight numbers.
    """
    position = (0.5 * (points.T / half_side + 1)).clamp(0, 1) * (resolution - 1)
    low = position.floor().clamp(max=resolution - 2)
    x, y, z = position - low
    planes = [y_weight * x_weight for y_weight in (1 - y, y) for x_weight in (1 - x, x)]
    weights = [z_weight * plane for z_weight in (1 - z, z) for plane in planes]
    return low.int(), torch.stack(weights, 1)


def _combined(voxels: Tensor, side: int) -> Tensor:
    """Flat indices [points, n^3] into a cubic grid, of voxels [points, 3, n] along x, y and z."""
    x, y, z = voxels.permute(1, 2, 0)
    plane = (y[:, None] * side + x).flatten(0, 1)
    cells: Tensor = (z * side**2)[:, None] + plane
    return cells.flatten(0, 1).T.contiguous()
