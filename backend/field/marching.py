# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where rays are sampled: one fixed lattice of steps, kept where the middle is occupied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


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
        middles = (lattice[:-1] + lattice[1:]) / 2
        inside = (middles >= enter[:, None]) & (middles < leave[:, None])
        ray, number = torch.nonzero(inside, as_tuple=True)
        points = origins[ray] + directions[ray] * middles[number, None]
        samples = Samples(ray, lattice[number], lattice[number + 1], points)
        return samples if self.occupancy is None else _keep(samples, self.occupancy)

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
