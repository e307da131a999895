# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples along rays: one fixed lattice of steps, kept where their middles are occupied."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .grids import dilated

RUNS = (64, 8)
"""Lattice intervals that are tested together before each is tested by itself."""

CELLS_PER_REACH = 2
"""Cells of a coarser occupancy that half a run spans, at least."""


@dataclass(frozen=True)
class Samples:
    """Steps along rays, ray after ray, near to far.

    Attributes:
        ray: [samples] int64, index of the ray.
        start: [samples], distance from the ray's origin in lengths of its direction.
        end: [samples], likewise.
        points: [samples, 3], the middles (x, y, z), world units of the model.
    """

    ray: Tensor
    start: Tensor
    end: Tensor
    points: Tensor


@dataclass(frozen=True)
class Occupancy:
    """Cells of the cube [-half_side, half_side]^3 that may hold something.

    Attributes:
        cells: [z, y, x] bool.
        half_side: of the cube, world units of the model.
    """

    cells: Tensor
    half_side: float

    def contains(self, points: Tensor) -> Tensor:
        """Whether the cell of a point (clamped into the cube) is occupied, [points] bool."""
        count = self.cells.shape[0]
        position = (points + self.half_side) / (2 * self.half_side) * count
        x, y, z = position.long().clamp(0, count - 1).unbind(1)
        return self.cells.flatten().index_select(0, (z * count + y) * count + x)

    def neighborhood(self, reach: float) -> Occupancy:
        """A coarser grid whose cell is occupied if any cell within `reach` of its points is."""
        count = self.cells.shape[0]
        cell = 2 * self.half_side / count
        coarse = max(1, count // max(1, int(reach / (CELLS_PER_REACH * cell))))
        side = 2 * self.half_side / coarse
        grid = F.adaptive_max_pool3d(self.cells[None, None].float(), coarse)[0, 0] > 0
        return Occupancy(grid, self.half_side).dilated(int(np.ceil(reach / side)))

    def dilated(self, cells: int) -> Occupancy:
        """Grown by that many cells in every direction, corners included."""
        return Occupancy(dilated(self.cells, cells), self.half_side)


@dataclass(frozen=True)
class RaySampler:
    """Samples rays at multiples of one step, counted from the camera.

    Attributes:
        half_side: of the cube in which rays are sampled, world units of the model.
        step: length of a sample, in lengths of the ray's direction.
        occupancy: where samples are kept; None for the whole cube.
    """

    half_side: float
    step: float
    occupancy: Occupancy | None = None

    def sample(self, origins: Tensor, directions: Tensor) -> Samples:
        """The samples of a chunk of rays; memory grows with rays x steps.

        Args:
            origins: [rays, 3] world units of the model.
            directions: [rays, 3], of unit length if there is an occupancy.
        """
        enter, leave = self._crossing(origins, directions)
        lattice = self._lattice(float(leave.max()) if leave.numel() else 0.0, origins)
        ray, number = self._candidates(origins, directions, lattice, enter, leave)
        start, end = lattice.index_select(0, number), lattice.index_select(0, number + 1)
        middle = (start + end) / 2
        inside = (middle >= enter.index_select(0, ray)) & (middle < leave.index_select(0, ray))
        ray, start, end, middle = _chosen(inside, ray, start, end, middle)
        samples = Samples(ray, start, end, _points(origins, directions, ray, middle))
        if self.occupancy is None:
            return samples
        kept = self.occupancy.contains(samples.points)
        return Samples(*_chosen(kept, ray, start, end, samples.points))

    @cached_property
    def _neighborhoods(self) -> list[Occupancy | None]:
        """For each of the `RUNS`, where its middle must lie for its samples to be tested."""
        if self.occupancy is None:
            return [None] * len(RUNS)
        return [self.occupancy.neighborhood(0.5 * run * self.step) for run in RUNS]

    def _candidates(
        self, origins: Tensor, directions: Tensor, lattice: Tensor, enter: Tensor, leave: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pairs (ray, lattice interval) that can hold a sample: long runs first, then their parts.

        A run is dropped if it lies outside of the cube, or if no cell near its middle is
        occupied; which samples of the others are kept is decided one by one.
        """
        last = len(lattice) - 1
        starts = torch.arange(0, last, RUNS[0], device=lattice.device)
        ray = torch.arange(len(origins), device=lattice.device).repeat_interleave(len(starts))
        number = starts.repeat(len(origins))
        for run, part, near in zip(RUNS, (*RUNS[1:], 1), self._neighborhoods, strict=True):
            begin = lattice.index_select(0, number)
            end = lattice.index_select(0, (number + run).clamp(max=last))
            kept = (end >= enter.index_select(0, ray)) & (begin <= leave.index_select(0, ray))
            ray, number, middle = _chosen(kept, ray, number, 0.5 * (begin + end))
            if near is not None:
                kept = near.contains(_points(origins, directions, ray, middle))
                ray, number = _chosen(kept, ray, number)
            parts = torch.arange(0, run, part, device=lattice.device)
            ray = ray.repeat_interleave(len(parts))
            number = (number[:, None] + parts).flatten()
            ray, number = _chosen(number < last, ray, number)
        return ray, number

    def _crossing(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Distances at which rays enter and leave the cube, [rays] each, never behind them."""
        slope = torch.where(directions == 0, torch.finfo(directions.dtype).tiny, directions)
        faces = torch.stack(
            [(-self.half_side - origins) / slope, (self.half_side - origins) / slope]
        )
        enter = faces.amin(0).amax(1).clamp(min=0)
        return enter, faces.amax(0).amin(1)

    def _lattice(self, far: float, like: Tensor) -> Tensor:
        """0, step, 2 step, ... up to beyond `far`, accumulated in float32 one step at a time."""
        count = max(0, int(np.ceil(far / self.step))) + 2
        steps = np.full(count, self.step, np.float32)
        steps[0] = 0
        return torch.from_numpy(np.cumsum(steps, dtype=np.float32)).to(like)


def _points(origins: Tensor, directions: Tensor, ray: Tensor, distance: Tensor) -> Tensor:
    """Points at distances [n] along some of the rays [n], [n, 3]."""
    return origins.index_select(0, ray) + directions.index_select(0, ray) * distance[:, None]


def _chosen(kept: Tensor, *columns: Tensor) -> tuple[Tensor, ...]:
    """The rows of columns [n, ...] that are kept [n] bool, which are looked up once for all."""
    rows = torch.nonzero(kept)[:, 0]
    return tuple(column.index_select(0, rows) for column in columns)
