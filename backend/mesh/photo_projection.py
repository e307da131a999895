# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo projection: every surface point takes its color from the views that see it best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch.nn import functional as F

from .view_colors import PURE_COVERAGE
from .view_geometry import Camera, render_geometry, sample_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .triangle_mesh import TriangleMesh
    from .view_colors import ViewColors
    from .view_geometry import RenderedGeometry

POINTS_PER_CHUNK = 1 << 17

Recolor = Callable[[int, torch.Tensor, torch.Tensor], torch.Tensor]
"""Other colors for the colors [bands, n, 3] of points [n] in a view, which is given by number."""


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
        detail_power: exponent of the weights of detail, which is nearly that of the best view:
            mixed, views that are a pixel apart would blur it.
    """

    views_per_texel: int = 8
    facing_power: float = 2.0
    edge_pixels: float = 3.0
    depth_slack: float = 1.5
    disagreement: float = 0.3
    detail_power: float = 32.0


@dataclass(frozen=True)
class PhotoProjector:
    """What one view sees of the surface, and how well.

    Attributes:
        camera: in model space.
        limits: farthest visible depth and trust in 0..1, [2, height, width].
    """

    camera: Camera
    limits: torch.Tensor

    @classmethod
    def of_views(
        cls,
        views: Iterable[View],
        normalization: Normalization,
        mesh: TriangleMesh,
        device: torch.device | None = None,
    ) -> Iterator[PhotoProjector]:
        """Find what of a mesh each view sees, once it is the view's turn."""
        settings = ProjectionSettings()
        for view in views:
            geometry = render_geometry(mesh, camera_of(view, normalization, device))
            yield cls.from_geometry(view, geometry, settings)

    @classmethod
    def from_geometry(
        cls, view: View, geometry: RenderedGeometry, settings: ProjectionSettings
    ) -> PhotoProjector:
        """Prepare a view that the mesh has been rendered in."""
        depth = geometry.depth
        mask = torch.from_numpy(view.mask).to(depth)
        trust = _trust(depth, mask, settings.edge_pixels)
        return cls(geometry.camera, torch.stack([_farthest_visible(depth), trust]))

    def weight(
        self, positions: torch.Tensor, normals: torch.Tensor, settings: ProjectionSettings
    ) -> torch.Tensor:
        """How well this view sees surface points [n, 3], [n]."""
        pixels, depth = self.camera.project(positions)
        toward = F.normalize(self.camera.position - positions, dim=1)
        facing = (toward * normals).sum(dim=1).clamp_min(0.0)
        farthest, trust = sample_image(self.limits, pixels).unbind(1)
        pixel_size = depth / self.camera.intrinsics.fx
        slack = settings.depth_slack * pixel_size / facing.clamp_min(0.1)
        (x, y), lens = pixels.unbind(1), self.camera.intrinsics
        in_frame = (x >= 0) & (x <= lens.width) & (y >= 0) & (y <= lens.height)
        visible = in_frame & (depth > 0) & (depth <= farthest + slack)
        weight = facing**settings.facing_power * trust / pixel_size**2
        return torch.where(visible, weight, torch.zeros_like(weight))


def camera_of(
    view: View, normalization: Normalization, device: torch.device | None = None
) -> Camera:
    """The camera of a view in model space, on a device; the CPU if it is None."""
    pose = normalization.apply_to_pose(view.camera_to_world)
    return Camera.from_pose(view.intrinsics, pose, device)


@dataclass(frozen=True)
class ViewChoice:
    """The views that see each point best.

    Attributes:
        views: their numbers, best first, int16 [chosen, points].
        weights: zero where fewer views see a point, [chosen, points]. Along the surface they change
            without steps: where another view takes the last rank, both have almost no weight.
    """

    views: torch.Tensor
    weights: torch.Tensor

    @property
    def seen(self) -> torch.Tensor:
        """Which points any view sees, boolean [points]."""
        return self.weights[0] > 0


LAST_RANK = 0.99
"""Share of the weight of the first view not chosen that is taken from those chosen; below 1, so
that views of equal weight keep some."""


