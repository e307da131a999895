# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do poses, masks and object belong together? Geometry only, before any work is spent on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import meeting_point, opencv_to_opengl, pinhole_ray, project
from ..shared.errors import ObjectOutOfFrame, TooFewViews

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..shared.cameras import Floats, Intrinsics
    from ..shared.capture_format import BoundingSphere
    from .views import View

# Cameras nearer to each other than this, in units of their distance to the object, stand at one
# place. Where that distance is unknown, only the noise of their coordinates is told from movement.
ONE_PLACE = 1e-4
COORDINATE_NOISE = 1e-9
# The widest angle at the object between two views below which its depth cannot be seen.
LEAST_PARALLAX_DEGREES = 2.0
# Up to this part of the views may contradict the rest and is left out.
MOST_STRANGERS = 0.25
# A repaired reading of the poses is worth a hint if this part of the views agrees with it.
CLEAR_MAJORITY = 0.8
MEDIAN_STEPS = 30


def _inverted(pose: Floats) -> Floats:
    """World to camera as camera to world, or back."""
    inverse: Floats = np.linalg.inv(pose).astype(np.float64)
    return inverse


# What else the numbers of a pose may mean, and what to do then.
OTHER_READINGS: dict[str, Callable[[Floats], Floats]] = {
    "The poses look like OpenCV's: multiply them by diag(1, -1, -1, 1) from the right.": (
        opencv_to_opengl
    ),
    "The poses look like world-to-camera matrices: invert them.": _inverted,
    "The poses look like OpenCV's world-to-camera matrices: invert them, then multiply by "
    "diag(1, -1, -1, 1) from the right.": lambda pose: opencv_to_opengl(_inverted(pose)),
}


@dataclass(frozen=True)
class _Sight:
    """Where one camera sees the object.

    Attributes:
        lens: of the view.
        pose: camera to world.
        middle: (u, v) of the mask's mean, in pixels.
        low: (u, v) of the upper-left corner of the mask's box; infinite where the frame cuts the
            object, which may go on from there.
        high: (u, v) of its lower-right corner, likewise.
        reach: half the longer side of the box that is in the frame.
    """

    lens: Intrinsics
    pose: Floats
    middle: Floats
    low: Floats
    high: Floats
    reach: float

    @classmethod
    def of(cls, view: View) -> _Sight:
        """Measure a mask that is not empty."""
        inside = view.mask >= 0.5
        low, high, middle = np.empty(2), np.empty(2), np.empty(2)
        for axis in (0, 1):
            profile = inside.sum(axis=axis)
            filled = np.flatnonzero(profile)
            low[axis], high[axis] = filled[0], filled[-1] + 1
            middle[axis] = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
        reach = 0.5 * float((high - low).max())
        low[[side in view.cut for side in ("left", "top")]] = -np.inf
        high[[side in view.cut for side in ("right", "bottom")]] = np.inf
        return cls(view.intrinsics, view.camera_to_world, middle, low, high, reach)

    def direction(self) -> Floats:
        """The unit vector [3] from the camera to the middle of the mask, in the world."""
        x, y = pinhole_ray(self.middle[0], self.middle[1], self.lens)
        direction = self.pose[:3, :3] @ (x, y, -1.0)
        unit: Floats = direction / np.linalg.norm(direction)
        return unit

    def shows(self, target: Floats, radius: float) -> bool:
        """Whether a point lies in front of the camera, and near its mask in the image.

        Near: not farther from the mask's box than its reach, or the projected radius.
        """
        pixels, depths = project(target[None], self.lens, self.pose)
        pixel, depth = pixels[0], float(depths[0])
        if not depth > 0.0:
            return False
        near = max(self.reach, radius * self.lens.fx / depth)
        return bool((pixel >= self.low - near).all() and (pixel <= self.high + near).all())


def check_viewpoints(poses: Sequence[Floats], sphere: BoundingSphere | None) -> None:
    """Raise if all cameras stand at one place.

    Raises:
        TooFewViews: views from one place are one view of the shape, however many they are.
    """
    positions = np.stack([pose[:3, 3] for pose in poses])
    spread = np.linalg.norm(positions - positions.mean(axis=0), axis=1).max()
    if sphere is None:
        least = COORDINATE_NOISE * np.linalg.norm(positions, axis=1).max()
    else:
        least = ONE_PLACE * np.linalg.norm(positions - sphere.center, axis=1).max()
    if spread <= least:
        raise TooFewViews(
            f"All {len(poses)} cameras stand at the same place.",
            "Move the camera around the object between views. If you did, the poses are "
            "world-to-camera matrices: invert them.",
        )


