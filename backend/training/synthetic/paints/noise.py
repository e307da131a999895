# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth random fields in space: random values at the corners of a lattice that repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PERIOD = 16
"""Cells after which the lattice repeats."""

_OCTAVE_SHIFT = 5.37


@dataclass(frozen=True)
class Noise:
    """A random field of cells of size 1, in -1..1.

    Attributes:
        lattice: [1, 1, PERIOD + 1, PERIOD + 1, PERIOD + 1], the last of each axis like the first.
    """

    lattice: Tensor

    @classmethod
    def random(cls, random: np.random.Generator, device: torch.device) -> Noise:
        """A field of its own."""
        values = torch.from_numpy(random.uniform(-1.0, 1.0, (1, 1, PERIOD, PERIOD, PERIOD)))
        return cls(F.pad(values, (0, 1, 0, 1, 0, 1), mode="circular").float().to(device))

    def at(self, points: Tensor, octaves: int = 1) -> Tensor:
        """Values at points [n, 3], [n]; every octave has half the cells and half the height."""
        total = torch.zeros_like(points[:, 0])
        for octave in range(octaves):
            scaled = points * 2.0**octave + octave * _OCTAVE_SHIFT
            total += self._one(scaled) * 0.5**octave
        return total / (2.0 - 0.5 ** (octaves - 1))

    def _one(self, points: Tensor) -> Tensor:
        cell = points.floor()
        share = points - cell
        smooth = share * share * (3.0 - 2.0 * share)  # no creases at the borders of cells
        grid = (cell.remainder(PERIOD) + smooth) * (2.0 / PERIOD) - 1.0
        found: Tensor = F.grid_sample(self.lattice, grid[None, None, None], align_corners=True)
        return found[0, 0, 0, 0]
