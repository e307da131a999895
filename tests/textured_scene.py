# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of a box on a table, both full of detail, ray-cast in numpy: features to match."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from backend.shared.cameras import Intrinsics, look_at
from backend.shared.lenses import Distortion, Lens
from tests.captures import Box, lens_rays

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.cameras import Floats

BOX = Box((0.0, 0.0, 0.25), (0.3, 0.2, 0.25))
TABLE_HEIGHT = 0.0
# Texels of a texture for a length of 1.
TEXELS = 150
RAYS = 2


def texture(seed: int) -> Floats:
    """A texture [n, n, 3] with detail of several sizes, 0..1."""
    noise = np.random.default_rng(seed)
    layers = [
        gaussian_filter(noise.normal(size=(600, 600, 3)), (s, s, 0)) * s for s in (1, 2, 5, 12)
    ]
    return 1.0 / (1.0 + np.exp(-2.5 * np.sum(layers, axis=0)))


TEXTURES = [texture(seed) for seed in range(4)]


def poses(count: int, distance: float = 1.6) -> list[Floats]:
    """Level cameras on a third of a ring, in three heights."""
    angles = np.linspace(0.0, 0.7 * math.pi, count)
    heights = np.tile((0.7, 1.0, 0.5), count)[:count]
    positions = [
        (distance * math.cos(angle), distance * math.sin(angle), height)
        for angle, height in zip(angles, heights, strict=True)
    ]
    return [look_at(position, (0.0, 0.0, 0.2)) for position in positions]


def photograph(rays: Floats, pose: Floats) -> Image.Image:
    """The scene, in rays [2 height, 2 width, 3] in camera coordinates."""
    origin, directions = pose[:3, 3], rays @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        table = (TABLE_HEIGHT - origin[2]) / directions[..., 2]
    table = np.where((table > 0) & (table < 6), table, np.inf)
    box = BOX.hit(origin, directions)
    depth = np.minimum(box, table)
    points = origin + np.where(np.isfinite(depth), depth, 0.0)[..., None] * directions
    color = np.full(points.shape, 0.6)
    on_box = np.isfinite(box) & (box <= table)
    near = np.abs(np.abs(points - BOX.center) / BOX.half - 1.0)
    side = np.where(on_box, near.argmin(axis=-1), 3)
    for number, axes in enumerate(((1, 2), (0, 2), (0, 1), (0, 1))):
        chosen = (side == number) & np.isfinite(depth)
        texels = points[chosen][:, axes] * TEXELS
        for channel in range(3):
            plane = TEXTURES[number][..., channel]
            color[chosen, channel] = map_coordinates(plane, texels.T, order=1, mode="grid-wrap")
    height, width, _ = color.shape
    pixels = color.reshape(height // RAYS, RAYS, width // RAYS, RAYS, 3).mean(axis=(1, 3))
    return Image.fromarray(np.rint(pixels * 255).astype(np.uint8))


def write_photographs(folder: Path, count: int, size: tuple[int, int] = (360, 270)) -> list[Floats]:
    """Write photographs through a lens with a little distortion; returns their poses."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    lens = Lens(
        Intrinsics(width, height, 1.1 * width, 1.1 * width, 0.5 * width, 0.5 * height),
        Distortion((-0.06, 0, 0, 0, 0, 0)),
    )
    rays = lens_rays(lens, RAYS)
    taken = poses(count)
    for index, pose in enumerate(taken):
        photograph(rays, pose).save(folder / f"IMG_{index:04d}.jpg", quality=95)
    return taken
