# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that surfaces send to a camera: diffuse and GGX, with shadows of lamps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...materials.ggx import DIELECTRIC_F0
from .light import reflectance
from .tracing import lamp_visibility, openness

if TYPE_CHECKING:
    from torch import Tensor

    from .light import Lamp, Light
    from .shapes.shape import Solid

ABOVE = 2e-3
"""How far above the surface, in model units, is looked for what hides light."""

MIRROR_REACH = 0.08
"""Distance in model units within which a surface hides what its neighborhood mirrors."""


@dataclass(frozen=True)
class Surface:
    """Points of a surface as a camera sees them.

    Attributes:
        points: [n, 3].
        normals: unit, towards the camera's side, [n, 3].
        views: unit, towards the camera, [n, 3].
        materials: base color, roughness, metallic, [n, 5].
    """

    points: Tensor
    normals: Tensor
    views: Tensor
    materials: Tensor

    @property
    def mirrored(self) -> Tensor:
        """The directions to the cameras mirrored at the normals, unit, [n, 3]."""
        cosine = (self.normals * self.views).sum(dim=1, keepdim=True)
        return F.normalize(2.0 * cosine * self.normals - self.views, dim=1)


@dataclass(frozen=True)
class Visibility:
    """How much of the light reaches points.

    Attributes:
        lamps: share of each lamp, [n, lamps].
        surroundings: share of what comes from all around, [n].
        mirrored: share of what comes from the mirrored direction, [n].
    """

    lamps: Tensor
    surroundings: Tensor
    mirrored: Tensor

    def at(self, index: Tensor) -> Visibility:
        """The visibility of points [m] by their numbers."""
        return Visibility(self.lamps[index], self.surroundings[index], self.mirrored[index])


def visibility(distance: Solid, surface: Surface, lamps: tuple[Lamp, ...]) -> Visibility:
    """Look from points of a surface for what hides the light."""
    points = surface.points + ABOVE * surface.normals
    seen = []
    for lamp in lamps:
        direction = points.new_tensor(lamp.direction)
        share = torch.zeros_like(points[:, 0])
        facing = torch.nonzero(surface.normals @ direction > 0.0)[:, 0]
        share[facing] = lamp_visibility(distance, points[facing], direction, lamp.angle)
        seen.append(share)
    # Halfway along the mirrored ray, to where it could meet the neighborhood.
    gap = distance(points + MIRROR_REACH * surface.mirrored).clamp_min(0.0)
    mirrored = (gap / (0.5 * MIRROR_REACH)).clamp(0.0, 1.0)
    shares = torch.stack(seen, dim=1) if seen else points.new_zeros(len(points), 0)
    return Visibility(shares, openness(distance, points, surface.normals), mirrored)


def shade(surface: Surface, light: Light, visible: Visibility) -> Tensor:
    """Radiance towards the cameras, linear RGB, [n, 3]."""
    base, roughness, metallic = (
        surface.materials[:, :3], surface.materials[:, 3], surface.materials[:, 4:],
    )  # fmt: skip
    cosine = (surface.normals * surface.views).sum(dim=1).clamp(1e-3, 1.0)
    at_front = torch.lerp(torch.full_like(base, DIELECTRIC_F0), base, metallic)
    scale, bias = reflectance(roughness, cosine)
    surroundings = visible.surroundings[:, None]
    irradiance = light.irradiance_on(surface.normals) * surroundings
    open_share = visible.mirrored * (0.4 + 0.6 * visible.surroundings)
    reflected = light.in_lobes(surface.mirrored, roughness) * open_share[:, None]
    reflected = reflected * (at_front * scale[:, None] + bias[:, None])
    for number, lamp in enumerate(light.lamps):
        arriving = _arriving(surface, lamp) * visible.lamps[:, number, None]
        irradiance = irradiance + arriving
        reflected = reflected + arriving * _ggx(surface, lamp, at_front)
    diffuse = base * (1.0 - metallic) * irradiance / math.pi
    return diffuse + reflected


def _arriving(surface: Surface, lamp: Lamp) -> Tensor:
    """Irradiance of a lamp on the surface without shadows, [n, 3]."""
    cosine = (surface.normals @ surface.normals.new_tensor(lamp.direction)).clamp_min(0.0)
    return cosine[:, None] * surface.normals.new_tensor(lamp.irradiance)


def _ggx(surface: Surface, lamp: Lamp, at_front: Tensor) -> Tensor:
    """The reflecting part of the BRDF for a lamp, [n, 3]; its size widens the lobe."""
    to_lamp = surface.normals.new_tensor(lamp.direction)
    alpha = (surface.materials[:, 3].square() + 0.25 * lamp.angle).clamp(4e-3, 1.0)
    half = F.normalize(surface.views + to_lamp, dim=1)
    squared = alpha.square()
    of_half = (surface.normals * half).sum(dim=1).clamp(0.0, 1.0)
    of_view = (surface.normals * surface.views).sum(dim=1).clamp(1e-3, 1.0)
    of_lamp = (surface.normals @ to_lamp).clamp(1e-3, 1.0)
    lobe = squared / (math.pi * (of_half.square() * (squared - 1.0) + 1.0).square())
    shadowing = 0.5 / (
        of_lamp * (of_view.square() * (1.0 - squared) + squared).sqrt()
        + of_view * (of_lamp.square() * (1.0 - squared) + squared).sqrt()
    )
    grazing = (1.0 - (surface.views * half).sum(dim=1).clamp(0.0, 1.0)) ** 5
    fresnel = at_front + (1.0 - at_front) * grazing[:, None]
    return (lobe * shadowing)[:, None] * fresnel
