# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed distances of simple solids and their unions, negative inside, of slope at most 1.

Points are [n, 3] (x, y, z) with z up; every function returns [n]. Only an ellipsoid is steeper, see
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Point = tuple[float, float, float]


def ellipsoid(points: Tensor, center: Point, radii: Point) -> Tensor:
    """An ellipsoid with axes along x, y, z; exact for a sphere, of first order otherwise."""
    scaled = (points - points.new_tensor(center)) / points.new_tensor(radii)
    length = scaled.norm(dim=1)
    slope = (scaled / points.new_tensor(radii)).norm(dim=1)
    distance: Tensor = length * (length - 1) / slope.clamp_min(1e-6)
    return distance


def box(points: Tensor, half: Point, rounding: float) -> Tensor:
    """A box around the origin with rounded edges; `half` of its sides, the rounding included."""
    beyond = points.abs() - (points.new_tensor(half) - rounding)
    outside: Tensor = beyond.clamp_min(0).norm(dim=1)
    return outside + beyond.amax(dim=1).clamp_max(0) - rounding


def limb(points: Tensor, start: Point, end: Point, radii: tuple[float, float]) -> Tensor:
    """A straight limb with round ends; its radius changes linearly from one to the other."""
    first, axis = points.new_tensor(start), points.new_tensor(end) - points.new_tensor(start)
    along = ((points - first) @ axis / axis.square().sum()).clamp(0, 1)
    to_axis: Tensor = (points - first - along[:, None] * axis).norm(dim=1)
    radius: Tensor = radii[0] + along * (radii[1] - radii[0])
    return to_axis - radius


def tube(points: Tensor, starts: Sequence[Point], ends: Sequence[Point], radius: float) -> Tensor:
    """Rods with round ends, all of one radius: edges of a frame, pieces of a curve."""
    first = points.new_tensor(starts)
    axes = points.new_tensor(ends) - first
    lengths = axes.square().sum(dim=1)
    from_first = points @ axes.T - (first * axes).sum(dim=1)
    along = (from_first / lengths).clamp(0, 1)
    squared = (points[:, None] - first - along[..., None] * axes).square().sum(dim=2)
    return squared.amin(dim=1).sqrt() - radius


def ring(points: Tensor, center: Point, axis: int, radii: tuple[float, float]) -> Tensor:
    """A torus around a coordinate axis: the radii of the ring and of its tube."""
    offset = points - points.new_tensor(center)
    across = [index for index in range(3) if index != axis]
    radial = offset[:, across].norm(dim=1) - radii[0]
    return torch.hypot(radial, offset[:, axis]) - radii[1]


def polygon(x: Tensor, y: Tensor, corners: Sequence[tuple[float, float]]) -> Tensor:
    """A closed polygon in the plane, by its corners (x, y); x and y are [n]."""
    squared = torch.full_like(x, torch.inf)
    inside = torch.zeros_like(x, dtype=torch.bool)
    for (start_x, start_y), (end_x, end_y) in zip(corners, [*corners[1:], corners[0]], strict=True):
        edge_x, edge_y = end_x - start_x, end_y - start_y
        from_x, from_y = x - start_x, y - start_y
        along = (from_x * edge_x + from_y * edge_y) / (edge_x**2 + edge_y**2)
        along = along.clamp(0, 1)
        away = (from_x - along * edge_x) ** 2 + (from_y - along * edge_y) ** 2
        squared = torch.minimum(squared, away)
        if edge_y:
            between = (y >= start_y) != (y >= end_y)
            inside ^= between & (from_x < from_y * (edge_x / edge_y))
    nearest = squared.sqrt()
    return torch.where(inside, -nearest, nearest)


def turned(points: Tensor, profile: Sequence[tuple[float, float]], rounding: float) -> Tensor:
    """A body turned around z.

    Args:
        points: where the distance is evaluated.
        profile: corners (radius, z) of a closed polygon; it reaches beyond the axis to negative
            radii, so that the axis itself is no boundary.
        rounding: by which the polygon is grown.
    """
    return polygon(torch.hypot(points[:, 0], points[:, 1]), points[:, 2], profile) - rounding


def rounded_profile(
    profile: Sequence[tuple[float, float]], rounds: int = 2
) -> list[tuple[float, float]]:
    """A closed polygon with its corners cut off several times (Chaikin)."""
    corners = torch.tensor(profile, dtype=torch.float64)
    for _ in range(rounds):
        following = corners.roll(-1, 0)
        cut = [0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following]
        corners = torch.stack(cut, dim=1).reshape(-1, 2)
    return [(float(radius), float(height)) for radius, height in corners]


def extruded(outline: Tensor, across: Tensor, half: float, rounding: float) -> Tensor:
    """A flat outline made into a body.

    Args:
        outline: its distances in the plane, [n].
        across: the coordinate along which it is extruded, [n].
        half: of the height of the body, the rounding included.
        rounding: of its edges.
    """
    beyond = torch.stack([outline + rounding, across.abs() - (half - rounding)], dim=1)
    outside: Tensor = beyond.clamp_min(0).norm(dim=1)
    return outside + beyond.amax(dim=1).clamp_max(0) - rounding


def smooth_union(parts: Sequence[Tensor], width: float) -> Tensor:
    """The union of solids, with fillets of about this width where they meet."""
    joined = parts[0]
    for part in parts[1:]:
        blend = (width - (joined - part).abs()).clamp_min(0) / width
        joined = torch.minimum(joined, part) - blend**2 * width / 4
    return joined
