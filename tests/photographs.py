# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of a simple object in simple surroundings, ray-cast in numpy, with the true masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from backend.shared.cameras import intrinsics_from_fov, look_at, pixel_rays
from backend.shared.capture.capture import Frame
from backend.shared.capture.writer import write_transforms
from tests.captures import Ball, Box

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.cameras import Floats, Intrinsics

RAYS = 2
FIELD_OF_VIEW = math.radians(45.0)
FLOOR = -0.35
LIGHT = np.array([0.3, -0.4, 0.85]) / np.linalg.norm([0.3, -0.4, 0.85])


@dataclass(frozen=True)
class Part:
    """A piece of the scene.

    Attributes:
        shape: that rays hit.
        color: (red, green, blue) in 0..1.
        other: the color of its stripes.
    """

    shape: Ball | Box
    color: tuple[float, float, float]
    other: tuple[float, float, float]


OBJECTS = {
    "figure": (
        Part(Box((0.0, 0.0, -0.25), (0.2, 0.16, 0.1)), (0.65, 0.25, 0.2), (0.5, 0.15, 0.3)),
        Part(Ball((0.02, 0.0, 0.0), 0.19), (0.7, 0.3, 0.15), (0.55, 0.2, 0.3)),
        Part(Box((0.05, 0.0, 0.25), (0.06, 0.05, 0.12)), (0.45, 0.12, 0.25), (0.7, 0.3, 0.2)),
    ),
    "arch": (
        Part(Box((-0.2, 0.0, -0.1), (0.07, 0.1, 0.25)), (0.15, 0.3, 0.6), (0.2, 0.5, 0.6)),
        Part(Box((0.2, 0.0, -0.1), (0.07, 0.1, 0.25)), (0.15, 0.3, 0.6), (0.2, 0.5, 0.6)),
        Part(Box((0.0, 0.0, 0.2), (0.27, 0.1, 0.06)), (0.2, 0.2, 0.55), (0.15, 0.4, 0.65)),
    ),
    "bowl": (
        Part(Box((0.0, 0.0, -0.3), (0.14, 0.14, 0.05)), (0.1, 0.4, 0.25), (0.2, 0.55, 0.2)),
        Part(Ball((0.0, 0.0, -0.02), 0.26), (0.15, 0.5, 0.3), (0.1, 0.35, 0.3)),
    ),
}
CLUTTER = (
    Part(Box((-0.9, 0.5, -0.2), (0.15, 0.2, 0.15)), (0.8, 0.75, 0.2), (0.85, 0.85, 0.6)),
    Part(Ball((0.8, 0.6, -0.17), 0.18), (0.85, 0.85, 0.85), (0.6, 0.65, 0.7)),
    Part(Box((0.6, -1.0, -0.3), (0.25, 0.1, 0.05)), (0.1, 0.1, 0.12), (0.3, 0.3, 0.3)),
    Part(Box((-0.7, -0.8, -0.25), (0.1, 0.1, 0.1)), (0.4, 0.75, 0.75), (0.85, 0.85, 0.9)),
    Part(Box((1.1, -0.1, 0.0), (0.08, 0.15, 0.35)), (0.75, 0.7, 0.65), (0.9, 0.9, 0.3)),
)
SURROUNDINGS = ("turntable", "table", "studio")


