# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random solids of every kind, of radius about 1 around their origins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..paints.recipes import Extent
from .outlines import STEEPEST, Outline, extruded_outline, turned_outline
from .solids import box, ellipsoid, limb, ring, rounded_profile, tube, turned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .shape import Solid
    from .solids import Point

FLATTEST = 0.4
"""Of the radii of an ellipsoid, relative to the largest."""

ELLIPSOID_SLOPE = 1.3
"""Of the distance of an ellipsoid as flat as that, at most; see the tests."""


@dataclass(frozen=True)
class Body:
    """A solid before it is placed.

    Attributes:
        solid: its distance.
        radius: of a sphere around the origin that it lies in.
        extent: for paint.
        slope: of the distance, at most.
    """

    solid: Solid
    radius: float
    extent: Extent
    slope: float = 1.0


def random_body(random: np.random.Generator, device: torch.device) -> Body:
    """A solid of any kind."""
    kinds: tuple[Callable[[np.random.Generator], Body], ...] = (
        ball, block, block, drum, drum, cone, capsule, hoop, wires,
    )  # fmt: skip
    number = int(random.integers(len(kinds) + 2))
    if number < len(kinds):
        return kinds[number](random)
    return (turned_body if number == len(kinds) else plate)(random, device)


def ball(random: np.random.Generator) -> Body:
    """A sphere or an ellipsoid."""
    if random.random() < 0.4:
        radii = np.ones(3)
    else:
        radii = random.uniform(FLATTEST, 1.0, 3)
        radii /= radii.max()
    x, y, z = radii.tolist()
    extent = Extent(max(x, y), -z, z, is_round=bool(abs(x - y) < 0.2))
    slope = 1.0 if x == y == z else ELLIPSOID_SLOPE
    return Body(partial(_ball, radii=(x, y, z)), 1.0, extent, slope)


def _ball(points: torch.Tensor, radii: Point) -> torch.Tensor:
    """An ellipsoid around the origin whose distance is a lower bound inside, too, for shells."""
    found = ellipsoid(points, (0.0, 0.0, 0.0), radii)
    inside = min(radii) * ((points / points.new_tensor(radii)).norm(dim=1) - 1.0)
    return torch.where(found < 0.0, torch.maximum(found, inside), found)


def block(random: np.random.Generator) -> Body:
    """A box, sharp or rounded."""
    half = random.uniform(0.15, 1.0, 3)
    half = half / np.linalg.norm(half)
    rounding = float(half.min()) * random.choice([0.02, 0.1, 0.3, 0.8])
    x, y, z = half.tolist()
    extent = Extent(max(x, y), -z, z, is_round=False)
    return Body(partial(box, half=(x, y, z), rounding=rounding), 1.0, extent)


def drum(random: np.random.Generator) -> Body:
    """A cylinder, sharp or rounded, from disk to rod."""
    angle = random.uniform(0.15, 1.42)
    radius, half = math.sin(angle), math.cos(angle)
    rounding = min(radius, half) * float(random.choice([0.03, 0.15, 0.6]))
    inner, upper = radius - rounding, half - rounding
    corners = [(-radius, -upper), (inner, -upper), (inner, upper), (-radius, upper)]
    extent = Extent(radius, -half, half, is_round=True)
    return Body(partial(turned, profile=corners, rounding=rounding), 1.0, extent)


def cone(random: np.random.Generator) -> Body:
    """A cone, pointed or cut off."""
    low, half = random.uniform(0.35, 0.8), random.uniform(0.3, 0.7)
    high = low * float(random.choice([0.03, random.uniform(0.2, 0.8)]))
    corners = [(-low, -half), (low, -half), (high, half), (-high, half)]
    extent = Extent(low, -half, half, is_round=True)
    solid = partial(turned, profile=corners, rounding=0.02)
    return Body(solid, math.hypot(low, half) + 0.03, extent)


def capsule(random: np.random.Generator) -> Body:
    """A limb with round ends of different radii."""
    first, second = random.uniform(0.12, 0.45, 2).tolist()
    half = 0.95 - max(first, second)
    solid = partial(limb, start=(0.0, 0.0, -half), end=(0.0, 0.0, half), radii=(first, second))
    slope = math.hypot(1.0, (second - first) / (2.0 * half))
    return Body(solid, 1.0, Extent(max(first, second), -0.95, 0.95, is_round=True), slope)


def hoop(random: np.random.Generator) -> Body:
    """A torus."""
    thick = float(random.uniform(0.06, 0.35))
    solid = partial(ring, center=(0.0, 0.0, 0.0), axis=2, radii=(1.0 - thick, thick))
    return Body(solid, 1.0, Extent(1.0, -thick, thick, is_round=True))


def wires(random: np.random.Generator) -> Body:
    """A frame of rods: the edges of a box, a prism or a pyramid, or a coil."""
    kind = int(random.integers(3))
    thick = float(random.uniform(0.03, 0.09))
    if kind == 0:
        starts, ends = _box_edges(random)
    elif kind == 1:
        starts, ends = _prism_edges(random)
    else:
        starts, ends = _coil(random)
    reach = max(math.hypot(*point) for point in (*starts, *ends)) + thick
    starts, ends = _shrunk(starts, reach), _shrunk(ends, reach)
    heights = [point[2] for point in (*starts, *ends)]
    extent = Extent(1.0, min(heights), max(heights), is_round=kind != 0)
    return Body(partial(tube, starts=starts, ends=ends, radius=thick / reach), 1.0, extent)


