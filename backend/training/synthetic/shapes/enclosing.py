# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sphere around a shape that is known by its signed distance, and points of its surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ....shared.cameras import Normalization

if TYPE_CHECKING:
    from torch import Tensor

    from .shape import Solid

CELLS = 28
"""Of the first grid, on each axis."""

ROUNDS = 2
"""In which cells are halved."""

MOVES = 60
"""Of the center of the sphere towards the farthest cell."""

FAR = 0.7
"""Of the largest distance from the middle of the box around points, below which they are inside."""

MARGIN = 0.02
"""Of the radius, between the object and the sphere."""


SEARCHED, NEWTON_STEPS = 48, 16
"""Points that are moved onto a surface, and how often."""


def enclose(distance: Solid, reach: float, device: torch.device) -> Normalization | None:
    """The similarity that moves a shape into the sphere of radius 0.5; None if there is no shape.

    Cells of a grid that may have surface are halved; the sphere is around all of those that are
    left. They are a little more than the surface, so nothing of it can be outside.

    Args:
        distance: a lower bound of the signed distance.
        reach: half the side of a cube around the origin that the shape lies in.
        device: to compute on.
    """
    half = reach / CELLS
    ticks = (torch.arange(CELLS, device=device) + 0.5) * (2.0 * half) - reach
    centers = torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1).reshape(-1, 3)
    centers = _with_surface(distance, centers, half)
    for _ in range(ROUNDS):
        if len(centers) == 0:
            return None
        half *= 0.5
        signs = torch.tensor([-1.0, 1.0], device=device)
        corners = torch.stack(torch.meshgrid(signs, signs, signs, indexing="ij"), -1).reshape(-1, 3)
        centers = (centers[:, None] + half * corners).reshape(-1, 3)
        centers = _with_surface(distance, centers, half)
    if len(centers) == 0:
        return None
    center = _middle(centers)
    radius = float((centers - center).norm(dim=1).max()) + half * 3**0.5
    return Normalization.from_sphere(center.cpu().double().numpy(), radius, MARGIN)


def _with_surface(distance: Solid, centers: Tensor, half: float) -> Tensor:
    """The cells, by their centers [n, 3], that the surface may reach."""
    return centers[distance(centers).abs() <= half * 3**0.5]


def _middle(points: Tensor) -> Tensor:
    """About the center [3] of the smallest sphere around points [n, 3] (Badoiu and Clarkson)."""
    center = 0.5 * (points.amin(dim=0) + points.amax(dim=0))
    away = (points - center).norm(dim=1)
    points = points[away >= FAR * away.max()]
    for move in range(1, MOVES + 1):
        farthest = points[(points - center).square().sum(dim=1).argmax()]
        center = center + (farthest - center) / (move + 1)
    return center


def surface_point(
    distance: Solid, radius: float, random: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """A random point [3] of a surface and the unit normal [3] there; None if none is found.

    Args:
        distance: of the shape.
        radius: of a sphere around the origin that it lies in.
        random: decides on the point.
        device: to compute on.
    """
    step = 1e-3 * radius
    start = random.normal(size=(SEARCHED, 3))
    start *= radius / np.linalg.norm(start, axis=1, keepdims=True)
    start *= random.uniform(0.3, 1.0, (SEARCHED, 1))
    points = torch.from_numpy(start).float().to(device)
    axes = step * torch.cat([torch.eye(3), -torch.eye(3)]).to(device)
    found = slope = points
    for _ in range(NEWTON_STEPS):
        around = distance((points[:, None] + axes).reshape(-1, 3)).reshape(-1, 6)
        slope = (around[:, :3] - around[:, 3:]) / (2.0 * step)
        found = around.mean(dim=1)
        scale = found / slope.square().sum(dim=1).clamp_min(0.05)
        points = points - scale[:, None] * slope
    good = torch.nonzero(found.abs() < 0.01 * radius)[:, 0]
    if len(good) == 0:
        return None
    chosen = good[int(random.integers(len(good)))]
    return points[chosen], torch.nn.functional.normalize(slope[chosen], dim=0)
