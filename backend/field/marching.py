# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rays are sampled: one fixed lattice of steps, kept where the middle is occupied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

RUN = 8  # lattice intervals that are looked up together before each is
COARSER = 8  # cells of the occupancy along one side of a cell that such a look-up reads


@dataclass(frozen=True)
class Samples:
    """Steps along rays, ray after ray, near to far."""

    ray: Tensor  # [samples] int64
    start: Tensor  # [samples] distance in units of the ray's direction
    end: Tensor  # [samples]
    points: Tensor  # [samples, 3] the middles


@dataclass(frozen=True)
class Occupancy:
    """Cells of the cube [-half_side, half_side]^3 that may hold something."""

    cells: Tensor  # [z, y, x] bool
    half_side: float

    def contains(self, points: Tensor) -> Tensor:
        """Whether the cell of a point (clamped into the cube) is occupied, [points] bool."""
        count = self.cells.shape[0]
        place = (points + self.half_side) / (2 * self.half_side) * count
        x, y, z = place.long().clamp(0, count - 1).unbind(1)
        return self.cells[z, y, x]

    def neighborhood(self, reach: float) -> Occupancy:
        """A coarser grid whose cell is occupied if any cell within `reach` of its points is."""
        count = self.cells.shape[0]
        coarse = max(1, count // COARSER)
        side = 2 * self.half_side / coarse
        grid = F.adaptive_max_pool3d(self.cells[None, None].float(), coarse)[0, 0] > 0
        return Occupancy(grid, self.half_side).dilated(int(np.ceil(reach / side)))

    def dilated(self, cells: int) -> Occupancy:
        """Grown by that many cells in every direction, corners included."""
        grid = self.cells[None, None].float()
        grown = F.max_pool3d(grid, 2 * cells + 1, stride=1, padding=cells)
        return Occupancy(grown[0, 0] > 0, self.half_side)


@dataclass(frozen=True)
class Marcher:
    """Samples rays at multiples of one step, counted from the camera."""

    half_side: float
    step: float
    occupancy: Occupancy | None = None  # None: the whole cube is occupied

    def sample(self, origins: Tensor, directions: Tensor) -> Samples:
        """The samples of some rays; memory grows with rays x steps, so ask in bounded pieces.

        Args:
            origins: [rays, 3] world units of the model.
            directions: [rays, 3], unit length unless the caller wants longer steps.
        """
        enter, leave = self._crossing(origins, directions)
        lattice = self._lattice(float(leave.max()) if leave.numel() else 0.0, origins)
        ray, number = self._candidates(origins, directions, lattice, enter, leave)
        middle = (lattice[number] + lattice[number + 1]) / 2
        inside = (middle >= enter[ray]) & (middle < leave[ray])
        ray, number, middle = ray[inside], number[inside], middle[inside]
        points = origins[ray] + directions[ray] * middle[:, None]
        samples = Samples(ray, lattice[number], lattice[number + 1], points)
        return samples if self.occupancy is None else _keep(samples, self.occupancy)

    def _candidates(
        self, origins: Tensor, directions: Tensor, lattice: Tensor, enter: Tensor, leave: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pairs (ray, lattice interval) that can hold a sample: whole runs of them at once.

        A run is dropped if it lies outside of the cube, or if no cell near its middle is
        occupied; which samples of the others are kept is decided one by one.
        """
        starts = torch.arange(0, len(lattice) - 1, RUN, device=lattice.device)
        ends = (starts + RUN).clamp(max=len(lattice) - 1)
        near, far = lattice[starts], lattice[ends]
        crosses = (far >= enter[:, None]) & (near <= leave[:, None])
        ray, run = torch.nonzero(crosses, as_tuple=True)
        if self.occupancy is not None:
            reach = 0.5 * RUN * self.step * float(directions.norm(dim=1).amax())
            middles = origins[ray] + directions[ray] * (0.5 * (near + far))[run, None]
            kept = self.occupancy.neighborhood(reach).contains(middles)
            ray, run = ray[kept], run[kept]
        number = starts[run, None] + torch.arange(RUN, device=lattice.device)
        exists = number < len(lattice) - 1
        return ray[:, None].expand_as(number)[exists], number[exists]

    def _crossing(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Distances at which rays enter and leave the cube, [rays] each, never behind them."""
        slope = torch.where(directions == 0, torch.finfo(directions.dtype).tiny, directions)
        faces = torch.stack(
            [(-self.half_side - origins) / slope, (self.half_side - origins) / slope]
        )
        enter = faces.amin(0).amax(1).clamp(min=0)
        return enter, faces.amax(0).amin(1)

    def _lattice(self, far: float, like: Tensor) -> Tensor:
        """0, step, 2 step, ... up to beyond `far`, accumulated in float32 as a marcher does."""
        count = max(0, int(np.ceil(far / self.step))) + 2
        steps = np.full(count, self.step, np.float32)
        steps[0] = 0
        return torch.from_numpy(np.cumsum(steps, dtype=np.float32)).to(like)


def _keep(samples: Samples, occupancy: Occupancy) -> Samples:
    kept = occupancy.contains(samples.points)
    return Samples(samples.ray[kept], samples.start[kept], samples.end[kept], samples.points[kept])