def agreeing_views(
    views: Sequence[View], sphere: BoundingSphere | None
) -> tuple[list[View], list[View]]:
    """The views that look at one object, and the few that do not.

    Args:
        views: two or more, none with an empty mask.
        sphere: around the object, where the capture knows it.

    Raises:
        ObjectOutOfFrame: if the views do not agree; the remedy names the likely mistake.
        TooFewViews: if all of them look from one direction.
    """
    sights = [_Sight.of(view) for view in views]
    target, radius = _target(sights, sphere)
    shows = [sight.shows(target, radius) for sight in sights]
    agreeing = [view for view, good in zip(views, shows, strict=True) if good]
    strangers = [view for view, good in zip(views, shows, strict=True) if not good]
    if len(agreeing) < 2 or len(strangers) > MOST_STRANGERS * len(views):
        raise ObjectOutOfFrame(
            f"{len(strangers)} of {len(views)} views do not look at a common object: "
            f"{', '.join(view.name for view in strangers)}.",
            _likely_mistake(sights, sphere),
        )
    _check_parallax(agreeing, target)
    return agreeing, strangers


def check_in_frame(views: Sequence[View], sphere: BoundingSphere) -> None:
    """Raise if the middle of the object's sphere lies outside the frame of every view.

    Raises:
        ObjectOutOfFrame: then there is nothing to see, whatever the masks say.
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


def _common_point(sights: Sequence[_Sight]) -> Floats:
    """The world point [3] that the masks' middles look at, whatever a minority of poses says.

    The least sum of distances (not squared) to the rays: least squares with weights 1 / distance,
    repeated (Weiszfeld).
    """
    origins = np.stack([sight.pose[:3, 3] for sight in sights])
    directions = np.stack([sight.direction() for sight in sights])
    point = meeting_point(origins, directions)
    for _ in range(MEDIAN_STEPS):
        offset = point - origins
        along = (offset * directions).sum(axis=-1, keepdims=True) * directions
        distance = np.linalg.norm(offset - along, axis=-1)
        floor = 1e-6 * float(np.linalg.norm(offset, axis=-1).mean()) + 1e-300
        point = meeting_point(origins, directions, 1.0 / np.maximum(distance, floor))
    return point


def _target(sights: Sequence[_Sight], sphere: BoundingSphere | None) -> tuple[Floats, float]:
    """The middle of the object and its radius; 0 where only the rays tell."""
    if sphere is None:
        return _common_point(sights), 0.0
    return np.asarray(sphere.center), sphere.radius


def _check_parallax(views: Sequence[View], target: Floats) -> None:
    """Raise if the object is seen from one direction only."""
    toward = np.stack([view.camera_to_world[:3, 3] for view in views]) - target
    toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
    widest = float(np.degrees(np.arccos(np.clip((toward @ toward.T).min(), -1.0, 1.0))))
    if widest < LEAST_PARALLAX_DEGREES:
        raise TooFewViews(
            f"All {len(views)} views look from one direction, at most {widest:.2g} degrees apart.",
            "Take views from around the object.",
        )


def _likely_mistake(sights: Sequence[_Sight], sphere: BoundingSphere | None) -> str:
    """The remedy: which other reading of the poses would make the views agree, if any."""
    for remedy, reading in OTHER_READINGS.items():
        read = [replace(sight, pose=reading(sight.pose)) for sight in sights]
        target, radius = _target(read, sphere)
        if sum(sight.shows(target, radius) for sight in read) >= CLEAR_MAJORITY * len(read):
            return remedy
    if sphere is not None:
        target, _ = _target(sights, None)
        if sum(sight.shows(target, 0.0) for sight in sights) >= CLEAR_MAJORITY * len(sights):
            return "The views agree on another place: correct the bounding sphere or remove it."
    return "Check that images, masks and poses belong together and that the object is in the frame."
