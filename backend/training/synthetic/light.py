# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light for made objects: a few distant lamps, which cast shadows, and what comes from all around.

The surroundings are a panorama, made or an HDR image. It is prefiltered for irradiance and for
reflections once, as pictures that a direction is looked up in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ...materials.environment_map import (
    EnvironmentMap,
    look_up,
    panorama_grid,
    pixel_directions,
    with_borders,
)
from ...materials.ggx import split_sums
from ...materials.spherical_harmonics import CLAMPED_COSINE, basis, scaled_by_degree

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

FILTERED_HEIGHT = 24
"""Rows of the pictures that reflections are looked up in."""

ROUGHNESS = (0.12, 0.3, 0.5, 0.75, 1.0)
"""Of the prefiltered pictures; between them values are interpolated."""

_STEPS = 24


@dataclass(frozen=True)
class Lamp:
    """A round lamp far away.

    Attributes:
        direction: towards it, unit, (x, y, z).
        angle: half of its size, radians.
        irradiance: linear RGB, on a surface that faces it.
    """

    direction: tuple[float, float, float]
    angle: float
    irradiance: tuple[float, float, float]

    def radiance(self, directions: Floats) -> Floats:
        """What is seen of it in unit directions [..., 3], [..., 3]."""
        away = np.arccos((directions @ np.array(self.direction)).clip(-1.0, 1.0))
        share = (0.5 + 4.0 * (1.0 - away / self.angle)).clip(0.0, 1.0)
        solid_angle = 2.0 * math.pi * (1.0 - math.cos(self.angle))
        seen: Floats = share[..., None] * np.array(self.irradiance) / solid_angle
        return seen


@dataclass(frozen=True)
class Light:
    """All light of an object, ready to be looked up.

    Attributes:
        lamps: that cast shadows.
        background: what is seen behind the object, linear, [3, height, width], lamps included.
        irradiance: on surfaces by their normal, without the lamps, [3, height, width].
        reflected: radiance in GGX lobes, without the lamps, [3, roughness, height, width].
    """

    lamps: tuple[Lamp, ...]
    background: Tensor
    irradiance: Tensor
    reflected: Tensor

    @classmethod
    def from_panorama(
        cls, surroundings: Floats, lamps: tuple[Lamp, ...], device: torch.device
    ) -> Light:
        """The light of a panorama [height, width, 3] and of lamps that it does not show."""
        height, width = surroundings.shape[:2]
        directions, solid_angles = pixel_directions(height, width)
        background = surroundings + sum(lamp.radiance(directions) for lamp in lamps)
        of_pixels = torch.from_numpy(surroundings * solid_angles[..., None]).flatten(0, 1)
        harmonics = basis(torch.from_numpy(directions)).flatten(0, 1).T @ of_pixels
        small = EnvironmentMap(surroundings).shrunk(FILTERED_HEIGHT)
        centers, _ = pixel_directions(*small.radiance.shape[:2])
        of_normals = scaled_by_degree(basis(torch.from_numpy(centers)), CLAMPED_COSINE)
        irradiance = (of_normals @ harmonics).clamp_min(0.0).permute(2, 0, 1)
        reflected = torch.stack([small.filtered(roughness) for roughness in ROUGHNESS], dim=1)
        return cls(
            lamps,
            torch.from_numpy(background).permute(2, 0, 1).float().contiguous().to(device),
            irradiance.float().contiguous().to(device),
            reflected.float().to(device),
        )

    def behind(self, directions: Tensor) -> Tensor:
        """Radiance from unit directions [n, 3], [n, 3]."""
        return look_up(self.background, directions)

    def irradiance_on(self, normals: Tensor) -> Tensor:
        """Irradiance without lamps on surfaces of unit normals [n, 3], [n, 3]."""
        return look_up(self.irradiance, normals)

    def in_lobes(self, directions: Tensor, roughness: Tensor) -> Tensor:
        """Radiance [n, 3] without lamps in lobes of roughness [n] around directions [n, 3]."""
        level = torch.zeros_like(roughness)
        for low, high in pairwise(ROUGHNESS):
            level += ((roughness - low) / (high - low)).clamp(0.0, 1.0)
        padded = with_borders(self.reflected)
        across, down = panorama_grid(directions, *self.reflected.shape[2:])
        depth = level * (2.0 / (len(ROUGHNESS) - 1)) - 1.0
        grid = torch.stack([across, down, depth], dim=1)[None, None, None]
        found = F.grid_sample(padded[None], grid, align_corners=True, padding_mode="border")
        return found[0, :, 0, 0].T


def reflectance(roughness: Tensor, cosine: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and bias of the split sum for roughness [n] and cosines to the view [n], [n] each."""
    table = _split_sums().to(roughness)
    grid = torch.stack([2.0 * cosine - 1.0, 2.0 * roughness - 1.0], dim=1)[None, None]
    found = F.grid_sample(table, grid, align_corners=True, padding_mode="border")
    return found[0, 0, 0], found[0, 1, 0]


@cache
def _split_sums() -> Tensor:
    """Scale and bias for even steps of roughness and cosine in 0..1, [1, 2, roughness, cosine]."""
    steps = torch.linspace(0.0, 1.0, _STEPS, dtype=torch.float64)
    return split_sums(steps.clamp_min(0.05).tolist(), steps).float()[None]