def _shrunk(points: list[Point], reach: float) -> list[Point]:
    return [(x / reach, y / reach, z / reach) for x, y, z in points]


def _box_edges(random: np.random.Generator) -> tuple[list[Point], list[Point]]:
    x, y, z = random.uniform(0.4, 1.0, 3).tolist()
    corners = [(i * x, j * y, k * z) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
    edges = [
        (a, b)
        for a, b in combinations(corners, 2)
        if sum(p != q for p, q in zip(a, b, strict=True)) == 1
    ]
    return [a for a, _ in edges], [b for _, b in edges]


def _prism_edges(random: np.random.Generator) -> tuple[list[Point], list[Point]]:
    """A prism, or a pyramid cut off."""
    count, half = int(random.integers(3, 8)), random.uniform(0.3, 1.0)
    above = float(random.choice([1.0, 0.5, 0.02]))
    rings: list[list[Point]] = []
    for radius, height in ((1.0, -half), (above, half)):
        turns = [math.tau * number / count for number in range(count)]
        rings.append([(radius * math.cos(t), radius * math.sin(t), height) for t in turns])
    low, high = rings
    starts = [*low, *high, *low]
    ends = [*low[1:], low[0], *high[1:], high[0], *high]
    return starts, ends


def _coil(random: np.random.Generator) -> tuple[list[Point], list[Point]]:
    turns, half = random.uniform(1.5, 3.5), random.uniform(0.4, 1.0)
    count = int(14 * turns)
    steps = np.linspace(0.0, 1.0, count + 1)
    angle = math.tau * turns * steps
    radius = random.uniform(0.35, 0.7)
    path = np.stack([radius * np.cos(angle), radius * np.sin(angle), half * (2 * steps - 1)], 1)
    points: list[Point] = [(x, y, z) for x, y, z in path.tolist()]
    return points[:-1], points[1:]


def turned_body(random: np.random.Generator, device: torch.device) -> Body:
    """A body turned on a lathe: a random profile, smooth or with steps."""
    count = int(random.integers(3, 7))
    heights = np.linspace(-0.85, 0.85, count)
    radii = random.uniform(0.18, 0.6, count)
    steps: list[tuple[float, float]] = []
    if random.random() < 0.4:  # steps, as of turned legs
        middles = [-0.85, *(0.5 * (heights[1:] + heights[:-1])).tolist(), 0.85]
        for number, radius in enumerate(radii.tolist()):
            steps += [(radius, middles[number]), (radius, middles[number + 1])]
    else:
        steps = list(zip(radii.tolist(), heights.tolist(), strict=True))
    return lathe([(-0.6, -0.85), *steps, (-0.6, 0.85)], int(random.integers(1, 4)), device)


def lathe(profile: Sequence[tuple[float, float]], rounds: int, device: torch.device) -> Body:
    """A body turned around z, by a profile (radius, z) that begins and ends behind the axis."""
    corners = rounded_profile(profile, rounds)
    outline = Outline.from_corners(corners, device)
    low, high = min(z for _, z in corners), max(z for _, z in corners)
    radius = max(r for r, _ in corners)
    reach = max(math.hypot(max(r, 0.0), z) for r, z in corners) + 0.02
    solid = partial(turned_outline, outline=outline, rounding=0.01)
    return Body(solid, reach, Extent(radius, low, high, is_round=True), STEEPEST)


def plate(random: np.random.Generator, device: torch.device) -> Body:
    """A flat section made thick: stars, gears, polygons, arrows, pebbles."""
    corners = _section(random)
    outline = Outline.from_corners(corners, device)
    half = float(random.uniform(0.06, 0.5))
    rounding = min(0.4 * half, float(random.choice([0.01, 0.05, 0.1])))
    reach = math.hypot(max(math.hypot(*corner) for corner in corners), half)
    solid = partial(extruded_outline, outline=outline, half=half, rounding=rounding)
    return Body(solid, reach, Extent(0.8, -half, half, is_round=False), STEEPEST)


def _section(random: np.random.Generator) -> list[tuple[float, float]]:
    """A closed polygon of radius at most 0.9."""
    count = int(random.integers(3, 10))
    turns = np.arange(2 * count) * math.pi / count
    kind = int(random.integers(3))
    if kind == 0:  # a star, or a gear
        radii = np.where(np.arange(2 * count) % 2 == 0, 0.9, random.uniform(0.4, 0.8))
    elif kind == 1:  # a regular polygon
        turns, radii = turns[::2], np.full(count, 0.9)
    else:  # a pebble
        radii = random.uniform(0.45, 0.9, 2 * count)
    corners = np.stack([radii * np.cos(turns), radii * np.sin(turns)], axis=1)
    found = [(x, y) for x, y in corners.tolist()]
    return rounded_profile(found, int(random.integers(3)))
