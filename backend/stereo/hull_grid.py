# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The visual hull on voxels, cropped to the object, and the rays of the views through them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ..field.grids import evaluate, grid_points

if TYPE_CHECKING:
    from ..field.field import PointFunction
    from .prepared_views import StereoViews

RESOLUTION = 128
"""Voxels along one side of the model's box."""

SEARCH_RESOLUTION = 48
MARGIN = 3
"""Voxels around the hull."""


@dataclass(frozen=True)
class HullGrid:
    """Samples of the hull's signed distance around the object.

    Attributes:
        distance: negative inside, [z, y, x].
        origin: of the first sample, (x, y, z), [3].
        spacing: between samples, model units.
    """

    distance: Tensor
    origin: Tensor
    spacing: float

    @classmethod
    def from_hull(
        cls, hull: PointFunction, half_side: float, device: torch.device | None = None
    ) -> HullGrid:
        """Sample a hull where it is; the grid is part of one with both ends of the box.

        Args:
            hull: signed distance, on the device.
            half_side: the box is [-half_side, half_side]^3.
            device: of the grid; the CPU if it is None.
        """
        everywhere = grid_points(half_side, SEARCH_RESOLUTION, "xyz", device)
        step = 2 * half_side / (SEARCH_RESOLUTION - 1)
        points = everywhere[evaluate(hull, everywhere) < step]
        spacing = 2 * half_side / (RESOLUTION - 1)
        if len(points) == 0:
            points = torch.zeros(1, 3, device=device)
        lowest = ((points.amin(0) - step + half_side) / spacing).floor().long() - MARGIN
        highest = ((points.amax(0) + step + half_side) / spacing).ceil().long() + MARGIN
        lines = [
            torch.arange(first, last + 1, device=device).float() * spacing - half_side
            for first, last in zip(lowest.tolist(), highest.tolist(), strict=True)
        ]
        z, y, x = torch.meshgrid(lines[2], lines[1], lines[0], indexing="ij")
        distance = evaluate(hull, torch.stack([x, y, z], -1).view(-1, 3)).view(x.shape)
        return cls(distance, torch.stack([line[0] for line in lines]), spacing)

    @cached_property
    def inside(self) -> Tensor:
        """Samples inside the hull, boolean [z, y, x]."""
        return self.distance < 0

    @cached_property
    def size(self) -> Tensor:
        """Samples along x, y and z, [3]."""
        return torch.tensor(self.distance.shape, device=self.distance.device).flip(0)

    def points(self, chosen: Tensor) -> Tensor:
        """Where chosen samples (boolean [z, y, x]) are, (x, y, z), [n, 3]."""
        return torch.nonzero(chosen).flip(1) * self.spacing + self.origin

    def index(self, points: Tensor) -> Tensor:
        """The flat index of the sample nearest to each point [n, 3]; their number beyond the grid.

        Axis by axis, in half the bytes of an index: there are millions of points.
        """
        index = torch.zeros(len(points), dtype=torch.int32, device=points.device)
        within = torch.ones_like(index, dtype=torch.bool)
        for axis in (2, 1, 0):
            count = self.distance.shape[2 - axis]
            voxel = ((points[:, axis] - self.origin[axis]) / self.spacing).round_()
            within &= (voxel >= 0) & (voxel < count)
            index.mul_(count).add_(voxel.int())
        return index.masked_fill_(~within, self.distance.numel())

    def sample(self, values: Tensor, points: Tensor) -> Tensor:
        """Trilinear values [n] of a grid [z, y, x] at points [n, 3]; the border repeats."""
        at = 2 * (points - self.origin) / (self.spacing * (self.size.to(points) - 1)) - 1
        grid = at[None, None, None]
        sampled = F.grid_sample(values[None, None], grid, padding_mode="border", align_corners=True)
        return sampled[0, 0, 0, 0]


@dataclass(frozen=True)
class GridRays:
    """The rays of one view's object pixels, sampled once per voxel.

    Attributes:
        index: flat voxel index of every sample, the number of voxels beyond the grid, int32
            [rays, samples].
        depth: of the first sample of every ray, [rays].
        step: in depth between two samples, [rays].
    """

    index: Tensor
    depth: Tensor
    step: Tensor

    @classmethod
    def from_view(cls, views: StereoViews, view: int, grid: HullGrid) -> GridRays:
        """Sample the rays of a view over the sphere around the grid."""
        rays = views.rays(view)
        length = rays.norm(dim=1)
        extent = grid.size * grid.spacing
        middle = grid.origin + 0.5 * extent
        radius = 0.5 * float(extent.norm())
        _, depth = views.project(view, middle[None])
        step = grid.spacing / length
        count = int(2 * radius / grid.spacing) + 1
        first = (depth - radius / length).clamp_min(0.0)
        depths = first[:, None] + step[:, None] * torch.arange(count, device=step.device)
        camera = (rays[:, None] * depths[..., None]).view(-1, 3)
        points = views.to_model(view, camera)
        return cls(grid.index(points).view(len(rays), count), first, step)

    def choose(self, rays: Tensor) -> GridRays:
        """Some of the rays."""
        return GridRays(self.index[rays], self.depth[rays], self.step[rays])

    def values(self, grid: Tensor, beyond: float) -> Tensor:
        """A grid [z, y, x] along all rays, [rays, samples]."""
        flat = torch.cat([grid.flatten(), grid.new_full((1,), beyond)])
        return flat.index_select(0, self.index.flatten()).view(self.index.shape)

    def first(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Depth [rays] of the first chosen sample of a grid (boolean); and whether there is one."""
        met, sample = self.values(chosen, beyond=False).max(1)
        return self.depth + self.step * sample, met

    def limits(self, grid: HullGrid) -> Tensor:
        """Least and greatest inverse depth inside the hull, a sample more on each side, [rays, 2].

        A ray that misses the hull's samples may be anywhere along the grid.
        """
        found = self.values(grid.inside, beyond=False)
        last = found.shape[1] - 1
        met, near = found.max(1)
        far = last - found.flip(1).max(1).indices
        near = torch.where(met, near - 1, 0)
        far = torch.where(met, far + 1, last)
        depths = self.depth[:, None] + self.step[:, None] * torch.stack([far, near], 1)
        return 1 / depths.clamp_min(1e-3)
