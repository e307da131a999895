# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint: the metallic-roughness material at every point of a part, in layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from .noise import Noise
    from .patterns import Pattern

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Coat:
    """One material.

    Attributes:
        base_color: linear, in 0..1.
        roughness: perceptual, in 0..1.
        metallic: in 0..1.
    """

    base_color: Color
    roughness: float
    metallic: float

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Base color, roughness and metallic."""
        return (*self.base_color, self.roughness, self.metallic)


@dataclass(frozen=True)
class Wear:
    """Uneven color and roughness: strokes of a brush, dust, fingerprints.

    Attributes:
        noise: the field.
        spacing: of its largest cells.
        shade: by which share the color changes.
        roughness: by how much the roughness changes.
    """

    noise: Noise
    spacing: float
    shade: float
    roughness: float


@dataclass(frozen=True)
class Paint:
    """The material of a part: a ground, layers over it, and wear over all.

    Attributes:
        ground: the material where no layer lies.
        layers: where others lie, the last one on top.
        wear: of all of them.
    """

    ground: Coat
    layers: tuple[tuple[Pattern, Coat], ...] = ()
    wear: Wear | None = None

    def at(self, points: Tensor, width: float) -> Tensor:
        """Linear base color, roughness and metallic at points [n, 3], [n, 5].

        Args:
            points: in the coordinates of the part.
            width: of a sample on the surface, over which edges are softened.
        """
        found = points.new_tensor(self.ground.values).expand(len(points), 5)
        for pattern, coat in self.layers:
            found = torch.lerp(
                found, points.new_tensor(coat.values), pattern(points, width)[:, None]
            )
        if self.wear is None:
            return found
        uneven = self.wear.noise.at(points / self.wear.spacing, 3)[:, None]
        shaded = found[:, :3] * (1.0 + self.wear.shade * uneven)
        roughness = found[:, 3:4] + self.wear.roughness * uneven
        return torch.cat([shaded, roughness.clamp_min(0.04), found[:, 4:]], dim=1).clamp(0.0, 1.0)
