# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo projection: every surface point takes its color from the views that see it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from torch.nn import functional as F

from .view_geometry import Camera, render_geometry, sample_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .triangle_mesh import TriangleMesh
    from .view_geometry import RenderedGeometry

POINTS_PER_CHUNK = 1 << 17

PURE_COVERAGE = 0.98
"""Coverage above which a pixel shows the object and no background."""


@dataclass(frozen=True)
class ProjectionSettings:
    """How views are chosen and mixed.

    Attributes:
        views_per_texel: at most this many views are mixed.
        facing_power: exponent of the cosine between surface normal and viewing direction.
        edge_pixels: within this distance of an outline or a depth edge a view is trusted less.
        depth_slack: pixels, measured on the surface, by which a texel may lie behind the depth map.
        disagreement: color distance from the mean of the chosen views, in units of a channel's
            range, at which the weight of a view is halved.
    """

    views_per_texel: int = 4
    facing_power: float = 2.0
    edge_pixels: float = 3.0
    depth_slack: float = 1.5
    disagreement: float = 0.3


@dataclass(frozen=True)
class PhotoProjector:
    """One view, ready to be projected onto the surface.

    Attributes:
        camera: in model space.
        colors: the image without its background, [3, height, width].
        limits: farthest visible depth and trust in 0..1, [2, height, width].
    """

    camera: Camera
    colors: torch.Tensor
    limits: torch.Tensor

    @classmethod
    def from_view(
        cls,
        view: View,
        normalization: Normalization,
        mesh: TriangleMesh,
        settings: ProjectionSettings,
        device: torch.device,
    ) -> PhotoProjector:
        """Prepare a view: strip its background, find what of the mesh it sees."""
        pose = normalization.apply_to_pose(view.camera_to_world)
        camera = Camera.from_pose(view.intrinsics, pose, device)
        return cls.from_geometry(view, render_geometry(mesh, camera), settings)

    @classmethod
    def from_geometry(
        cls, view: View, geometry: RenderedGeometry, settings: ProjectionSettings
    ) -> PhotoProjector:
        """Prepare a view that the mesh has been rendered in."""
        depth = geometry.depth
        limits = torch.stack(
            [_farthest_visible(depth), _trust(depth, view.mask, settings.edge_pixels)]
        )
        colors = torch.from_numpy(without_background(view)).permute(2, 0, 1).to(depth.device)
        return cls(geometry.camera, colors.contiguous(), limits)

    def weight(
        self, positions: torch.Tensor, normals: torch.Tensor, settings: ProjectionSettings
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """How well this view sees surface points [n, 3]: weights [n], and pixels [n, 2]."""
        pixels, depth = self.camera.project(positions)
        toward = F.normalize(self.camera.position - positions, dim=1)
        facing = (toward * normals).sum(dim=1).clamp_min(0.0)
        farthest, trust = sample_image(self.limits, pixels).unbind(1)
        pixel_size = depth / self.camera.intrinsics.fx
        slack = settings.depth_slack * pixel_size / facing.clamp_min(0.1)
        size = pixels.new_tensor([self.camera.intrinsics.width, self.camera.intrinsics.height])
        in_frame = ((pixels >= 0) & (pixels <= size)).all(dim=1)
        visible = in_frame & (depth > 0) & (depth <= farthest + slack)
        weight = facing**settings.facing_power * trust / pixel_size**2
        return torch.where(visible, weight, torch.zeros_like(weight)), pixels


def project_colors(
    positions: torch.Tensor,
    normals: torch.Tensor,
    projectors: Sequence[PhotoProjector],
    settings: ProjectionSettings,
    progress: Progress,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix the best views of every surface point.

    Args:
        positions: points on the surface, model space, [n, 3].
        normals: unit, outward, [n, 3].
        projectors: the views.
        settings: how to mix.
        progress: checked for cancel.

    Returns:
        Colors [n, 3] as displayed (sRGB, 0..1), and a boolean [n]: seen by any view.
    """
    colors, seen = [], []
    for start in range(0, len(positions), POINTS_PER_CHUNK):
        progress.check()
        part = slice(start, start + POINTS_PER_CHUNK)
        mixed, visible = _project_chunk(positions[part], normals[part], projectors, settings)
        colors.append(mixed)
        seen.append(visible)
    return torch.cat(colors), torch.cat(seen)


def _project_chunk(
    positions: torch.Tensor,
    normals: torch.Tensor,
    projectors: Sequence[PhotoProjector],
    settings: ProjectionSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Colors [n, 3] and visibility [n] of a few points."""
    rated = [projector.weight(positions, normals, settings) for projector in projectors]
    weights, chosen = torch.topk(
        torch.stack([weight for weight, _ in rated]),
        min(settings.views_per_texel, len(projectors)),
        dim=0,
    )
    candidates = positions.new_zeros((*chosen.shape, 3))
    for number, (projector, (_, pixels)) in enumerate(zip(projectors, rated, strict=True)):
        slot, point = torch.nonzero(chosen == number, as_tuple=True)
        candidates[slot, point] = sample_image(projector.colors, pixels[point])
    return _mix(candidates, weights, settings.disagreement), weights[0] > 0


def _mix(candidates: torch.Tensor, weights: torch.Tensor, disagreement: float) -> torch.Tensor:
    """Weighted mean of [views, n, 3] in which views far from the mean of all weigh less."""
    mean = _weighted_mean(candidates, weights)
    distance = (candidates - mean).norm(dim=2)
    return _weighted_mean(candidates, weights / (1 + (distance / disagreement) ** 2))


def _weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean [n, 3] over the first axis of [views, n, 3] with weights [views, n]."""
    total = weights.sum(dim=0).clamp_min(1e-12)
    return (values * weights[..., None]).sum(dim=0) / total[:, None]


def color_unseen(
    positions: NDArray[np.float32], colors: NDArray[np.float32], seen: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give points no view sees the mean color of the nearest seen ones.

    Args:
        positions: [n, 3].
        colors: [n, 3].
        seen: [n].
    """
    if seen.all() or not seen.any():
        return colors
    sources = np.flatnonzero(seen)
    sources = sources[:: max(1, len(sources) // 200_000)]
    neighbors = range(1, min(8, len(sources)) + 1)
    distance, nearest = cKDTree(positions[sources]).query(
        positions[~seen], neighbors, workers=torch.get_num_threads()
    )
    weights = 1.0 / (distance + 1e-4)
    weights /= weights.sum(axis=1, keepdims=True)
    filled = colors.copy()
    filled[~seen] = np.einsum("nk,nkc->nc", weights, colors[sources[nearest]])
    return filled


def without_background(view: View) -> NDArray[np.float32]:
    """The image with every pixel that is not pure object replaced by the nearest one that is."""
    pure = view.mask >= PURE_COVERAGE
    if not pure.any():
        return view.image
    nearest = distance_transform_edt(~pure, return_distances=False, return_indices=True)
    image: NDArray[np.float32] = view.image[tuple(nearest)]
    return image


def _farthest_visible(depth: torch.Tensor) -> torch.Tensor:
    """Depth [height, width] up to which a point counts as seen: the farthest neighbor's."""
    finite = torch.where(depth.isfinite(), depth, torch.zeros_like(depth))
    return F.max_pool2d(finite[None, None], 3, stride=1, padding=1)[0, 0]


def _trust(depth: torch.Tensor, mask: NDArray[np.float32], edge_pixels: float) -> torch.Tensor:
    """Trust [height, width] that grows from 0 at outlines and depth edges to 1 inside."""
    surface = depth.cpu().numpy()
    finite = np.where(np.isfinite(surface), surface, 0.0)
    jump = np.zeros(surface.shape, dtype=bool)
    threshold = 0.02 * np.median(finite[finite > 0]) if (finite > 0).any() else np.inf
    for axis in (0, 1):
        step = np.abs(np.diff(finite, axis=axis)) > threshold
        low = [slice(None), slice(None)]
        high = [slice(None), slice(None)]
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        jump[tuple(low)] |= step
        jump[tuple(high)] |= step
    distance = distance_transform_edt(~(jump | (mask < PURE_COVERAGE)))
    trust = np.clip(distance / edge_pixels, 0.02, 1.0)
    return torch.from_numpy(trust.astype(np.float32)).to(depth.device)
