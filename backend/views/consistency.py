# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that poses, masks and bounding sphere of the views belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import meeting_point, opencv_to_opengl, pinhole_ray, project
from ..shared.errors import ObjectOutOfFrame, TooFewViews

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..shared.cameras import Floats, Intrinsics
    from ..shared.capture.capture import BoundingSphere
    from .views import View

# Cameras within this distance of each other, in units of their distance to the object, are one
# viewpoint. If that distance is unknown, only the rounding of coordinates is tolerated.
SAME_POSITION = 1e-4
COORDINATE_ROUNDING = 1e-9
# If the largest angle between two views is smaller, the depth of the object is unknown.
MIN_PARALLAX_DEGREES = 2.0
# Up to this fraction of the views may disagree with the rest; they are dropped.
MAX_DISAGREEING = 0.25
# Another convention of the poses is suggested if this fraction of the views agrees with it.
CLEAR_MAJORITY = 0.8
WEISZFELD_STEPS = 30


def _inverted(pose: Floats) -> Floats:
    """World to camera as camera to world, or back."""
    inverse: Floats = np.linalg.inv(pose).astype(np.float64)
    return inverse


# Other conventions that the poses may follow, by the remedy for each.
OTHER_CONVENTIONS: dict[str, Callable[[Floats], Floats]] = {
    "The poses look like OpenCV's: multiply them by diag(1, -1, -1, 1) from the right.": (
        opencv_to_opengl
    ),
    "The poses look like world-to-camera matrices: invert them.": _inverted,
    "The poses look like OpenCV's world-to-camera matrices: invert them, then multiply by "
    "diag(1, -1, -1, 1) from the right.": lambda pose: opencv_to_opengl(_inverted(pose)),
}


@dataclass(frozen=True)
class _MaskBounds:
    """Where the mask of one view lies.

    Attributes:
        intrinsics: of the view.
        camera_to_world: [4, 4].
        center: (u, v) of the mask's centroid, in pixels.
        low: (u, v) of the upper-left corner of the mask's bounding box; infinite at the sides of
            the frame that cut the object, which continues there.
        high: (u, v) of the lower-right corner, likewise.
        half_size: half the longer side of the bounding box within the frame.
    """

    intrinsics: Intrinsics
    camera_to_world: Floats
    center: Floats
    low: Floats
    high: Floats
    half_size: float

    @classmethod
    def from_view(cls, view: View) -> _MaskBounds:
        """The bounds of a mask that is not empty."""
        inside = view.mask >= 0.5
        low, high, center = np.empty(2), np.empty(2), np.empty(2)
        for axis in (0, 1):
            profile = inside.sum(axis=axis)
            filled = np.flatnonzero(profile)
            low[axis], high[axis] = filled[0], filled[-1] + 1
            center[axis] = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
        half_size = 0.5 * float((high - low).max())
        low[[side in view.cut for side in ("left", "top")]] = -np.inf
        high[[side in view.cut for side in ("right", "bottom")]] = np.inf
        return cls(view.intrinsics, view.camera_to_world, center, low, high, half_size)

    def direction(self) -> Floats:
        """The unit vector [3] from the camera through the center of the mask, in the world."""
        x, y = pinhole_ray(self.center[0], self.center[1], self.intrinsics)
        direction = self.camera_to_world[:3, :3] @ (x, y, -1.0)
        unit: Floats = direction / np.linalg.norm(direction)
        return unit

    def is_near(self, target: Floats, radius: float) -> bool:
        """Whether a point [3] is in front of the camera and projected near the mask.

        Near means: not farther from the bounding box than its half size, or the projected radius.
        """
        pixels, depths = project(target[None], self.intrinsics, self.camera_to_world)
        pixel, depth = pixels[0], float(depths[0])
        if not depth > 0.0:
            return False
        margin = max(self.half_size, radius * self.intrinsics.fx / depth)
        return bool((pixel >= self.low - margin).all() and (pixel <= self.high + margin).all())


