# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed distances of simple solids and their unions, negative inside, of slope about 1.

Points are [n, 3] (x, y, z) with z up; every function returns [n].
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


def limb(points: Tensor, start: Point, end: Point, radii: tuple[float, float]) -> Tensor:
    """A straight limb with round ends; its radius changes linearly from one to the other."""
    first, axis = points.new_tensor(start), points.new_tensor(end) - points.new_tensor(start)
    along = ((points - first) @ axis / axis.square().sum()).clamp(0, 1)
    to_axis: Tensor = (points - first - along[:, None] * axis).norm(dim=1)
    radius: Tensor = radii[0] + along * (radii[1] - radii[0])
    return to_axis - radius


def ring(points: Tensor, center: Point, axis: int, radii: tuple[float, float]) -> Tensor:
    """A torus around a coordinate axis: the radii of the ring and of its tube."""
    offset = points - points.new_tensor(center)
    across = [index for index in range(3) if index != axis]
    radial = offset[:, across].norm(dim=1) - radii[0]
    return torch.hypot(radial, offset[:, axis]) - radii[1]


def turned(points: Tensor, profile: Sequence[tuple[float, float]], rounding: float) -> Tensor:
    """A body turned around z.

    Args:
        points: where the distance is evaluated.
        profile: corners (radius, z) of a closed polygon; it reaches beyond the axis to negative
            radii, so that the axis itself is no boundary.
        rounding: by which the polygon is grown.
    """
    radius, height = torch.hypot(points[:, 0], points[:, 1]), points[:, 2]
    squared = torch.full_like(radius, torch.inf)
    inside = torch.zeros_like(radius, dtype=torch.bool)
    for (r, z), (r_end, z_end) in zip(profile, [*profile[1:], profile[0]], strict=True):
        edge_r, edge_z = r_end - r, z_end - z
        from_r, from_z = radius - r, height - z
        along = (from_r * edge_r + from_z * edge_z) / (edge_r**2 + edge_z**2)
        along = along.clamp(0, 1)
        away = (from_r - along * edge_r) ** 2 + (from_z - along * edge_z) ** 2
        squared = torch.minimum(squared, away)
        if edge_z:
            between = (height >= z) != (height >= z_end)
            inside ^= between & (from_r < from_z * (edge_r / edge_z))
    nearest = squared.sqrt()
    return torch.where(inside, -nearest, nearest) - rounding


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


def smooth_union(parts: Sequence[Tensor], width: float) -> Tensor:
    """The union of solids, with fillets of about this width where they meet."""
    joined = parts[0]
    for part in parts[1:]:
        blend = (width - (joined - part).abs()).clamp_min(0) / width
        joined = torch.minimum(joined, part) - blend**2 * width / 4
    return joined