def choose_views(
    positions: torch.Tensor,
    normals: torch.Tensor,
    projectors: Iterable[PhotoProjector],
    settings: ProjectionSettings,
    progress: Progress,
) -> ViewChoice:
    """Choose the best views of every surface point.

    Args:
        positions: points on the surface, model space, [n, 3].
        normals: unit, outward, [n, 3].
        projectors: one for each view; only one is needed at a time.
        settings: how many to choose, and what is good.
        progress: checked for cancel.
    """
    ranks = settings.views_per_texel + 1
    weights = positions.new_zeros(ranks, len(positions))
    views = torch.zeros_like(weights, dtype=torch.int16)
    for number, projector in enumerate(projectors):
        for start in range(0, len(positions), POINTS_PER_CHUNK):
            progress.check()
            part = slice(start, start + POINTS_PER_CHUNK)
            weight = projector.weight(positions[part], normals[part], settings)
            rows = weight.nonzero()[:, 0]
            ranked = ViewChoice(views[:, part][:, rows], weights[:, part][:, rows])
            ranked = _insert(ranked, number, weight[rows])
            views[:, part][:, rows], weights[:, part][:, rows] = ranked.views, ranked.weights
    return ViewChoice(views[:-1], weights[:-1] - LAST_RANK * weights[-1:])


def _insert(ranked: ViewChoice, number: int, weight: torch.Tensor) -> ViewChoice:
    """Put a view with weights [n] where it belongs in a ranking; the last one drops out.

    It is the view of that number to come, and ranks that no earlier view has taken are empty.
    """
    views, weights = ranked.views.clone(), ranked.weights.clone()
    view = torch.full_like(views[0], number)
    for rank in range(min(len(weights), number + 1)):
        better = weight > weights[rank]
        weights[rank], weight = (
            torch.where(better, weight, weights[rank]),
            torch.where(better, weights[rank], weight),
        )
        views[rank], view = (
            torch.where(better, view, views[rank]),
            torch.where(better, views[rank], view),
        )
    return ViewChoice(views, weights)


def project_colors(
    positions: torch.Tensor,
    choice: ViewChoice,
    views: Iterable[ViewColors],
    settings: ProjectionSettings,
    progress: Progress,
    recolor: Recolor | None = None,
) -> torch.Tensor:
    """Mix the chosen views of every surface point; detail is taken from the best ones alone.

    Args:
        positions: points on the surface, model space, [n, 3].
        choice: of the views.
        views: the colors of each; only one is needed at a time.
        settings: how to mix.
        progress: receives the fraction of the stage `texture`, from 0.3 to 0.8.
        recolor: changes colors before they are mixed.

    Returns:
        Colors [n, 3] as displayed (sRGB, 0..1).
    """
    shape = (*choice.views.shape, 3)
    smooth, detail = (positions.new_zeros(shape, dtype=torch.float16) for _ in range(2))
    for number, view in enumerate(views):
        for start in range(0, len(positions), POINTS_PER_CHUNK):
            progress.check()
            part = slice(start, start + POINTS_PER_CHUNK)
            chosen = (choice.views[:, part] == number) & (choice.weights[:, part] > 0)
            rank, point = chosen.nonzero(as_tuple=True)
            if not len(point):
                continue
            point = point + start
            colors = view.sample(positions[point])
            if recolor:
                colors = recolor(number, point, colors)
            smooth[rank, point] = colors[1].half()
            detail[rank, point] = (colors[0] - colors[1]).half()
    mixed = []
    for start in range(0, len(positions), POINTS_PER_CHUNK):
        progress.check()
        part = slice(start, start + POINTS_PER_CHUNK)
        bands = smooth[:, part].float(), detail[:, part].float()
        mixed.append(_mix(*bands, choice.weights[:, part], settings))
    return torch.cat(mixed)


