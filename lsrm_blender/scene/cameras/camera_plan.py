# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views of a capture as they are planned, before any of them is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ....backend.shared import cameras
from ....backend.shared.errors import TooFewViews
from ...capture_choices import ANIMATION, CAMERAS, RINGS, SPHERE, UPPER
from .coverage import MOST, Coverage, added_views, judge_coverage
from .directions import even_directions, ring_directions, upper_directions
from .existing_cameras import FEWEST, cameras_along_animation, cameras_of_scene
from .scene_cameras import Viewpoint, filling_distance, viewpoints
from .visibility import Visibility

if TYPE_CHECKING:
    import bpy

    from ....backend.shared.capture.capture import BoundingSphere
    from .scene_cameras import Framing

CANDIDATES = 160
"""Directions that views are added from."""

MOST_TRIANGLES = 2_000_000
"""Above which the tree for the rays takes more memory and time than the views are worth."""

DIRECTIONS = {SPHERE: even_directions, UPPER: upper_directions, RINGS: ring_directions}


@dataclass(frozen=True)
class CameraPlan:
    """From where an object is captured: by directions, or by cameras that are there.

    Attributes:
        directions: unit vectors [n, 3] from its center; empty if there are cameras.
        cameras: of the artist's scene.
        coverage: how well the views see the surface, where that decides about them.
        warnings: for the user.
    """

    directions: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    cameras: tuple[Viewpoint, ...] = ()
    coverage: Coverage | None = None
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of views."""
        return len(self.cameras) or len(self.directions)

    def viewpoints(
        self, vertices: np.ndarray, sphere: BoundingSphere, framing: Framing
    ) -> list[Viewpoint]:
        """The views of an object with these vertices [n, 3]."""
        if self.cameras:
            return list(self.cameras)
        return viewpoints(self.directions, vertices, sphere, framing)

    def taken_directions(self, sphere: BoundingSphere) -> np.ndarray:
        """Unit vectors [views, 3] from the object to the views."""
        if not self.cameras:
            return self.directions
        away = np.array([view.camera_to_world[:3, 3] for view in self.cameras]) - sphere.center
        return away / np.linalg.norm(away, axis=1, keepdims=True)


def existing_cameras(
    scene: bpy.types.Scene, placement: str, size: int, count: int
) -> tuple[Viewpoint, ...]:
    """The cameras that a placement takes from a scene; none if it makes its own.

    Raises:
        TooFewViews, BadCamera: if the scene has none.
    """
    if placement == CAMERAS:
        return tuple(cameras_of_scene(scene, size))
    if placement == ANIMATION:
        return tuple(cameras_along_animation(scene, size, count))
    return ()


def plan_directions(placement: str, count: int) -> CameraPlan:
    """A plan that knows nothing of the object."""
    return CameraPlan(DIRECTIONS.get(placement, even_directions)(count))


def plan_cameras(found: tuple[Viewpoint, ...], vertices: np.ndarray) -> CameraPlan:
    """A plan of those cameras that show any of the vertices [n, 3].

    Raises:
        TooFewViews: if fewer than two do.
    """
    showing = tuple(view for view in found if _shows(view, vertices))
    left_out = len(found) - len(showing)
    if len(showing) < FEWEST:
        raise TooFewViews(
            f"{len(showing)} of {len(found)} cameras show the object.",
            "Point cameras at it, or choose another placement.",
        )
    if not left_out:
        return CameraPlan(cameras=showing)
    warning = f"{left_out} of {len(found)} cameras do not show the object, and are left out."
    return CameraPlan(cameras=showing, warnings=(warning,))


def _shows(view: Viewpoint, vertices: np.ndarray) -> bool:
    """Whether any vertex [n, 3] lies in the frame of a view."""
    pixels, depth = cameras.project(vertices, view.intrinsics, view.camera_to_world)
    size = (view.intrinsics.width, view.intrinsics.height)
    return bool(((depth > 0.0) & (pixels > 0.0).all(axis=1) & (pixels < size).all(axis=1)).any())


def plan_coverage(
    count: int,
    vertices: np.ndarray,
    triangles: np.ndarray,
    sphere: BoundingSphere,
    framing: Framing,
) -> CameraPlan:
    """An even sphere of `count` views, and more where parts of the surface are seen by too few.

    Args:
        count: of the views; up to `MOST` times as many are planned.
        vertices: [n, 3].
        triangles: [m, 3]; without any, or with very many, the sphere is all there is.
        sphere: around the vertices.
        framing: of the views.
    """
    base = even_directions(count)
    if not 0 < len(triangles) <= MOST_TRIANGLES:
        warning = (
            "Hidden parts are not looked for: that needs a mesh of at most 2 million triangles."
        )
        return CameraPlan(base, warnings=(warning,))
    candidates = cameras.fibonacci_sphere(CANDIDATES)
    rays = Visibility(vertices, triangles, sphere.radius)
    outline = _outline(vertices, candidates)
    seen_by_base = rays.seen_from(_positions(base, outline, sphere, framing))
    seen = rays.seen_from(_positions(candidates, outline, sphere, framing))
    views = seen_by_base.sum(axis=1)
    added = added_views(seen, views, int((MOST - 1.0) * count))
    coverage = judge_coverage(seen, views + seen[:, added].sum(axis=1))
    return CameraPlan(
        np.concatenate([base, candidates[added]]),
        coverage=coverage,
        warnings=tuple(coverage.warnings()),
    )


def _positions(
    directions: np.ndarray, outline: np.ndarray, sphere: BoundingSphere, framing: Framing
) -> np.ndarray:
    """The positions [n, 3] of cameras in unit directions [n, 3]."""
    if framing.distance is not None:
        distances = np.full(len(directions), framing.distance * sphere.radius)
    else:
        distances = np.array(
            [filling_distance(outline, sphere, each, framing) for each in directions]
        )
    return np.asarray(sphere.center) + distances[:, None] * directions


def _outline(vertices: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Those vertices [k, 3] that lie farthest in any of the directions: they decide on distances.

    Views are rendered at distances of their own, from all vertices.
    """
    return vertices[np.unique((vertices @ directions.T).argmax(axis=0))]