def check_viewpoints(poses: Sequence[Floats], sphere: BoundingSphere | None) -> None:
    """Check that the views are from different viewpoints.

    Raises:
        TooFewViews: if all cameras have the same position.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    spread = np.linalg.norm(positions - positions.mean(axis=0), axis=1).max()
    if sphere is None:
        tolerance = COORDINATE_ROUNDING * np.linalg.norm(positions, axis=1).max()
    else:
        tolerance = SAME_POSITION * np.linalg.norm(positions - sphere.center, axis=1).max()
    if spread <= tolerance:
        raise TooFewViews(
            f"All {len(poses)} cameras are at the same position.",
            "Move the camera around the object between views. If you did, the poses are "
            "world-to-camera matrices: invert them.",
        )


def split_by_agreement(
    views: Sequence[View], sphere: BoundingSphere | None
) -> tuple[list[View], list[View]]:
    """Split views into those that look at one object and the few that do not.

    Args:
        views: two or more, none with an empty mask.
        sphere: around the object, if the capture has one.

    Raises:
        ObjectOutOfFrame: if too many disagree; the remedy names the likely mistake.
        TooFewViews: if all views are from one direction.
    """
    masks = [_MaskBounds.from_view(view) for view in views]
    target, radius = _target(masks, sphere)
    agrees = [mask.is_near(target, radius) for mask in masks]
    agreeing = [view for view, good in zip(views, agrees, strict=True) if good]
    disagreeing = [view for view, good in zip(views, agrees, strict=True) if not good]
    if len(agreeing) < 2 or len(disagreeing) > MAX_DISAGREEING * len(views):
        raise ObjectOutOfFrame(
            f"{len(disagreeing)} of {len(views)} views do not look at a common object: "
            f"{', '.join(view.name for view in disagreeing)}.",
            _likely_mistake(masks, sphere),
        )
    _check_parallax(agreeing, target)
    return agreeing, disagreeing


def check_in_frame(views: Sequence[View], sphere: BoundingSphere) -> None:
    """Check that the center of the object's sphere is inside the frame of a view.

    Raises:
        ObjectOutOfFrame: if it is outside the frame of all views.
    """
    for view in views:
        lens = view.intrinsics
        pixels, depths = project([sphere.center], lens, view.camera_to_world)
        u, v = pixels[0]
        if depths[0] > 0.0 and 0.0 <= u <= lens.width and 0.0 <= v <= lens.height:
            return
    raise ObjectOutOfFrame(
        f"The object at {sphere.center} is outside the frame of all {len(views)} views.",
        "Point the cameras at the object, or remove a bounding sphere that is wrong.",
    )


def _common_point(masks: Sequence[_MaskBounds]) -> Floats:
    """The point [3] of the world nearest to the rays through the masks' centers.

    It has the smallest sum of distances, not squared, and so is robust against a minority of wrong
    poses. Weiszfeld's algorithm: repeated least squares with weights 1 / distance.
    """
    origins = np.stack([mask.camera_to_world[:3, 3] for mask in masks])
    directions = np.stack([mask.direction() for mask in masks])
    point = meeting_point(origins, directions)
    for _ in range(WEISZFELD_STEPS):
        offset = point - origins
        along = (offset * directions).sum(axis=-1, keepdims=True) * directions
        distance = np.linalg.norm(offset - along, axis=-1)
        floor = 1e-6 * float(np.linalg.norm(offset, axis=-1).mean()) + 1e-300
        point = meeting_point(origins, directions, 1.0 / np.maximum(distance, floor))
    return point


def _target(masks: Sequence[_MaskBounds], sphere: BoundingSphere | None) -> tuple[Floats, float]:
    """The center [3] and radius of the object; estimated, with radius 0, without a sphere."""
    if sphere is None:
        return _common_point(masks), 0.0
    return np.asarray(sphere.center), sphere.radius


def _check_parallax(views: Sequence[View], target: Floats) -> None:
    """Raise if all views are from one direction."""
    toward = np.stack([view.camera_to_world[:3, 3] for view in views]) - target
    toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
    widest = float(np.degrees(np.arccos(np.clip((toward @ toward.T).min(), -1.0, 1.0))))
    if widest < MIN_PARALLAX_DEGREES:
        raise TooFewViews(
            f"All {len(views)} views are from one direction, at most {widest:.2g} degrees apart.",
            "Take views from around the object.",
        )


def _likely_mistake(masks: Sequence[_MaskBounds], sphere: BoundingSphere | None) -> str:
    """The remedy: another convention of the poses with which the views agree, if there is one."""
    for remedy, convert in OTHER_CONVENTIONS.items():
        converted = [replace(mask, camera_to_world=convert(mask.camera_to_world)) for mask in masks]
        target, radius = _target(converted, sphere)
        near = sum(mask.is_near(target, radius) for mask in converted)
        if near >= CLEAR_MAJORITY * len(converted):
            return remedy
    if sphere is not None:
        target, _ = _target(masks, None)
        if sum(mask.is_near(target, 0.0) for mask in masks) >= CLEAR_MAJORITY * len(masks):
            return "The views look at another point: correct the bounding sphere or remove it."
    return "Check that images, masks and poses belong together and that the object is in the frame."
