# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the views saw of each vertex: its radiance, how far to trust it, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ..mesh.view_geometry import Camera, sample_image
from ..shared.srgb import srgb_to_linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

PURE_COVERAGE = 0.98
EDGE_PIXELS = 3.0
"""Within this distance of an outline a view is trusted less."""

SATURATED = 0.985
SATURATED_TRUST = 0.02
"""Not zero: a texel that is white in every view is white."""

GRAZING = 0.2
GRAZING_TRUST = 0.01


@dataclass(frozen=True)
class Observations:
    """The vertices of a surface as the views show them.

    Attributes:
        radiance: linear RGB as displayed, [vertices, views, 3].
        weight: trust, zero where a view does not see a vertex, mean 1, [vertices, views].
        direction: unit, from the vertex towards the camera, [vertices, views, 3].
    """

    radiance: Floats
    weight: Floats
    direction: Floats

    @cached_property
    def evidence(self) -> Floats:
        """How well each vertex is seen, mean 1, [vertices]."""
        evidence: Floats = self.weight.mean(axis=1)
        return evidence

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Which vertices any view sees, [vertices]."""
        seen: NDArray[np.bool_] = self.weight.sum(axis=1) > 1e-6
        return seen

    @cached_property
    def mean_radiance(self) -> Floats:
        """The weighted mean over the views, [vertices, 3]; black where no view sees a vertex."""
        total = np.maximum(self.weight.sum(axis=1), 1e-9)[:, None]
        mean: Floats = (self.weight[..., None] * self.radiance).sum(axis=1) / total
        return mean


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
        towards = pose[:3, 3] - graph.mesh.vertices
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        values, depth = _sampled(view, pose, graph.mesh.vertices)
        cosine = (towards * graph.shading_normals).sum(axis=1)
        visible = (cosine > 0.05) & ~rays.is_blocked(above(graph, towards), towards)
        trust = visible * cosine.clip(0.0) ** 2 / depth**2
        trust *= np.clip((values[:, 3] - 0.5) / EDGE_PIXELS, 0.0, 1.0)
        trust = np.where(values[:, 4] > SATURATED, trust * SATURATED_TRUST, trust)
        weight.append(np.where(cosine < GRAZING, trust * GRAZING_TRUST, trust))
        radiance.append(values[:, :3])
        direction.append(towards)
    weights = np.stack(weight, axis=1)
    weights /= max(float(weights.mean()), 1e-12)
    return Observations(np.stack(radiance, axis=1), weights, np.stack(direction, axis=1))


def above(graph: SurfaceGraph, directions: Floats) -> Floats:
    """Origins of rays from all vertices that do not hit the faces around them, [vertices, 3]."""
    return graph.mesh.vertices + graph.edge_length * (0.5 * graph.normals + 0.3 * directions)


def _sampled(view: View, pose: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Linear color, pixels to the outline, and brightest channel [n, 5]; and depth [n]."""
    display = view.image.astype(np.float64)
    inside = distance_transform_edt(view.mask >= PURE_COVERAGE)
    planes = [*np.moveaxis(srgb_to_linear(display), 2, 0), inside, display.max(axis=2)]
    camera = Camera.from_pose(view.intrinsics, pose, torch.device("cpu"))
    pixels, depth = camera.project(torch.from_numpy(points).float())
    values = sample_image(torch.from_numpy(np.stack(planes)).float(), pixels)
    return values.double().numpy(), depth.double().numpy()
