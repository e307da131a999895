# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in memory of simple objects, right ones and ones with wrong cameras or masks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from backend.shared.cameras import fibonacci_sphere, intrinsics_from_fov, look_at, pixel_rays
from backend.views.silhouettes import signed_distance_map
from backend.views.views import View
from tests.captures import BACKGROUND, DISTANCE, FIELD_OF_VIEW, SHAPES, Ball, Box, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backend.shared.cameras import Floats

    Change = Callable[[list[View]], list[View]]

SHAPES.setdefault(
    "figure",
    (
        Box((0.05, 0.0, -0.1), (0.12, 0.2, 0.25)),
        Ball((0.02, 0.12, 0.28), 0.13),
        Box((-0.2, 0.05, 0.02), (0.16, 0.05, 0.05)),
    ),
)
SHAPES.setdefault(
    "table",
    (
        Box((0.0, 0.0, 0.1), (0.36, 0.24, 0.03)),
        Box((-0.3, -0.18, -0.12), (0.04, 0.04, 0.2)),
        Box((0.28, 0.16, -0.15), (0.05, 0.05, 0.23)),
        Ball((0.15, -0.05, 0.22), 0.1),
    ),
)
SHAPES.setdefault(
    "kettle",
    (
        Ball((0.0, 0.0, -0.05), 0.25),
        Box((0.3, 0.02, 0.05), (0.12, 0.03, 0.03)),
        Box((-0.05, 0.05, 0.24), (0.1, 0.08, 0.06)),
        Box((-0.3, -0.05, -0.05), (0.04, 0.05, 0.16)),
    ),
)
SHAPES.setdefault("rod", (Box((0.0, 0.0, 0.0), (0.45, 0.02, 0.02)),))
SHAPES.setdefault("cross", (*SHAPES["rod"], Box((0.1, 0.0, 0.05), (0.02, 0.3, 0.02))))


def make_views(
    shape: str,
    directions: Floats,
    width: int = 96,
    height: int = 96,
    offset: tuple[float, float] = (0.0, 0.0),
) -> list[View]:
    """Right views of a shape, from directions [n, 3]; the center may be off the middle, in pixels.

    The angle of view is that of the shorter side.
    """
    short = min(width, height)
    lens = intrinsics_from_fov(short, short, FIELD_OF_VIEW)
    lens = replace(lens, width=width, height=height)
    lens = replace(lens, cx=0.5 * width + offset[0], cy=0.5 * height + offset[1])
    views = []
    for index, direction in enumerate(directions):
        pose = look_at(DISTANCE * direction, (0.0, 0.0, 0.0))
        mask = trace(shape, lens, pose, (0.0, 0.0, 0.0), textured=False)[1]
        image = np.broadcast_to(np.float32(BACKGROUND), (*mask.shape, 3))
        views.append(View(f"{index:04d}", image, mask, lens, pose))
    return views


def all_around(count: int) -> Floats:
    """Directions [count, 3] all around."""
    return fibonacci_sphere(count)


def ring(count: int, height: float = 0.4) -> Floats:
    """Directions [count, 3] of one ring at a height."""
    angle = np.arange(count) * (2.0 * math.pi / count)
    level = math.sqrt(1.0 - height**2)
    return np.stack([level * np.cos(angle), level * np.sin(angle), np.full(count, height)], axis=1)


def upper_half(count: int) -> Floats:
    """Directions [count, 3] from above the object."""
    return fibonacci_sphere(2 * count)[:count]


def with_lens(**factors: float) -> Change:
    """Multiply intrinsics."""

    def change(views: list[View]) -> list[View]:
        def lens(view: View) -> View:
            old = view.intrinsics
            values = {name: getattr(old, name) * factor for name, factor in factors.items()}
            return replace(view, intrinsics=replace(old, **values))

        return [lens(view) for view in views]

    return change


def with_center(u: float, v: float) -> Change:
    """Move the principal point, in units of the sides of the image."""

    def change(views: list[View]) -> list[View]:
        def moved(view: View) -> View:
            lens = view.intrinsics
            center = {"cx": lens.cx + u * lens.width, "cy": lens.cy + v * lens.height}
            return replace(view, intrinsics=replace(lens, **center))

        return [moved(view) for view in views]

    return change


def with_poses(change_pose: Callable[[Floats], Floats]) -> Change:
    """Apply a function to the poses [4, 4]."""
    return lambda views: [
        replace(view, camera_to_world=change_pose(view.camera_to_world)) for view in views
    ]


def with_masks(change_mask: Callable[[Floats], Floats]) -> Change:
    """Apply a function to the masks [height, width]."""
    return lambda views: [
        replace(view, mask=np.ascontiguousarray(change_mask(view.mask), np.float32))
        for view in views
    ]


def in_views(change: Change, *chosen: int) -> Change:
    """Change only some of the views."""
    return lambda views: [
        change([view])[0] if index in chosen else view for index, view in enumerate(views)
    ]


def shaken(degrees: float, fraction: float) -> Change:
    """Turn and move the cameras at random; moves are in units of the distance to the object."""

    def change(views: list[View]) -> list[View]:
        generator = np.random.default_rng(0)

        def pose(old: Floats) -> Floats:
            moved = old.copy()
            for axis in range(3):
                moved = moved @ turn(axis, degrees * generator.normal())
            moved[:3, 3] += generator.normal(size=3) * fraction * DISTANCE
            return moved

        return with_poses(pose)(views)

    return change


def turn(axis: int, degrees: float) -> Floats:
    """The rotation [4, 4] about an axis."""
    matrix = np.eye(4)
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def flip(*signs: float) -> Floats:
    """A diagonal matrix [4, 4]."""
    return np.diag([*signs, 1.0])


