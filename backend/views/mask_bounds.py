# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the mask of a view lies, and the point that all views look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import nearest_point_to_rays, pinhole_ray, project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.cameras import Floats, Intrinsics
    from .views import View


@dataclass(frozen=True)
class MaskBounds:
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
    def from_view(cls, view: View) -> MaskBounds:
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

    def radius_at(self, target: Floats) -> float:
        """Half the diagonal of a square around the mask, at the distance of a point [3]."""
        distance = np.linalg.norm(self.camera_to_world[:3, 3] - target)
        return float(2**0.5 * self.half_size / self.intrinsics.fx * distance)


def common_point(masks: Sequence[MaskBounds]) -> Floats:
    """The point [3] of the world nearest to the rays through the masks' centers."""
    origins = np.stack([mask.camera_to_world[:3, 3] for mask in masks])
    directions = np.stack([mask.direction() for mask in masks])
    return nearest_point_to_rays(origins, directions)
