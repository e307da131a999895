# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays against a shape: where they meet it, and how much of the light along them it hides.

Steps are as long as the signed distance allows, so that nothing is stepped over that is thicker
than the shortest step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ...shared.cameras import MODEL_RADIUS

if TYPE_CHECKING:
    from torch import Tensor

    from .shapes.shape import Solid

MAX_STEPS = 256
GROWTH = 24.0
"""Steps after which the shortest step has doubled: rays that graze a surface would never end."""

STEPS_PER_COMPACTION = 4
"""Steps after which rays that have ended are taken out."""

OCCLUSION_STEPS = 14
SHORTEST_STEP = 0.01
"""Of rays that look for what hides a light, in model units."""

AMBIENT_REACH = (0.015, 0.04, 0.09, 0.18)
"""Distances along the normal at which is looked for what hides the surroundings."""


@dataclass(frozen=True)
class Rays:
    """Rays by where they start, and the part of them to be searched.

    Attributes:
        origins: [n, 3].
        directions: unit, [n, 3].
        near: distance along the ray at which the search begins, [n].
        far: at which it ends, [n]; rays with `far` below `near` meet nothing.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor

    @classmethod
    def through_sphere(cls, origins: Tensor, directions: Tensor) -> Rays:
        """Rays inside the sphere that all shapes lie in."""
        middle = -(origins * directions).sum(dim=1)
        squared = MODEL_RADIUS**2 - (origins + middle[:, None] * directions).square().sum(dim=1)
        half = squared.clamp_min(0.0).sqrt()
        far = torch.where(squared > 0.0, middle + half, torch.full_like(half, -1.0))
        return cls(origins, directions, (middle - half).clamp_min(0.0), far)

    def choose(self, index: Tensor) -> Rays:
        """Some of the rays."""
        return Rays(self.origins[index], self.directions[index], self.near[index], self.far[index])

    def at(self, distance: Tensor) -> Tensor:
        """Points [n, 3] at distances [n] along the rays."""
        return self.origins + distance[:, None] * self.directions


def trace(distance: Solid, rays: Rays, tolerance: float, spread: float = 0.0) -> Tensor:
    """The distance along each ray to the surface, [n]; infinite where there is none.

    A ray that has not come to an end after many steps is close to the surface, and has met it.

    Args:
        distance: of the shape, a lower bound.
        rays: to be followed.
        tolerance: model units from the surface at which a ray has met it.
        spread: radius of a cone around each ray, relative to the distance along it: the search
            ends where the surface may be inside of the cone.
    """
    found = torch.full_like(rays.near, torch.inf)
    index = torch.nonzero(rays.far > rays.near)[:, 0]
    along = rays.near[index]
    for step in range(MAX_STEPS):
        if step % STEPS_PER_COMPACTION == 0:
            searching = along <= rays.far[index]
            index, along = index[searching], along[searching]
            if len(index) == 0:
                return found
            active = rays.choose(index)
        gap = distance(active.at(along))
        limit = tolerance + spread * along
        hit = (gap <= limit) & (along <= active.far)
        found[index[hit]] = along[hit]
        # A ray that has ended leaves the sphere, and is taken out at the next opportunity.
        shortest = 0.0 if spread > 0.0 else tolerance * (1.0 + step / GROWTH)
        further = along + (gap - spread * along).clamp_min(shortest)
        along = torch.where(hit, active.far + 1.0, further)
    searching = along <= rays.far[index]
    found[index[searching]] = along[searching]
    return found


def lamp_visibility(distance: Solid, points: Tensor, direction: Tensor, angle: float) -> Tensor:
    """The share of a distant round lamp that is seen from points, [n] in 0..1.

    The nearest miss of a ray to the middle of the lamp says how much of its disk is hidden.

    Args:
        distance: of the shape.
        points: [n, 3], a little above the surface.
        direction: towards the lamp, unit, [3].
        angle: half the size of the lamp, radians.
    """
    visible = points.new_ones(len(points))
    index = torch.arange(len(points), device=points.device)
    along = torch.full_like(visible, SHORTEST_STEP)
    for _ in range(OCCLUSION_STEPS):
        at = points[index] + along[:, None] * direction
        gap = distance(at)
        share = 0.5 + 0.5 * gap / (angle * along)
        visible[index] = torch.minimum(visible[index], share.clamp(0.0, 1.0))
        along = along + gap.clamp_min(SHORTEST_STEP)
        goes_on = (visible[index] > 0.0) & (at.square().sum(dim=1) < MODEL_RADIUS**2)
        index, along = index[goes_on], along[goes_on]
        if len(index) == 0:
            break
    return visible * visible * (3.0 - 2.0 * visible)


def openness(distance: Solid, points: Tensor, normals: Tensor) -> Tensor:
    """The share of the surroundings that is seen from points, about, [n] in 0..1.

    Where the surface is open, the distance grows as fast as one moves away from it.
    """
    hidden = torch.zeros_like(points[:, 0])
    for number, reach in enumerate(AMBIENT_REACH):
        gap = distance(points + reach * normals).clamp_min(0.0)
        hidden += (1.0 - gap / reach).clamp_min(0.0) * 0.75**number
    total = sum(0.75**number for number in range(len(AMBIENT_REACH)))
    return (1.0 - hidden / total).clamp(0.03, 1.0)