def _mix(
    smooth: torch.Tensor, detail: torch.Tensor, weights: torch.Tensor, settings: ProjectionSettings
) -> torch.Tensor:
    """Colors [n, 3] from two bands of the chosen views, [chosen, n, 3] each.

    Views far from the mean of all weigh less.
    """
    distance = (smooth - _weighted_mean(smooth, weights)).norm(dim=2)
    agreed = weights / (1 + (distance / settings.disagreement) ** 2)
    share = agreed / agreed.amax(dim=0).clamp_min(1e-12)
    fine = _weighted_mean(detail, share**settings.detail_power)
    return (_weighted_mean(smooth, agreed) + fine).clamp(0.0, 1.0)


def _weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean [n, 3] over the first axis of [views, n, 3] with weights [views, n]."""
    total = weights.sum(dim=0).clamp_min(1e-12)
    return (values * weights[..., None]).sum(dim=0) / total[:, None]


def color_unseen(positions: torch.Tensor, colors: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Give points no view sees the mean color of the nearest seen ones, found on the CPU.

    Args:
        positions: [n, 3].
        colors: [n, 3].
        seen: [n].
    """
    if seen.all() or not seen.any():
        return colors
    at, shown, known = (each.cpu().numpy() for each in (positions, colors, seen))
    sources = np.flatnonzero(known)
    sources = sources[:: max(1, len(sources) // 200_000)]
    neighbors = range(1, min(8, len(sources)) + 1)
    distance, nearest = cKDTree(at[sources]).query(
        at[~known], neighbors, workers=torch.get_num_threads()
    )
    weights = 1.0 / (distance + 1e-4)
    weights /= weights.sum(axis=1, keepdims=True)
    found = np.einsum("nk,nkc->nc", weights, shown[sources[nearest]])
    filled = colors.clone()
    filled[~seen] = torch.from_numpy(found).to(colors)
    return filled


def _farthest_visible(depth: torch.Tensor) -> torch.Tensor:
    """Depth [height, width] up to which a point counts as seen: the farthest neighbor's."""
    finite = torch.where(depth.isfinite(), depth, torch.zeros_like(depth))
    return F.max_pool2d(finite[None, None], 3, stride=1, padding=1)[0, 0]


def _trust(depth: torch.Tensor, mask: torch.Tensor, edge_pixels: float) -> torch.Tensor:
    """Trust [height, width] that grows from 0 at outlines and depth edges to 1 inside."""
    finite = torch.where(depth.isfinite(), depth, torch.zeros_like(depth))
    edge, surface = mask < PURE_COVERAGE, finite[finite > 0]
    if len(surface):
        threshold = 0.02 * _median(surface)
        for axis in (0, 1):
            jump = finite.diff(dim=axis).abs() > threshold
            for side in (0, 1):
                edge.narrow(axis, side, jump.shape[axis]).logical_or_(jump)
    squared = _squared_edge_distance(edge, int(np.ceil(edge_pixels)) - 1)
    distances = np.sqrt(np.arange(int(edge_pixels**2) + 2)) / edge_pixels
    trust = torch.from_numpy(np.clip(distances, 0.02, 1.0).astype(np.float32)).to(depth)
    return trust[squared.clamp(max=len(trust) - 1).long()]


def _median(values: torch.Tensor) -> torch.Tensor:
    """The median [] of values [n], the mean of the two in the middle where n is even."""
    below, above = (len(values) + 1) // 2, len(values) // 2 + 1
    return (values.kthvalue(below).values + values.kthvalue(above).values) / 2


def _squared_edge_distance(edge: torch.Tensor, reach: int) -> torch.Tensor:
    """Squared pixels to the nearest edge up to `reach` rows and columns away, [height, width].

    The frame is an edge, too. Where there is none within reach it is more than `reach` squared.
    """
    found = torch.where(edge, 0, (reach + 1) ** 2).short()
    found = F.pad(found, (reach,) * 4)
    for axis in (0, 1):
        count = found.shape[axis] - 2 * reach
        shifts = range(-reach, reach + 1)
        near = [found.narrow(axis, reach + shift, count) + shift**2 for shift in shifts]
        found = reduce(torch.minimum, near)
    return found
