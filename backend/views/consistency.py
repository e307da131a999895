# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that poses, masks and bounding sphere of the views belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import project
from ..shared.errors import ObjectOutOfFrame, TooFewViews
from .judgment import advice, find_mistake
from .mask_bounds import MaskBounds, common_point
from .mask_coverage import MaskOutline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.cameras import Floats
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
# The bounding sphere is blamed if this fraction of the views looks at another common point.
CLEAR_MAJORITY = 0.8
# Principal points farther from the middle, in units of the side of the image, are named.
FAR_FROM_MIDDLE = 0.25


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
    masks = [MaskBounds.from_view(view) for view in views]
    target, radius = _target(masks, sphere)
    agrees = [mask.is_near(target, radius) for mask in masks]
    agreeing = [view for view, good in zip(views, agrees, strict=True) if good]
    disagreeing = [view for view, good in zip(views, agrees, strict=True) if not good]
    if len(agreeing) < 2 or len(disagreeing) > MAX_DISAGREEING * len(views):
        raise ObjectOutOfFrame(
            f"{len(disagreeing)} of {len(views)} views do not look at a common object: "
            f"{', '.join(view.name for view in disagreeing)}.",
            _likely_mistake(views, masks, sphere),
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


def _target(masks: Sequence[MaskBounds], sphere: BoundingSphere | None) -> tuple[Floats, float]:
    """The center [3] and radius of the object; estimated, with radius 0, without a sphere."""
    if sphere is None:
        return common_point(masks), 0.0
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


def _likely_mistake(
    views: Sequence[View], masks: Sequence[MaskBounds], sphere: BoundingSphere | None
) -> str:
    """The remedy: the usual mistake of cameras without which the masks fit, if there is one."""
    outlines = [MaskOutline.from_view(view) for view in views]
    mistake, _ = find_mistake(outlines)
    if mistake is not None:
        return advice(mistake, mistake.remedy([outline.lens for outline in outlines]))
    if sphere is not None:
        target, _ = _target(masks, None)
        if sum(mask.is_near(target, 0.0) for mask in masks) >= CLEAR_MAJORITY * len(masks):
            return "The views look at another point: correct the bounding sphere or remove it."
    return _far_centers(views) or (
        "Check that images, masks and poses belong together and that the object is in the frame."
    )


def _far_centers(views: Sequence[View]) -> str:
    """A remedy that names cx, cy if they are far from the middle in all views, else nothing."""
    lenses = [view.full_intrinsics for view in views]
    offsets = [(lens.cx / lens.width - 0.5, lens.cy / lens.height - 0.5) for lens in lenses]
    if np.abs(offsets).max(axis=1).min() < FAR_FROM_MIDDLE:
        return ""
    lens = lenses[0]
    return (
        f"cx = {lens.cx:g}, cy = {lens.cy:g} are far from the middle of images of {lens.width} x "
        f"{lens.height}: write them in pixels from the upper left corner of these images."
    )
