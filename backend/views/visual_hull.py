# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The visual hull: the largest shape that is inside all silhouettes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from kernels.core.workers import map_per_core

from ..shared.cameras import Normalization, meeting_point, pinhole_projection, pinhole_ray
from ..shared.capture.capture import BoundingSphere
from ..shared.errors import ObjectOutOfFrame
from .silhouettes import signed_distance_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Intrinsics
    from ..shared.progress import Progress
    from .views import View

UNCONSTRAINED = -1e3
"""Signed distance, in model units, of a view to points about which it has no information."""

MIN_FRAMES = 2
"""A point inside fewer frames is outside the hull."""


@dataclass(frozen=True)
class Silhouette:
    """The silhouette of one view, and its camera.

    Attributes:
        distance: [height, width], signed distance to the outline in pixels, negative inside.
        world_to_camera: [4, 4] float32, from the space of the hull to OpenGL camera axes.
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
        """The silhouette of a view with another pose [4, 4]."""
        distance = signed_distance_map(view.mask, view.cut)
        return cls(
            distance=torch.from_numpy(distance).to(device),
            world_to_camera=torch.from_numpy(np.linalg.inv(camera_to_world)).float().to(device),
            intrinsics=view.intrinsics,
            cut=view.cut,
        )

    def signed_distance(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The signed distance of points [n, 3] to the silhouette cone.

        Returns:
            Signed distance [n] in the units of the points (the distance in the image scaled to the
            depth of the point), and whether the points are inside the frame, boolean [n].
        """
        camera = self.world_to_camera[:3, :3] @ points.T + self.world_to_camera[:3, 3:]
        depth = -camera[2]
        in_front = depth > 1e-6
        safe_depth = depth.clamp_min(1e-6)
        u, v = pinhole_projection(camera[0], camera[1], safe_depth, self.intrinsics)
        height, width = self.distance.shape
        pixels = torch.stack([u / width, v / height]) * 2 - 1
        sampled = F.grid_sample(
            self.distance[None, None],
            pixels.T[None, None],
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

    A view that cuts the object gives no constraint beyond the cut side.
    """

    def __init__(self, silhouettes: Sequence[Silhouette]) -> None:
        self._silhouettes = tuple(silhouettes)

    @classmethod
    def from_views(
        cls,
        views: Sequence[View],
        normalization: Normalization,
        device: torch.device,
        progress: Progress | None = None,
    ) -> VisualHull:
        """The hull of `views` in model space.

        Args:
            views: with their masks.
            normalization: from their world.
            device: of the silhouettes.
            progress: checked for cancel at every view, if there is one.
        """

        def outline(view: View) -> Silhouette:
            pose = normalization.apply_to_pose(view.camera_to_world)
            return Silhouette.from_view(view, pose, device)

        check = progress.check if progress else None
        return cls(list(map_per_core(outline, views, device, check)))

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance [n] of points [n, 3] to the hull, negative inside.

        Points may be on another device than the silhouettes; the result is on that of the points.
        """
        local = points.to(self._silhouettes[0].distance.device)
        distance = torch.full_like(local[:, 0], UNCONSTRAINED)
        frames = torch.zeros_like(local[:, 0])
        for silhouette in self._silhouettes:
            of_view, in_frame = silhouette.signed_distance(local)
            distance = torch.maximum(distance, of_view)
            frames += in_frame
        outside = frames < min(MIN_FRAMES, len(self._silhouettes))
        signed = torch.where(outside, torch.full_like(distance, -UNCONSTRAINED), distance)
        return signed.to(points.device)


def estimate_bounding_sphere(views: Sequence[View]) -> BoundingSphere:
    """The sphere around the visual hull, for captures without a bounding sphere.

    Samples the hull in a cube around the point that all views look at, then in smaller cubes around
    the samples inside, twice.

    Raises:
        ObjectOutOfFrame: if no point lies in all silhouettes.
    """
    center = _nearest_to_mask_centers(views)
    positions = np.stack([view.camera_to_world[:3, 3] for view in views])
    radius = float(np.linalg.norm(positions - center, axis=1).min())
    for _ in range(3):
        center, radius = _shrink(views, center, radius)
    return BoundingSphere(center=tuple(center.tolist()), radius=radius)


def _shrink(
    views: Sequence[View], center: NDArray[np.float64], radius: float, resolution: int = 64
) -> tuple[NDArray[np.float64], float]:
    """A smaller (center, radius) around the samples of the hull in the cube of a sphere."""
    sphere = BoundingSphere(center=tuple(center.tolist()), radius=radius)
    normalization = Normalization.from_sphere(sphere.center, sphere.radius)
    hull = VisualHull.from_views(views, normalization, torch.device("cpu"))
    axis = torch.linspace(-0.5, 0.5, resolution)
    points = torch.cartesian_prod(axis, axis, axis)
    # Every point of the object is within half a cell's diagonal of a grid point.
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


def _nearest_to_mask_centers(views: Sequence[View]) -> NDArray[np.float64]:
    """The point [3] of the world nearest to the rays through the masks' centers (least squares).

    Not the robust point of `consistency`: it is only the start of a search, and the views agree.
    """
    origins, directions = [], []
    for view in views:
        rows, columns = np.nonzero(view.mask >= 0.5)
        x, y = pinhole_ray(columns.mean() + 0.5, rows.mean() + 0.5, view.intrinsics)
        directions.append(view.camera_to_world[:3, :3] @ [x, y, -1.0])
        origins.append(view.camera_to_world[:3, 3])
    return meeting_point(origins, directions)
