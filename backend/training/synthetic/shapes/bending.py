# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coordinates that are folded, twisted, bent or tapered before a solid is evaluated in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

TWIST, BEND, TAPER = "twist", "bend", "taper"


@dataclass(frozen=True)
class Bending:
    """A deformation of the space around a solid.

    Attributes:
        kind: `TWIST` around z, `BEND` in the plane of z and x, `TAPER` along z.
        amount: radians per unit; of a taper, the change of scale per unit.
        radius: of the sphere around the origin that the solid lies in.
    """

    kind: str
    amount: float
    radius: float

    @property
    def slope(self) -> float:
        """A bound on how much faster distances change in the deformed coordinates."""
        turn = abs(self.amount) * self.radius
        if self.kind == TAPER:
            least = 1.0 - turn
            return 1.0 / least + turn / least**2
        return 0.5 * turn + math.hypot(1.0, 0.5 * turn) if self.kind == TWIST else 1.0 + turn

    def apply(self, points: Tensor) -> Tensor:
        """Points [n, 3] in the coordinates of the solid."""
        x, y, z = points.unbind(1)
        along = z.clamp(-self.radius, self.radius)
        if self.kind == TAPER:
            scale = 1.0 + self.amount * along
            return torch.stack([x / scale, y / scale, z], dim=1)
        angle = self.amount * along
        c, s = torch.cos(angle), torch.sin(angle)
        if self.kind == TWIST:
            return torch.stack([c * x - s * y, s * x + c * y, z], dim=1)
        return torch.stack([c * x - s * z, y, s * x + c * z], dim=1)


@dataclass(frozen=True)
class Symmetry:
    """Copies of a part by folding space, so that distances stay as they are.

    Attributes:
        mirrored: at the plane x = 0.
        turns: copies around z; every second one is mirrored.
    """

    mirrored: bool = False
    turns: int = 1

    def fold(self, points: Tensor) -> Tensor:
        """Points [n, 3] as the first copy has them."""
        if self.turns > 1:
            sector = math.tau / self.turns
            angle = torch.atan2(points[:, 1], points[:, 0])
            folded = (angle + 0.5 * sector).remainder(sector) - 0.5 * sector
            radius = torch.hypot(points[:, 0], points[:, 1])
            angle = folded.abs()
            flat = [radius * torch.cos(angle), radius * torch.sin(angle)]
            points = torch.stack([*flat, points[:, 2]], dim=1)
        if self.mirrored:
            points = torch.cat([points[:, :1].abs(), points[:, 1:]], dim=1)
        return points
