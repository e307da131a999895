# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points of a surface a camera sees, by rays against its triangles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree

POINTS = 600
"""Sampled on the surface; a part of a 600th of it has one."""

STEEPEST = math.cos(math.radians(75.0))
"""The least cosine between normal and view: beyond that a surface shows no detail."""

OFFSET = 1e-4
"""Of the start of rays from the surface, in radii."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points on both sides of a surface.

    Attributes:
        positions: [2 n, 3].
        normals: [2 n, 3] unit vectors; the second half are those of the first half, inverted.
    """

    positions: np.ndarray
    normals: np.ndarray


def surface_points(vertices: np.ndarray, triangles: np.ndarray) -> SurfacePoints:
    """Points spread over triangles [m, 3] by area, on both sides of each: sheets have two."""
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice_area = np.linalg.norm(cross, axis=1)
    random = np.random.default_rng(0)
    steps = (np.arange(POINTS) + random.random(POINTS)) / POINTS
    sums = np.cumsum(twice_area)
    chosen = np.searchsorted(sums, steps * sums[-1]).clip(0, len(triangles) - 1)
    a, b = random.random((2, POINTS, 1))
    a, b = np.where(a + b > 1.0, 1.0 - a, a), np.where(a + b > 1.0, 1.0 - b, b)
    first, second, third = np.moveaxis(corners[chosen], 1, 0)
    positions = first + a * (second - first) + b * (third - first)
    normals = cross[chosen] / np.maximum(twice_area[chosen], 1e-300)[:, None]
    return SurfacePoints(np.tile(positions, (2, 1)), np.concatenate([normals, -normals]))


class Visibility:
    """Rays against a surface.

    Args:
        vertices: [n, 3].
        triangles: [m, 3], one or more of them with an area.
        radius: of the object.
    """

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray, radius: float) -> None:
        self._tree = BVHTree.FromPolygons(vertices.tolist(), triangles.tolist(), all_triangles=True)
        self._points = surface_points(vertices, triangles)
        self._offset = OFFSET * radius

    def seen_from(self, positions: np.ndarray) -> np.ndarray:
        """Whether cameras at positions [cameras, 3] see the points, bool [points, cameras]."""
        points = self._points
        seen = np.zeros((len(points.positions), len(positions)), bool)
        starts = points.positions + self._offset * points.normals
        for camera, position in enumerate(positions):
            towards = position - starts
            distances = np.linalg.norm(towards, axis=1)
            towards /= distances[:, None]
            facing = (towards * points.normals).sum(axis=1) > STEEPEST
            for index in np.flatnonzero(facing):
                hit = self._tree.ray_cast(
                    Vector(starts[index]), Vector(towards[index]), distances[index]
                )
                seen[index, camera] = hit[0] is None
        return seen
