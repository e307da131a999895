# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat outlines, tabulated once: as profiles of turned bodies and as sections of extruded ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from .solids import extruded, polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SIDE = 192
"""Of the table, in cells."""

STEEPEST = 1.1
"""The slope of distances that are interpolated between exact ones, near where they bend."""


@dataclass(frozen=True)
class Outline:
    """The signed distance of a flat shape in a square, bilinear between cells.

    Attributes:
        table: [1, 1, SIDE, SIDE], rows along y.
        reach: half of the side of the square; the shape lies inside.
    """

    table: Tensor
    reach: float

    @classmethod
    def from_corners(cls, corners: Sequence[tuple[float, float]], device: torch.device) -> Outline:
        """The outline of a closed polygon."""
        reach = 1.1 * max(max(abs(x), abs(y)) for x, y in corners)
        ticks = torch.linspace(-reach, reach, SIDE, device=device)
        y, x = torch.meshgrid(ticks, ticks, indexing="ij")
        distance = polygon(x.flatten(), y.flatten(), corners)
        return cls(distance.reshape(1, 1, SIDE, SIDE), reach)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance at points of the plane, [n]; outside of the square a lower bound."""
        at = torch.stack([x, y], dim=1)
        inside = at.clamp(-self.reach, self.reach)
        grid = (inside / self.reach)[None, None]
        found = F.grid_sample(self.table, grid, align_corners=True)[0, 0, 0]
        # The shape lies on the other side of the square's border: the angle there is not acute.
        away = (at - inside).square().sum(dim=1)
        return torch.where(away > 0, (away + found.square()).sqrt(), found)


def turned_outline(points: Tensor, outline: Outline, rounding: float) -> Tensor:
    """A body turned around z, by its outline (radius, z)."""
    radius = torch.hypot(points[:, 0], points[:, 1])
    return outline.distance(radius, points[:, 2]) - rounding


def extruded_outline(points: Tensor, outline: Outline, half: float, rounding: float) -> Tensor:
    """A body of one section (x, y) along z; `half` of its height."""
    flat = outline.distance(points[:, 0], points[:, 1])
    return extruded(flat, points[:, 2], half, rounding)
