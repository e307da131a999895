# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that captures have by default: a photographer's studio of soft boxes, computed.

It is neutral gray, lights every side, and is known exactly, so that materials can be estimated. A
white matt surface is bright from all sides and clipped from none. The boxes differ in size and
strength, so that reflections of them differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HEIGHT = 256
"""Of the panorama, in pixels."""

WALLS = 0.36
"""Radiance between the boxes."""


@dataclass(frozen=True)
class SoftBox:
    """A rectangle of even light, far away, that faces the center.

    Attributes:
        azimuth: of its middle, in degrees about +z from +x, counter-clockwise.
        elevation: of its middle, in degrees above the horizon.
        width: of half of it, as the tangent of an angle.
        height: of half of it, as the tangent of an angle.
        radiance: added to that of the walls.
        edge: over which it fades out, in the units of its width.
    """

    azimuth: float
    elevation: float
    width: float
    height: float
    radiance: float
    edge: float = 0.06


BOXES = (
    SoftBox(azimuth=-130.0, elevation=24.0, width=0.42, height=0.55, radiance=1.7),
    SoftBox(azimuth=-25.0, elevation=15.0, width=0.50, height=0.50, radiance=1.1),
    SoftBox(azimuth=60.0, elevation=22.0, width=0.30, height=0.60, radiance=1.7),
    SoftBox(azimuth=150.0, elevation=12.0, width=0.42, height=0.50, radiance=1.35),
    SoftBox(azimuth=-90.0, elevation=88.0, width=0.40, height=0.40, radiance=0.55),
    SoftBox(azimuth=20.0, elevation=-62.0, width=0.60, height=0.60, radiance=0.65),
)
"""The front of an object is -y: the first box stands in front of it, on the left. The last one lies
below, because some views look from there."""


def soft_box_panorama(height: int = HEIGHT) -> np.ndarray:
    """The light, [height, 2 height, 3] float32, linear radiance, in Blender's mapping."""
    directions = _directions(height)
    radiance = np.full(directions.shape[:2], WALLS)
    for box in BOXES:
        radiance += box.radiance * _coverage(box, directions)
    return np.repeat(radiance[..., None], 3, axis=-1).astype(np.float32)


def _directions(height: int) -> np.ndarray:
    """Unit vectors [height, 2 height, 3] of the pixels of a panorama."""
    azimuth = math.pi - (np.arange(2 * height) + 0.5) * math.pi / height
    elevation = 0.5 * math.pi - (np.arange(height) + 0.5) * math.pi / height
    level = np.cos(elevation)[:, None]
    z = np.broadcast_to(np.sin(elevation)[:, None], (height, 2 * height))
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), z], axis=-1)


def _coverage(box: SoftBox, directions: np.ndarray) -> np.ndarray:
    """How much of a box lies in each direction, 0..1."""
    azimuth, elevation = math.radians(box.azimuth), math.radians(box.elevation)
    right = np.array((-math.sin(azimuth), math.cos(azimuth), 0.0))
    middle = np.array((math.cos(azimuth), math.sin(azimuth), 0.0)) * math.cos(elevation)
    middle[2] = math.sin(elevation)
    depth = directions @ middle
    ahead = depth > 0.0
    depth = np.where(ahead, depth, 1.0)
    x = np.abs(directions @ right) / depth
    y = np.abs(directions @ np.cross(middle, right)) / depth
    inside = [0.5 + (half - side) / box.edge for half, side in ((box.width, x), (box.height, y))]
    return ahead * np.clip(inside[0], 0.0, 1.0) * np.clip(inside[1], 0.0, 1.0)
