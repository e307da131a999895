# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Height fields on the surfaces of solids: waves, grooves and flutes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Relief(Protocol):
    """A height over the surface of a solid, in its own coordinates."""

    @property
    def height(self) -> float:
        """The largest height, up or down."""

    @property
    def steepness(self) -> float:
        """A bound on the slope of the height."""

    def at(self, points: Tensor) -> Tensor:
        """The height at points [n, 3], [n]."""


@dataclass(frozen=True)
class Waves:
    """A sum of waves in many directions: dents, ripples, rough stone.

    Attributes:
        height: of all together.
        frequencies: [3, waves], radians per unit.
        phases: [waves].
        shares: of the height, [waves], together 1.
    """

    height: float
    frequencies: Tensor
    phases: Tensor
    shares: Tensor

    @property
    def steepness(self) -> float:
        """A bound on the slope of the height."""
        return self.height * float((self.frequencies.norm(dim=0) * self.shares).sum())

    def at(self, points: Tensor) -> Tensor:
        """The height at points [n, 3], [n]."""
        found: Tensor = torch.sin(points @ self.frequencies + self.phases) @ self.shares
        return self.height * found


@dataclass(frozen=True)
class Grooves:
    """Grooves across an axis, at even distances.

    Attributes:
        height: of the ridges, and depth of the grooves.
        axis: 0, 1 or 2.
        spacing: of the grooves.
        sharpness: above 1 the grooves are narrow and the ridges wide.
    """

    height: float
    axis: int
    spacing: float
    sharpness: float = 1.0

    @property
    def steepness(self) -> float:
        """A bound on the slope of the height."""
        return self.height * self.sharpness * math.tau / self.spacing

    def at(self, points: Tensor) -> Tensor:
        """The height at points [n, 3], [n]."""
        wave = torch.cos(points[:, self.axis] * (math.tau / self.spacing))
        return -self.height * (self.sharpness * (wave - 1.0) + 1.0).clamp_min(-1.0)


@dataclass(frozen=True)
class Flutes:
    """Flutes along z, around it, as of a column; they fade out towards the axis.

    Attributes:
        height: of the ridges, and depth of the flutes.
        count: of the flutes.
        radius: within which they fade out.
        turn: of the flutes around the axis, in radians per unit of z.
    """

    height: float
    count: int
    radius: float
    turn: float = 0.0

    @property
    def steepness(self) -> float:
        """A bound on the slope of the height."""
        around = self.count / self.radius
        return self.height * (math.hypot(around, self.count * self.turn) + 1.0 / self.radius)

    def at(self, points: Tensor) -> Tensor:
        """The height at points [n, 3], [n]."""
        angle = torch.atan2(points[:, 1], points[:, 0]) + self.turn * points[:, 2]
        fade = (torch.hypot(points[:, 0], points[:, 1]) / self.radius).clamp_max(1.0)
        return self.height * fade * torch.cos(self.count * angle)
