# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The visual hull: the largest shape that agrees with every silhouette."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ..shared.cameras import Normalization, meeting_point, pinhole_projection, pinhole_ray
from ..shared.capture_format import BoundingSphere
from ..shared.errors import ObjectOutOfFrame
from .silhouettes import signed_distance_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Intrinsics
    from .views import View

UNCONSTRAINED = -1e3
"""Signed distance, in model units, that a view reports where it knows nothing."""

MIN_SEEING_VIEWS = 2
"""A point in fewer frames than this belongs to no object."""


@dataclass(frozen=True)
class Silhouette:
    """What one view says about the shape.

    Attributes:
        distance: signed distance to the outline in pixels, `[height, width]`, negative inside.
        world_to_camera: `[4, 4]`, from the space of the hull to OpenGL camera axes.
        intrinsics: of the view.
        cut: sides of the frame that cut the object.
    """

    distance: torch.Tensor
    world_to_camera: torch.Tensor
    intrinsics: Intrinsics
    cut: frozenset[str]

    @classmethod
    def from_view(
        cls, view: View, camera_to_world: NDArray[np.float64], device: torch.device
    ) -> Silhouette:
        """The silhouette of a view placed at `camera_to_world` `[4, 4]`."""
        distance = signed_distance_map(view.mask, view.cut)
        return cls(
            distance=torch.from_numpy(distance).to(device),
            world_to_camera=torch.from_numpy(np.linalg.inv(camera_to_world)).float().to(device),
            intrinsics=view.intrinsics,
            cut=view.cut,
        )

    def signed_distance(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How far points `[n, 3]` are from this view's silhouette cone, and whether it sees them.

        Returns:
            Signed distance `[n]` in the units of `points` (the distance in the image scaled to
            the depth of the point), and a boolean `[n]`: inside the frame.
        """
        camera = points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]
        depth = -camera[:, 2]
        in_front = depth > 1e-6
        safe_depth = depth.clamp_min(1e-6)
        u, v = pinhole_projection(camera[:, 0], camera[:, 1], safe_depth, self.intrinsics)
        height, width = self.distance.shape
        pixels = torch.stack([u / width, v / height], dim=1) * 2 - 1
        sampled = F.grid_sample(
            self.distance[None, None],
            pixels[None, None],
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )[0, 0, 0]
        beyond = {"left": -u, "right": u - width, "top": -v, "bottom": v - height}
        aside = torch.maximum(beyond["left"], beyond["right"]).clamp_min(0.0)
        above = torch.maximum(beyond["top"], beyond["bottom"]).clamp_min(0.0)
        focal = 0.5 * (self.intrinsics.fx + self.intrinsics.fy)
        distance = (sampled + torch.hypot(aside, above)) * depth / focal
        known = in_front
        for side in self.cut:
            known = known & (beyond[side] <= 0)
        in_frame = in_front & (aside + above <= 0)
        return torch.where(known, distance, torch.full_like(distance, UNCONSTRAINED)), in_frame


class VisualHull:
    """The intersection of all silhouette cones, as a signed distance.

    A view that cuts the object constrains nothing beyond the cut side: there the others decide.
    """

    def __init__(self, silhouettes: Sequence[Silhouette]) -> None:
        self._silhouettes = tuple(silhouettes)

    @classmethod
    def from_views(
        cls, views: Sequence[View], normalization: Normalization, device: torch.device
    ) -> VisualHull:
        """The hull of `views` in model space."""
        return cls(
            [
                Silhouette.from_view(
                    view, normalization.apply_to_pose(view.camera_to_world), device
                )
                for view in views
            ]
        )

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance `[n]` of points `[n, 3]` to the hull, negative inside.

        Points may be on another device than the silhouettes; the answer is where the points are.
        """
        here = points.to(self._silhouettes[0].distance.device)
        distance = torch.full_like(here[:, 0], UNCONSTRAINED)
        seen_by = torch.zeros_like(here[:, 0])
        for silhouette in self._silhouettes:
            of_view, in_frame = silhouette.signed_distance(here)
            distance = torch.maximum(distance, of_view)
            seen_by += in_frame
        unseen = seen_by < min(MIN_SEEING_VIEWS, len(self._silhouettes))
        signed = torch.where(unseen, torch.full_like(distance, -UNCONSTRAINED), distance)
        return signed.to(points.device)


def estimate_bounding_sphere(views: Sequence[View]) -> BoundingSphere:
    """The sphere around the hull of `views`, in their world, where nobody measured the object.

    Looks for the hull in a cube around the point all views look at, then shrinks the cube to
    what it found, twice.

    Raises:
        ObjectOutOfFrame: if no point lies in all silhouettes.
    """
    center = _common_target(views)
    positions = np.stack([view.camera_to_world[:3, 3] for view in views])
    radius = float(np.linalg.norm(positions - center, axis=1).min())
    for _ in range(3):
        center, radius = _shrink(views, center, radius)
    return BoundingSphere(center=tuple(center.tolist()), radius=radius)


def _shrink(
    views: Sequence[View], center: NDArray[np.float64], radius: float, resolution: int = 64
) -> tuple[NDArray[np.float64], float]:
    """One tighter `(center, radius)` from a coarse hull inside the old sphere's cube."""
    sphere = BoundingSphere(center=tuple(center.tolist()), radius=radius)
    normalization = Normalization.from_sphere(sphere.center, sphere.radius)
    hull = VisualHull.from_views(views, normalization, torch.device("cpu"))
    axis = torch.linspace(-0.5, 0.5, resolution)
    points = torch.cartesian_prod(axis, axis, axis)
    # Every point of the object is at most half a cell's diagonal from a node of the grid.
    half_diagonal = 0.5 * 3**0.5 / (resolution - 1)
    inside = points[hull.signed_distance(points) <= half_diagonal].double().numpy()
    if len(inside) == 0:
        raise ObjectOutOfFrame(
            f"The silhouettes of the {len(views)} views have no point in common.",
            "Check that poses and masks belong together and follow the OpenGL camera axes.",
        )
    world = normalization.invert(inside)
    low, high = world.min(axis=0), world.max(axis=0)
    new_center = 0.5 * (low + high)
    farthest = np.linalg.norm(world - new_center, axis=1).max()
    return new_center, float(farthest + half_diagonal / normalization.scale)


def _common_target(views: Sequence[View]) -> NDArray[np.float64]:
    """The world point closest to the rays through the middle of every mask (least squares)."""
    origins, directions = [], []
    for view in views:
        rows, columns = np.nonzero(view.mask >= 0.5)
        x, y = pinhole_ray(columns.mean() + 0.5, rows.mean() + 0.5, view.intrinsics)
        directions.append(view.camera_to_world[:3, :3] @ [x, y, -1.0])
        origins.append(view.camera_to_world[:3, 3])
    return meeting_point(origins, directions)
