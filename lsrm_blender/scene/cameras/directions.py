# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions from which an object is looked at: unit vectors from its center, +z up."""

from __future__ import annotations

import math

import numpy as np

from ....backend.shared import cameras

DENSE_DIRECTIONS = 1024
# The direction of a portrait: from the right of the front (-y), and from above.
PORTRAIT_AZIMUTH, PORTRAIT_ELEVATION = math.radians(-50.0), math.radians(20.0)
LOWEST_FROM_ABOVE = math.radians(5.0)
"""Elevation of the lowest of `upper_directions`: silhouettes from there still cut off the floor."""

RING_ELEVATIONS = tuple(math.radians(degrees) for degrees in (8.0, 35.0, 62.0))
FEWEST_ON_RINGS = 9
"""Directions below which there is one ring only, the middle one."""


def portrait_direction(turn: float = 0.0) -> np.ndarray:
    """The unit vector [3] towards the camera of a portrait, rotated about +z by `turn` radians."""
    return _direction(np.array(PORTRAIT_AZIMUTH + turn), np.array(PORTRAIT_ELEVATION))


def even_directions(count: int) -> np.ndarray:
    """A Fibonacci sphere [count, 3] that starts with its best portrait: view 0 is the preview."""
    return _portrait_first(cameras.fibonacci_sphere(count))


def upper_directions(count: int) -> np.ndarray:
    """Directions [count, 3] evenly over the upper half of the sphere, the best portrait first."""
    lowest = math.sin(LOWEST_FROM_ABOVE)
    heights = lowest + (np.arange(count) + 0.5) / count * (1.0 - lowest)
    azimuths = np.arange(count) * math.pi * (3.0 - math.sqrt(5.0))
    return _portrait_first(_direction(azimuths, np.arcsin(heights)))


def ring_directions(count: int) -> np.ndarray:
    """Directions [count, 3] on rings about +z, as a turntable gives them; best portrait first.

    Each ring has as many as its length gives it, and every second one is turned by half a step.
    """
    elevations = np.array(RING_ELEVATIONS if count >= FEWEST_ON_RINGS else RING_ELEVATIONS[1:2])
    ends = np.round(np.cumsum(np.cos(elevations)) / np.cos(elevations).sum() * count).astype(int)
    rings = []
    for index, on_ring in enumerate(np.diff(ends, prepend=0)):
        azimuths = (np.arange(on_ring) + 0.5 * (index % 2)) / on_ring * 2.0 * math.pi
        rings.append(_direction(azimuths, np.full(on_ring, elevations[index])))
    return _portrait_first(np.concatenate(rings))


def farthest_directions(taken: np.ndarray, count: int) -> np.ndarray:
    """Unit vectors [count, 3], each as far as possible from `taken` [n, 3] and each other."""
    dense = cameras.fibonacci_sphere(DENSE_DIRECTIONS)
    nearness = (dense @ taken.T).max(axis=1)
    chosen = []
    for _ in range(count):
        chosen.append(dense[int(nearness.argmin())])
        nearness = np.maximum(nearness, dense @ chosen[-1])
    return np.array(chosen).reshape(-1, 3)


def _direction(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Unit vectors [..., 3] of angles [...] in radians."""
    level = np.cos(elevation)
    parts = level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)
    return np.stack(parts, axis=-1)


def _portrait_first(directions: np.ndarray) -> np.ndarray:
    """The directions [n, 3] in their order, beginning with the best portrait."""
    return np.roll(directions, -int((directions @ portrait_direction()).argmax()), axis=0)
