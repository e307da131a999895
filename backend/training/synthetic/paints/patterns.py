# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns on surfaces: where a second material lies on a first, as a coverage in 0..1.

A pattern takes points [n, 3] in the coordinates of a part, and the width of a sample there, over
which edges are softened. It returns [n].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from .lettering import Label
    from .noise import Noise


class Pattern(Protocol):
    """Where a material lies."""

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3], with edges about so wide."""


def soft_step(distance: Tensor, width: float) -> Tensor:
    """0 below zero and 1 above, with a slope between, a sample wide."""
    return (0.5 + distance / width).clamp(0.0, 1.0)


@dataclass(frozen=True)
class Stripes:
    """Stripes across an axis.

    Attributes:
        axis: unit, [3].
        spacing: from one to the next.
        share: of the spacing that a stripe takes.
        warp: moves the stripes by a noise, as in wood and marble; None leaves them straight.
        warping: how far, in units of the spacing.
    """

    axis: Tensor
    spacing: float
    share: float
    warp: Noise | None = None
    warping: float = 0.0

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        along = points @ self.axis / self.spacing
        if self.warp is not None:
            along = along + self.warping * self.warp.at(points / (2.0 * self.spacing), 3)
        middle = (along - along.floor() - 0.5).abs()
        return soft_step((0.5 * self.share - middle) * self.spacing, width)


@dataclass(frozen=True)
class Checks:
    """Cubes of two kinds, or the squares around an axis.

    Attributes:
        spacing: side of a cube.
        around: how many squares lie around z; 0 makes cubes.
    """

    spacing: float
    around: int = 0

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        coordinates = points / self.spacing
        softness = width / self.spacing
        if self.around:
            angle = torch.atan2(points[:, 1], points[:, 0]) * (self.around / math.tau)
            coordinates = torch.stack([angle, coordinates[:, 2]], dim=1)
        # The sign of a product of square waves, each with soft edges.
        waves = torch.sin(math.pi * coordinates) / (math.pi * softness)
        return 0.5 + 0.5 * waves.clamp(-1.0, 1.0).prod(dim=1)


@dataclass(frozen=True)
class Dots:
    """Balls at the corners of a lattice, cut by the surface.

    Attributes:
        spacing: of the lattice.
        radius: in units of the spacing.
    """

    spacing: float
    radius: float

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        scaled = points / self.spacing
        odd = scaled[:, 2].round().remainder(2.0)  # every second layer is shifted
        shift = torch.stack([0.5 * odd, 0.5 * odd, torch.zeros_like(odd)], dim=1)
        offset = scaled - shift
        away: Tensor = (offset - offset.round()).norm(dim=1)
        return soft_step((self.radius - away) * self.spacing, width)


@dataclass(frozen=True)
class Blotches:
    """Where a noise is above a threshold: stains, camouflage, speckles.

    Attributes:
        noise: the field.
        spacing: of its largest cells.
        threshold: in -1..1.
        octaves: of the noise.
    """

    noise: Noise
    spacing: float
    threshold: float
    octaves: int

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        found = self.noise.at(points / self.spacing, self.octaves) - self.threshold
        return soft_step(found * self.spacing * 0.5, width)


@dataclass(frozen=True)
class Band:
    """What lies between two heights along an axis.

    Attributes:
        axis: 0, 1 or 2.
        low: where it begins.
        high: where it ends.
    """

    axis: int
    low: float
    high: float

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        along = points[:, self.axis]
        return soft_step(torch.minimum(along - self.low, self.high - along), width)


@dataclass(frozen=True)
class Bricks:
    """The joints between bricks or tiles, on whichever side of the part a point lies.

    Attributes:
        spacing: height of a brick.
        joint: width of a joint.
    """

    spacing: float
    joint: float

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        row = (points[:, 2] / self.spacing).floor()
        along = (points[:, 0] + points[:, 1]) / (2.0 * self.spacing) + 0.5 * row
        level = points[:, 2] / self.spacing
        to_joint = torch.minimum(
            (level - level.round()).abs() * self.spacing,
            (along - along.round()).abs() * 2.0 * self.spacing,
        )
        return soft_step(0.5 * self.joint - to_joint, width)


@dataclass(frozen=True)
class Placement:
    """Where a label lies on a part: around z, or on the side of -y.

    Attributes:
        around: whether it follows the turn around z.
        radius: of the part, by which turns become lengths.
        turn: of the middle of the label around z, radians.
        middle: height of its middle.
        size: its width and height.
        repeated: around the part, as often as it fits.
    """

    around: bool
    radius: float
    turn: float
    middle: float
    size: tuple[float, float]
    repeated: bool = False

    def coordinates(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Place on the label (u, v in 0..1), and the distance to its border, inside positive."""
        width, height = self.size
        angle = torch.atan2(points[:, 1], points[:, 0]) - self.turn
        if self.around:
            across = (angle + math.pi).remainder(math.tau) - math.pi
            across = across * self.radius
        else:
            across = points[:, 0] * -math.sin(self.turn) + points[:, 1] * math.cos(self.turn)
        if self.repeated:
            count = max(1, int(math.tau * self.radius / width))
            step = math.tau * self.radius / count
            across = (across / step - (across / step).round()) * step
        up = points[:, 2] - self.middle
        border = torch.minimum(0.5 * width - across.abs(), 0.5 * height - up.abs())
        if not self.around:  # the far side shows no mirrored print
            facing = points[:, 0] * math.cos(self.turn) + points[:, 1] * math.sin(self.turn)
            border = torch.minimum(border, facing)
        return across / width + 0.5, up / height + 0.5, border


@dataclass(frozen=True)
class Sticker:
    """The ground of a label.

    Attributes:
        placement: on the part.
    """

    placement: Placement

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        return soft_step(self.placement.coordinates(points)[2], width)


@dataclass(frozen=True)
class Print:
    """The print of a label.

    Attributes:
        placement: on the part.
        label: what is printed.
    """

    placement: Placement
    label: Label

    def __call__(self, points: Tensor, width: float) -> Tensor:
        """Coverage [n] at points [n, 3]."""
        u, v, border = self.placement.coordinates(points)
        return self.label.at(u, v) * soft_step(border, width)
