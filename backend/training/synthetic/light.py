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

from ...materials.environment_map import EnvironmentMap, pixel_directions
from ...materials.ggx import split_sum
from ...materials.spherical_harmonics import CLAMPED_COSINE, basis

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
        functions = basis(directions) * solid_angles[..., None]
        harmonics = np.einsum("hwk,hwc->kc", functions, surroundings) * CLAMPED_COSINE[:, None]
        small = EnvironmentMap(surroundings).shrunk(FILTERED_HEIGHT)
        centers, _ = pixel_directions(*small.radiance.shape[:2])
        irradiance = (basis(centers) @ harmonics).clip(0.0)
        reflected = [small.filtered(roughness).radiance for roughness in ROUGHNESS]
        return cls(
            lamps,
            _picture(background, device),
            _picture(irradiance, device),
            torch.stack([_picture(each, device) for each in reflected], dim=1),
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
        padded = _with_borders(self.reflected)
        across, down = _panorama_grid(directions, *self.reflected.shape[2:])
        depth = level * (2.0 / (len(ROUGHNESS) - 1)) - 1.0
        grid = torch.stack([across, down, depth], dim=1)[None, None, None]
        found = F.grid_sample(padded[None], grid, align_corners=True, padding_mode="border")
        return found[0, :, 0, 0].T


def look_up(picture: Tensor, directions: Tensor) -> Tensor:
    """Values [n, channels] of a panorama [channels, height, width] in unit directions [n, 3].

    The mapping is that of `EnvironmentMap`.
    """
    across, down = _panorama_grid(directions, *picture.shape[1:])
    grid = torch.stack([across, down], dim=1)[None, None]
    padded = _with_borders(picture)[None]
    found = F.grid_sample(padded, grid, align_corners=True, padding_mode="border")
    return found[0, :, 0].T


def reflectance(roughness: Tensor, cosine: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and bias of the split sum for roughness [n] and cosines to the view [n], [n] each."""
    table = _split_sums().to(roughness)
    grid = torch.stack([2.0 * cosine - 1.0, 2.0 * roughness - 1.0], dim=1)[None, None]
    found = F.grid_sample(table, grid, align_corners=True, padding_mode="border")
    return found[0, 0, 0], found[0, 1, 0]


@cache
def _split_sums() -> Tensor:
    """Scale and bias for even steps of roughness and cosine in 0..1, [1, 2, roughness, cosine]."""
    steps = np.linspace(0.0, 1.0, _STEPS)
    sums = [split_sum(max(float(roughness), 0.05), steps) for roughness in steps]
    table = np.stack([[each.scale for each in sums], [each.bias for each in sums]])
    return torch.from_numpy(table).float()[None]


def _picture(image: Floats, device: torch.device) -> Tensor:
    """[height, width, 3] as a tensor [3, height, width]."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    return torch.from_numpy(planes).float().to(device)


def _with_borders(picture: Tensor) -> Tensor:
    """A panorama [..., width] with its last column also in front, and its first behind."""
    return torch.cat([picture[..., -1:], picture, picture[..., :1]], dim=-1)


def _panorama_grid(directions: Tensor, *size: int) -> tuple[Tensor, Tensor]:
    """Where directions [n, 3] are in a panorama with borders, -1..1 across and down, [n] each."""
    height, width = size[-2:]
    x, y, z = directions.unbind(1)
    column = (0.5 - torch.atan2(y, x) / (2.0 * math.pi)) * width + 0.5
    row = (0.5 - torch.asin(z.clamp(-1.0, 1.0)) / math.pi) * height - 0.5
    return column * (2.0 / (width + 1)) - 1.0, row * (2.0 / (height - 1)) - 1.0