def write_photographs(
    folder: Path,
    surroundings: str,
    subject: str = "figure",
    views: int = 16,
    size: tuple[int, int] = (120, 96),
    seed: int = 0,
) -> Path:
    """Write a capture folder of photographs without masks; the true ones lie in `true_masks`.

    Args:
        folder: to write.
        surroundings: `turntable`, a plain background that is fixed to the camera and a disc that
            turns with the object; `table`, wood with other things on it; `studio`, a backdrop.
        subject: one of OBJECTS.
        views: their number.
        size: width and height in pixels.
        seed: of the noise and the cameras.
    """
    rng = np.random.default_rng(seed)
    for kind in ("images", "true_masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    lens, frames = intrinsics_from_fov(*size, FIELD_OF_VIEW), []
    for index in range(views):
        azimuth = 2 * math.pi * (index + 0.3 * rng.random()) / views
        height = math.radians((18.0, 35.0, 50.0)[index % 3])
        toward = (
            math.cos(azimuth) * math.cos(height),
            math.sin(azimuth) * math.cos(height),
            math.sin(height),
        )
        target = 0.04 * rng.standard_normal(3)
        pose = look_at(1.45 * np.array(toward) + target, target)
        image, mask = _photograph(surroundings, OBJECTS[subject], lens, pose)
        image = (image + 0.012 * rng.standard_normal(image.shape)).clip(0.0, 1.0)
        path = folder / "images" / f"{index:04d}.png"
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(path)
        Image.fromarray(np.rint(mask * 255).astype(np.uint8)).save(
            folder / "true_masks" / path.name
        )
        frames.append(Frame(path.stem, path, None, lens, pose))
    write_transforms(folder / "transforms.json", frames)
    return folder


def true_mask(folder: Path, name: str) -> np.ndarray:
    """The true mask of a view as booleans [height, width]."""
    return np.asarray(Image.open(folder / "true_masks" / f"{name}.png")) >= 128


def _photograph(
    surroundings: str, subject: tuple[Part, ...], lens: Intrinsics, pose: Floats
) -> tuple[Floats, Floats]:
    """Image [height, width, 3] and coverage [height, width]."""
    fine = lens.scaled(RAYS * lens.width, RAYS * lens.height)
    origin, directions = pixel_rays(fine, pose)
    parts = subject + (CLUTTER if surroundings == "table" else ())
    depths = np.stack([part.shape.hit(origin, directions) for part in parts])
    nearest, depth = depths.argmin(axis=0), depths.min(axis=0)
    color = _surroundings_color(surroundings, origin, directions, subject)
    floor = _floor_depth(origin, directions)
    for index, part in enumerate(parts):
        shown = (nearest == index) & np.isfinite(depth) & (depth < floor + 1e-6)
        color[shown] = _part_color(part, origin + depth[shown, None] * directions[shown])
    inside = (nearest < len(subject)) & np.isfinite(depth)
    return _filtered(color), _filtered(inside.astype(np.float64))


def _part_color(part: Part, points: Floats) -> Floats:
    """The shaded colors [n, 3] of points on a part: soft stripes of its two colors."""
    wave = points @ (23.0, 17.0, 29.0) + 2.0 * np.sin(points @ (9.0, -14.0, 5.0))
    stripes = (0.5 + 0.5 * np.sin(wave))[:, None]
    color = stripes * np.array(part.color) + (1.0 - stripes) * np.array(part.other)
    offset = points - part.shape.center
    if isinstance(part.shape, Box):
        scaled = offset / part.shape.half
        normal = np.where(np.abs(scaled) >= np.abs(scaled).max(-1, keepdims=True) - 1e-9, scaled, 0)
        normal = np.sign(normal)
    else:
        normal = offset / part.shape.radius
    return color * (0.45 + 0.55 * (normal @ LIGHT).clip(0.0, 1.0))[:, None]


def _floor_depth(origin: Floats, directions: Floats) -> Floats:
    """Depth [...] of the plane below the object, infinite where rays point up."""
    down = directions[..., 2] < -1e-9
    return np.where(down, (FLOOR - origin[2]) / np.where(down, directions[..., 2], -1.0), np.inf)


def _surroundings_color(
    surroundings: str, origin: Floats, directions: Floats, subject: tuple[Part, ...]
) -> Floats:
    """The colors [height, width, 3] behind and below the object."""
    height, width, _ = directions.shape
    row, column = np.mgrid[0:height, 0:width] / max(height, width)
    depth = _floor_depth(origin, directions)
    points = origin + np.where(np.isfinite(depth), depth, 0.0)[..., None] * directions
    radius = np.hypot(points[..., 0], points[..., 1])
    on_floor = np.isfinite(depth)
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    if surroundings == "turntable":
        color = np.stack([0.86 - 0.15 * row, 0.86 - 0.13 * row, 0.84 - 0.1 * column], axis=-1)
        disc = on_floor & (radius < 0.75)
        color[disc] = 0.93
        color[on_floor & (np.abs(radius - 0.75) < 0.015)] = 0.2
    elif surroundings == "table":
        rings = np.sin(40 * points[..., 0] + 3 * np.sin(5 * points[..., 1]))
        wood = np.array([0.62, 0.47, 0.3]) + 0.07 * rings[..., None] * np.array([1.0, 0.9, 0.7])
        books = 0.5 + 0.3 * np.sin(12 * np.arctan2(unit[..., 1], unit[..., 0]))
        wall = np.stack([0.7 * books, 0.65 * books + 0.1, 0.5 + 0.2 * unit[..., 2]], axis=-1)
        on_floor &= radius < 2.0
        color = np.where(on_floor[..., None], wood, wall)
    else:
        color = np.stack(
            [0.45 + 0.2 * unit[..., 2], 0.48 + 0.2 * unit[..., 2], 0.52 + 0.2 * unit[..., 2]], -1
        )
    shadow = _shadow(points, subject)
    return np.where((on_floor & shadow)[..., None], 0.72 * color, color)


def _shadow(points: Floats, subject: tuple[Part, ...]) -> np.ndarray:
    """Whether the object is between points [height, width, 3] and the light."""
    blocked = np.zeros(points.shape[:2], bool)
    flat = points.reshape(-1, 3)
    for part in subject:
        # The rays all have the direction of the light: move the shape instead of the origin.
        hits = np.array([np.isfinite(_hit_from(part.shape, flat))])
        blocked |= hits.reshape(points.shape[:2])
    return blocked


def _hit_from(shape: Ball | Box, origins: Floats) -> Floats:
    """Depth [n] of a shape along the light from many origins [n, 3]; infinite where it misses."""
    middle = np.asarray(shape.center) - origins
    if isinstance(shape, Box):
        first, last = (middle - shape.half) / LIGHT, (middle + shape.half) / LIGHT
        enter, leave = np.minimum(first, last).max(-1), np.maximum(first, last).min(-1)
        return np.where((enter < leave) & (leave > 1e-6), enter, np.inf)
    along = middle @ LIGHT
    nearest = (middle**2).sum(-1) - along**2
    return np.where((nearest < shape.radius**2) & (along > 0.0), along, np.inf)


def _filtered(fine: Floats) -> Floats:
    height, width = fine.shape[0] // RAYS, fine.shape[1] // RAYS
    cells = fine.reshape(height, RAYS, width, RAYS, *fine.shape[2:])
    return cells.mean(axis=(1, 3))
