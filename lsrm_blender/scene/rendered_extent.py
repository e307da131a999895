# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extent of an object as renders show it, where it differs from that of its geometry.

Displacement by a shader, particle hair and volumes reach beyond the triangles; what is transparent
covers less. Such an object is measured by renders from all sides: a coarse visual hull.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from mathutils import Matrix

from ...backend.shared import cameras
from ...backend.shared.errors import BadAsset
from .pixels import render_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    import bpy

    from ...backend.shared.capture.capture import BoundingSphere
    from .cameras.scene_cameras import Viewpoint

COVERED = 0.05
"""Coverage of a pixel above which it shows the object: a hair covers little of one."""

SMALLEST_EXACT, HALF_COVERED = 70, 0.5
"""Pixels of an image below which the pixel filter of a framed object reaches the border."""

TOO_LITTLE = 0.6
"""Share of the expected reach below which the framing is checked by renders."""

PIXELS, VOXELS, SAMPLES = 96, 64, 4
FIRST_HALF = 1.5
"""Half the width of the first renders, in radii of the geometry."""

GROWTH, MOST_GROWTH = 2.0, 10
SMALL = 0.3
"""Share of the width below which the renders are repeated nearer."""

# Two pixels: half the diagonal of a voxel.
SLACK = 2


def border_is_covered(alpha: np.ndarray) -> bool:
    """Whether an object reaches the border of an image [height, width]."""
    border = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    limit = COVERED if len(alpha) >= SMALLEST_EXACT else HALF_COVERED
    return max(float(side.max()) for side in border) > limit


def fills_too_little(alpha: np.ndarray, view: Viewpoint, vertices: np.ndarray) -> bool:
    """Whether an image [height, width] shows much less than vertices [n, 3] promise."""
    pixels, _ = cameras.project(vertices, view.intrinsics, view.camera_to_world)
    center = np.array((view.intrinsics.cx, view.intrinsics.cy))
    expected = float(np.abs(pixels - center).max())
    rows, columns = np.nonzero(alpha > COVERED)
    if len(rows) == 0:
        return True
    reach = np.abs(np.stack([columns, rows], axis=-1) + 0.5 - center).max() + 0.5
    return bool(reach < TOO_LITTLE * expected)


def rendered_points(scene: bpy.types.Scene, sphere: BoundingSphere) -> np.ndarray | None:
    """Points [n, 3] around what renders of a working scene show; None if it has no end.

    Args:
        scene: with a camera.
        sphere: of the geometry.

    Raises:
        BadAsset: if renders show nothing.
    """
    with _quick_renders(scene):
        found = _enclosing_box(scene, np.array(sphere.center), sphere.radius)
        if found is None:
            return None
        center, half = found
        inside = np.ones((VOXELS,) * 3, bool)
        ticks = half * ((np.arange(VOXELS) + 0.5) / VOXELS * 2.0 - 1.0)
        grid = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1)
        for direction in _directions():
            mask = _dilated(_silhouette(scene, center, half, direction) > COVERED)
            x, y = _image_axes(direction)
            columns = _pixel(grid @ x, half)
            rows = _pixel(-(grid @ y), half)
            inside &= mask[rows, columns]
    points = grid[_surface(inside)] + center
    if len(points) == 0:
        raise _invisible()
    return points


def _invisible() -> BadAsset:
    return BadAsset(
        "The asset is invisible in renders.",
        "Check whether its materials are fully transparent, or its parts hidden.",
    )


def _enclosing_box(
    scene: bpy.types.Scene, center: np.ndarray, radius: float
) -> tuple[np.ndarray, float] | None:
    """Center [3] and half width of a cube around what renders show; None if it has no end.

    Raises:
        BadAsset: if renders show nothing.
    """
    half = FIRST_HALF * radius
    for _ in range(MOST_GROWTH):
        masks = {axis: _silhouette(scene, center, half, np.eye(3)[axis]) for axis in range(3)}
        if any(border_is_covered(mask) for mask in masks.values()):
            half *= GROWTH
            continue
        box = _box(masks, half)
        if box is None:
            raise _invisible()
        lowest, highest = box
        size = float((highest - lowest).max())
        center = center + 0.5 * (lowest + highest)
        if size > SMALL * 2.0 * half:
            return center, 0.5 * size * (1.0 + 8.0 / PIXELS)
        half = 0.75 * size + 2.0 * half / PIXELS
    return None