def half_empty(mask: Floats) -> Floats:
    """The mask without the right half of the object."""
    cut = mask.copy()
    cut[:, int(np.median(np.nonzero(mask >= 0.5)[1])) :] = 0.0
    return cut


def with_blob(mask: Floats) -> Floats:
    """The mask with a piece of the background."""
    changed = mask.copy()
    changed[: len(mask) // 3, : len(mask) // 3] = 1.0
    return changed


def exchanged(views: list[View]) -> list[View]:
    """The poses of two views exchanged."""
    first, second = views[2].camera_to_world, views[5].camera_to_world
    views = list(views)
    views[2] = replace(views[2], camera_to_world=second)
    views[5] = replace(views[5], camera_to_world=first)
    return views


def shifted_by_one(views: list[View]) -> list[View]:
    """Every view with the pose of the next."""
    poses = [view.camera_to_world for view in views]
    return [
        replace(view, camera_to_world=pose)
        for view, pose in zip(views, [*poses[1:], poses[0]], strict=True)
    ]


WRONG: dict[str, Change] = {
    "half the focal length": with_lens(fx=0.5, fy=0.5),
    "twice the focal length": with_lens(fx=2.0, fy=2.0),
    "2/3 of the focal length": with_lens(fx=0.667, fy=0.667),
    "1.5 times the focal length": with_lens(fx=1.5, fy=1.5),
    "0.8 of the focal length": with_lens(fx=0.8, fy=0.8),
    "1.25 times the focal length": with_lens(fx=1.25, fy=1.25),
    "four times the focal length": with_lens(fx=4.0, fy=4.0),
    "fy larger": with_lens(fy=1.5),
    "fy smaller": with_lens(fy=0.667),
    "fx a little larger": with_lens(fx=1.1),
    "fx a little smaller": with_lens(fx=0.9),
    "intrinsics of twice the size": with_lens(fx=2.0, fy=2.0, cx=2.0, cy=2.0),
    "intrinsics of half the size": with_lens(fx=0.5, fy=0.5, cx=0.5, cy=0.5),
    "center 5 % to the right": with_center(0.05, 0.0),
    "center 10 % down": with_center(0.0, 0.1),
    "center 20 % up": with_center(0.0, -0.2),
    "center as offset": with_center(-0.5, -0.5),
    "center as fraction": with_lens(cx=1 / 96, cy=1 / 96),
    "OpenCV axes": with_poses(lambda pose: pose @ flip(1, -1, -1)),
    "world to camera": with_poses(np.linalg.inv),
    "left-handed, z": with_poses(lambda pose: flip(1, 1, -1) @ pose @ flip(1, 1, -1)),
    "left-handed, x": with_poses(lambda pose: flip(-1, 1, 1) @ pose @ flip(-1, 1, 1)),
    "upside down": with_poses(lambda pose: pose @ flip(-1, -1, 1)),
    "quarter turn": with_poses(lambda pose: pose @ turn(2, 90.0)),
    "poses off by a degree": shaken(1.0, 0.0),
    "positions off by 3 %": shaken(0.0, 0.03),
    "poses of the next view": shifted_by_one,
    "two poses exchanged": exchanged,
    "half of one mask": in_views(with_masks(half_empty), 3),
    "background in one mask": in_views(with_masks(with_blob), 3),
}
MOVES_WORLD = {"world to camera", "left-handed, z", "left-handed, x", "OpenCV axes"}
"""Those whose result cannot be compared with the true views."""


def noisy(pixels: float, seed: int = 0) -> Change:
    """Masks grown or shrunk, each by up to that many pixels."""

    def change(views: list[View]) -> list[View]:
        generator = np.random.default_rng(seed)
        return with_masks(lambda mask: _grown(mask, generator.uniform(-pixels, pixels)))(views)

    return change


def bumpy(mask: Floats) -> Floats:
    """The mask with its outline moved by up to a pixel, here in and there out."""
    waves = gaussian_filter(np.random.default_rng(int(mask.sum())).normal(size=mask.shape), 2.0)
    distance = signed_distance_map(np.asarray(mask, np.float32), frozenset())
    return np.clip(0.5 - distance - waves / np.abs(waves).max(), 0.0, 1.0)


def soft(mask: Floats) -> Floats:
    """A blurred mask."""
    return gaussian_filter(mask, 1.2)


def unchanged(views: list[View]) -> list[View]:
    """The views as they are."""
    return views


def _grown(mask: Floats, pixels: float) -> Floats:
    distance = signed_distance_map(np.asarray(mask, np.float32), frozenset())
    return np.clip(0.5 - distance + pixels, 0.0, 1.0)


def hull_iou(wrong: Sequence[View], true: Sequence[View], size: int = 48) -> float:
    """The overlap of the hull of wrong views with the masks of true ones, mean over some."""
    import torch

    from backend.shared.cameras import Normalization
    from backend.views.visual_hull import VisualHull

    hull = VisualHull.from_views(wrong, Normalization((0.0,) * 3, 0.8), torch.device("cpu"))
    scores = []
    for view in true[:: max(1, len(true) // 4)]:
        lens = view.intrinsics.limited(size)
        mask = view.shrunk(size).mask >= 0.5
        origin, directions = pixel_rays(lens, view.camera_to_world)
        depth = np.linspace(DISTANCE - 0.6, DISTANCE + 0.6, 96)
        points = 0.8 * (origin + depth[:, None, None, None] * directions)
        inside = hull.signed_distance(torch.from_numpy(points.reshape(-1, 3)).float()) <= 0.0
        covered = inside.reshape(len(depth), -1).any(0).numpy().reshape(mask.shape)
        scores.append((covered & mask).sum() / (covered | mask).sum())
    return float(np.mean(scores))
