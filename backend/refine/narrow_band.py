# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The narrow band: the voxels near a surface, their neighbors, and grids made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.core.sparse_grid import Bricks, lower_corners

from ..field.gather import RowBlend
from ..field.grids import evaluate
from ..field.ray_sampling import Occupancy, RaySampler
from ..field.volumes import DenseVolume, SparseVolume

if TYPE_CHECKING:
    from collections.abc import Callable

COARSENING = 4  # voxels of the band along one side of a voxel of the dense volume behind it


@dataclass(frozen=True)
class NarrowBand:
    """Samples of a signed distance near its zero level set, one row each.

    Attributes:
        distance: the signed distance that the band is cut from, on the whole grid, [z, y, x].
        voxels: (z, y, x) of every row, [rows, 3].
        half_side: the grid spans [-half_side, half_side]^3, both ends included.
    """

    distance: Tensor
    voxels: Tensor
    half_side: float

    @classmethod
    def around(cls, distance: Tensor, width: float, half_side: float) -> NarrowBand:
        """The samples within `width` voxels of the surface."""
        spacing = 2 * half_side / (distance.shape[0] - 1)
        return cls(distance, torch.nonzero(distance.abs() < width * spacing), half_side)

    @property
    def spacing(self) -> float:
        """Between two samples, model units."""
        return 2 * self.half_side / (self.distance.shape[0] - 1)

    @cached_property
    def index(self) -> Tensor:
        """The row of every voxel, -1 where there is none, [z, y, x] int32."""
        index = torch.full_like(self.distance, -1, dtype=torch.int32)
        rows = torch.arange(len(self.voxels), dtype=torch.int32, device=index.device)
        index[tuple(self.voxels.T)] = rows
        return index

    @cached_property
    def points(self) -> Tensor:
        """Where the rows lie, (x, y, z), [rows, 3]."""
        return self.voxels.flip(1) * self.spacing - self.half_side

    @cached_property
    def neighbors(self) -> Tensor:
        """The rows before and behind along z, y and x, [rows, 6]; a missing one is the row."""
        padded = F.pad(self.index, (1, 1, 1, 1, 1, 1), value=-1)
        itself = torch.arange(len(self.voxels), device=padded.device)
        found = []
        for axis in range(3):
            for side in (0, 2):
                voxel = self.voxels + 1
                voxel[:, axis] += side - 1
                row = padded[tuple(voxel.T)].long()
                found.append(torch.where(row < 0, itself, row))
        return torch.stack(found, 1)

    @cached_property
    def inner(self) -> Tensor:
        """Rows that have all six neighbors, [inner]."""
        itself = torch.arange(len(self.voxels), device=self.neighbors.device)
        return torch.nonzero((self.neighbors != itself[:, None]).all(1))[:, 0]

    def gradients(self, values: Tensor) -> Tensor:
        """The gradient of values [rows] at the inner rows, along z, y and x, [3, inner]."""
        return self._differences(values[:, None]).view(3, -1)

    def normals(self, gradients: Tensor) -> Tensor:
        """Gradients [3, inner] in the order x, y, z, zero at the rim of the band, [rows, 3]."""
        along_xyz = gradients.flip(0).T
        return gradients.new_zeros(len(self.voxels), 3).index_copy(0, self.inner, along_xyz)

    def laplacian(self, values: Tensor) -> Tensor:
        """How far the neighbors' mean lies above each inner row, in voxels, [inner]."""
        mean = self._means(values[:, None])[:, 0]
        return mean - values.index_select(0, self.inner) / self.spacing

    @cached_property
    def _differences(self) -> RowBlend:
        """The central difference at the inner rows, along z of all, then along y, then along x."""
        ends = self._around.view(-1, 3, 2).transpose(0, 1).reshape(-1, 2)
        return self._blend(ends, self.distance.new_tensor([-0.5, 0.5]) / self.spacing)

    @cached_property
    def _means(self) -> RowBlend:
        """The mean of the six neighbors of the inner rows, in voxels."""
        return self._blend(self._around, self.distance.new_tensor([1 / 6] * 6) / self.spacing)

    @cached_property
    def _around(self) -> Tensor:
        """The neighbors of the inner rows, [inner, 6] int32, the type of sparse products."""
        return self.neighbors[self.inner].int()

    @cached_property
    def occupancy(self) -> Occupancy:
        """Cells whose eight corners are all rows, so that interpolation needs no other values."""
        kept = (self.index >= 0).float()[None, None]
        return Occupancy(-F.max_pool3d(-kept, 2, stride=1)[0, 0] > 0, self.half_side)

    @cached_property
    def sampler(self) -> RaySampler:
        """Samples rays once per voxel."""
        return RaySampler(self.half_side, self.spacing, self.occupancy)

    def corners(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The rows at the corners of the cells around points, and trilinear weights, [points, 8].

        The rows are int32, x fastest, and all -1 outside of the occupied cells.
        """
        (x, y, z), weights = lower_corners(points, len(self.index), self.half_side)
        side = len(self.occupancy.cells)
        cells = self._cells.index_select(0, (z * side + y) * side + x)
        return self._cell_corners.index_select(0, cells), weights

    @cached_property
    def _cells(self) -> Tensor:
        """The number of every occupied cell, from 1; zero for all others, [cells] int32."""
        occupied = self.occupancy.cells.flatten()
        return torch.where(occupied, occupied.cumsum(0), 0).int()

    @cached_property
    def _cell_corners(self) -> Tensor:
        """The rows at the corners of the occupied cells, x fastest; first of all, none, [n, 8]."""
        low = torch.nonzero(self.occupancy.cells)
        shifts = torch.cartesian_prod(*[torch.arange(2, device=low.device)] * 3)
        found = [self.index[tuple((low + shift).T)] for shift in shifts]
        missing = self.index.new_full((1, len(shifts)), -1)
        return torch.cat([missing, torch.stack(found, 1)])

    def row_distance(self) -> Tensor:
        """The signed distance of every row, [rows]."""
        return self.distance[tuple(self.voxels.T)]

    def filled(self, rows: Tensor) -> Tensor:
        """The whole grid [z, y, x] with new values [rows] in the band."""
        grid = self.distance.clone()
        grid[tuple(self.voxels.T)] = rows
        return grid

    def volume(self, rows: Tensor) -> SparseVolume:
        """The rows [rows, channels], signed distance first, as a volume over the whole box."""
        blocks = F.avg_pool3d(self.distance[None, None], COARSENING)[0]
        features = blocks.new_zeros(rows.shape[1], *blocks.shape[1:])
        features[0] = blocks[0]
        return SparseVolume(rows, Bricks(self.index), DenseVolume(features, self.half_side))

    def smoothed(self, values: Tensor) -> Tensor:
        """Values [rows] averaged with their neighbors' (one half itself), twice.

        Moving a surface by smoothed steps moves neighborhoods, not single voxels.
        """
        return self._averages(self._averages(values[:, None]))[:, 0]

    @cached_property
    def _averages(self) -> RowBlend:
        """Every row mixed with the mean of its neighbors, half and half."""
        itself = torch.arange(len(self.voxels), device=self.neighbors.device)
        index = torch.cat([itself[:, None], self.neighbors], 1).int()
        return self._blend(index, self.distance.new_tensor([1 / 2] + [1 / 12] * 6))

    def _blend(self, index: Tensor, shares: Tensor) -> RowBlend:
        """Rows blended with the same shares [k] everywhere."""
        weights = shares.expand(len(index), -1)
        return RowBlend(index, weights, len(self.voxels), many_gradients=True)


def sample_grid(
    signed_distance: Callable[[Tensor], Tensor], points: Tensor, resolution: int
) -> Tensor:
    """A signed distance at `points` [resolution^3, 3] (z slowest) as a grid [z, y, x]."""
    return evaluate(signed_distance, points).reshape(resolution, resolution, resolution)


def resampled(grid: Tensor, resolution: int) -> Tensor:
    """A grid [z, y, x] with another number of samples between the same ends."""
    size = (resolution,) * 3
    return F.interpolate(grid[None, None], size=size, mode="trilinear", align_corners=True)[0, 0]


def carved(
    grid: Tensor, bound: Callable[[Tensor], Tensor], width: float, half_side: float
) -> Tensor:
    """A signed distance [z, y, x] that nowhere lies below another one at points [n, 3].

    Only samples inside and up to `width` voxels outside are compared; the others are outside
    already.
    """
    spacing = 2 * half_side / (grid.shape[0] - 1)
    voxels = torch.nonzero(grid < width * spacing)
    result = grid.clone()
    points = voxels.flip(1) * spacing - half_side
    result[tuple(voxels.T)] = torch.maximum(grid[tuple(voxels.T)], bound(points))
    return result
