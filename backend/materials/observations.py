# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the views saw of each vertex: its radiance, how far to trust it, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from scipy.ndimage import distance_transform_edt
from torch.nn import functional as F

from ..mesh.view_geometry import Camera, sample_image
from ..views.tensor_colors import linear_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

PURE_COVERAGE = 0.98
EDGE_PIXELS = 3.0
"""Within this distance of an outline a view is trusted less."""

SATURATED = 0.985
SATURATED_TRUST = 0.02
"""Not zero: a texel that is white in every view is white."""

GRAZING = 0.2
GRAZING_TRUST = 0.01
LEAST_COSINE = 0.05
"""A view that meets the surface at a flatter angle shows nothing of it."""

DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class Observations:
    """The vertices of a surface as the views show them.

    Attributes:
        radiance: linear RGB as displayed, [vertices, views, 3].
        weight: trust, zero where a view does not see a vertex, mean 1, [vertices, views].
        direction: unit, from the vertex towards the camera, [vertices, views, 3].
    """

    radiance: Tensor
    weight: Tensor
    direction: Tensor

    def at(self, rows: slice) -> Observations:
        """Some of the vertices only."""
        return Observations(self.radiance[rows], self.weight[rows], self.direction[rows])

    @cached_property
    def evidence(self) -> Tensor:
        """How well each vertex is seen, mean 1, [vertices]."""
        return self.weight.mean(dim=1)

    @cached_property
    def seen(self) -> Tensor:
        """Which vertices any view sees, [vertices]."""
        return self.weight.sum(dim=1) > 1e-6

    @cached_property
    def mean_radiance(self) -> Tensor:
        """The weighted mean over the views, [vertices, 3]; black where no view sees a vertex."""
        total = self.weight.sum(dim=1).clamp_min(1e-9)[:, None]
        return (self.weight[..., None] * self.radiance).sum(dim=1) / total

    @cached_property
    def precision(self) -> Tensor:
        """The weight of a squared error of radiance: less where it is bright, like `radiance`."""
        return self.weight[..., None] / (self.radiance + 0.03) ** 1.1

    @cached_property
    def displayed(self) -> Tensor:
        """Radiance as displayed, 0..1, like `radiance`."""
        return gamma_encoded(self.radiance)


def gamma_encoded(radiance: Tensor) -> Tensor:
    """Radiance of any shape about as a display shows it, 0..1."""
    return radiance.clamp(0.0, 1.0) ** (1.0 / DISPLAY_GAMMA)


def observe(
    graph: SurfaceGraph,
    rays: RayCaster,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    span: tuple[float, float] = (0.0, 1.0),
) -> Observations:
    """Look at every vertex from every view.

    Args:
        graph: of the mesh, normalized frame.
        rays: against the same mesh.
        views: with their images.
        normalization: from the world of the views.
        progress: receives fractions of the stage `materials`.
        span: its fractions at which this begins and ends.
    """
    radiance, weight, direction = [], [], []
    for view in progress.each("materials", views, len(views), span, "looking at every vertex"):
        pose = normalization.apply_to_pose(view.camera_to_world)
        camera = Camera.from_pose(view.intrinsics, pose, graph.device)
        towards = F.normalize(camera.position - graph.vertices, dim=1)
        values, depth = _sampled(view, camera, graph.vertices)
        cosine = (towards * graph.shading_normals).sum(dim=1)
        visible = cosine > LEAST_COSINE
        facing = visible.nonzero()[:, 0]
        blocked = rays.is_blocked(above(graph, facing, towards[facing]), towards[facing])
        visible[facing] = ~blocked
        trust = visible * cosine.clamp_min(0.0).square() / depth.square()
        trust = trust * ((values[:, 3] - 0.5) / EDGE_PIXELS).clamp(0.0, 1.0)
        trust = torch.where(values[:, 4] > SATURATED, trust * SATURATED_TRUST, trust)
        weight.append(torch.where(cosine < GRAZING, trust * GRAZING_TRUST, trust))
        radiance.append(values[:, :3])
        direction.append(towards)
    weights = torch.stack(weight, dim=1)
    weights = weights / weights.mean().clamp_min(1e-12)
    return Observations(_planes(radiance), weights, _planes(direction))


def _planes(of_views: list[Tensor]) -> Tensor:
    """Values of each view [vertices, 3] as [vertices, views, 3], in memory channel by channel.

    What is computed of them keeps this order, and a sum over channels adds whole planes.
    """
    return torch.stack([each.T for each in of_views], dim=2).movedim(0, -1)


def above(graph: SurfaceGraph, vertices: Tensor, directions: Tensor) -> Tensor:
    """Origins of rays that do not hit the faces around the vertices [n] they leave, [n, 3].

    Args:
        graph: of the surface.
        vertices: by number, [n].
        directions: unit, [n, 3], or one for all, [3].
    """
    return graph.lifted[vertices] + (0.3 * graph.edge_length) * directions


def _sampled(view: View, camera: Camera, points: Tensor) -> tuple[Tensor, Tensor]:
    """Linear color, pixels to the outline, and brightest channel [n, 5]; and depth [n]."""
    display = torch.from_numpy(view.image).float().to(points.device)
    inside = torch.from_numpy(distance_transform_edt(view.mask >= PURE_COVERAGE))
    shown = linear_of(display).permute(2, 0, 1)
    planes = [shown, inside.to(shown)[None], display.amax(dim=2)[None]]
    pixels, depth = camera.project(points)
    return sample_image(torch.cat(planes), pixels), depth