def _box(masks: dict[int, np.ndarray], half: float) -> tuple[np.ndarray, np.ndarray] | None:
    """The box, relative to the center, around what three silhouettes along the axes show."""
    lowest, highest = np.full(3, np.inf), np.full(3, -np.inf)
    for axis, mask in masks.items():
        rows, columns = np.nonzero(mask > COVERED)
        if len(rows) == 0:
            return None
        right, up = _image_axes(np.eye(3)[axis])
        for vector, indices in ((right, columns), (-up, rows)):
            along = int(np.abs(vector).argmax())
            edges = np.array((indices.min(), indices.max() + 1)) / PIXELS * 2.0 - 1.0
            ends = half * edges * vector[along]
            lowest[along] = min(lowest[along], ends.min())
            highest[along] = max(highest[along], ends.max())
    return lowest, highest


def _directions() -> list[np.ndarray]:
    """The axes and the diagonals of a cube, as unit vectors [3]."""
    diagonals = [np.array((x, y, 1.0)) / np.sqrt(3.0) for x, y in product((-1.0, 1.0), repeat=2)]
    return [*np.eye(3), *diagonals]


def _image_axes(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The world's vectors that point right and up in an image seen from a direction."""
    pose = cameras.look_at(direction, np.zeros(3))
    return pose[:3, 0], pose[:3, 1]


def _silhouette(
    scene: bpy.types.Scene, center: np.ndarray, half: float, direction: np.ndarray
) -> np.ndarray:
    """The coverage [PIXELS, PIXELS] of an orthographic image of a cube."""
    camera = scene.camera
    camera.data.ortho_scale = 2.0 * half
    camera.data.clip_start, camera.data.clip_end = 1e-3 * half, 20.0 * half
    position = center + 10.0 * half * direction
    camera.matrix_world = Matrix(cameras.look_at(position, center).tolist())
    return render_pixels(scene)[..., 3]


@contextmanager
def _quick_renders(scene: bpy.types.Scene) -> Iterator[None]:
    """Small orthographic renders without denoising, until the end of the block."""
    data, cycles, render = scene.camera.data, scene.cycles, scene.render
    before = data.type, data.clip_start, data.clip_end, cycles.samples, cycles.use_denoising
    data.type = "ORTHO"
    data.shift_x = data.shift_y = 0.0
    cycles.samples, cycles.use_denoising = SAMPLES, False
    render.resolution_x = render.resolution_y = PIXELS
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    try:
        yield
    finally:
        data.type, data.clip_start, data.clip_end, cycles.samples, cycles.use_denoising = before


def _pixel(offsets: np.ndarray, half: float) -> np.ndarray:
    """The index of the pixel at offsets from the center of an image; the border's if outside."""
    index = np.floor((offsets / half + 1.0) * 0.5 * PIXELS).astype(int)
    return np.clip(index, 0, PIXELS - 1)


def _dilated(mask: np.ndarray) -> np.ndarray:
    """A mask [height, width] grown by SLACK pixels on all sides."""
    for axis in (0, 1):
        padded = np.pad(mask, [(SLACK, SLACK) if each == axis else (0, 0) for each in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * SLACK + 1, axis=axis)
        mask = np.asarray(windows.any(axis=-1))
    return mask


def _surface(inside: np.ndarray) -> np.ndarray:
    """The voxels of a solid [n, n, n] that have a neighbor outside."""
    padded = np.pad(inside, 1)
    core = padded[1:-1, 1:-1, 1:-1].copy()
    for axis, step in product(range(3), (-1, 1)):
        core &= np.roll(padded, step, axis=axis)[1:-1, 1:-1, 1:-1]
    return inside & ~core
