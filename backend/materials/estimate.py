# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of a mesh from its views and their light: observe, trace, fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..mesh.exposure import estimate_gains
from ..mesh.triangle_mesh import TriangleMesh
from .fitting import fit_materials, fit_matt
from .light_estimate import estimate_light
from .light_transport import Light, trace_light
from .observations import observe
from .ray_caster import RayCaster
from .shading_detail import without_lumps
from .subdivision import subdivide
from .surface_graph import SurfaceGraph
from .surface_materials import SurfaceMaterials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .fitting import VertexMaterials
    from .light_transport import LightTransport
    from .observations import Observations


LEAST_EXPLAINED = 0.015
"""The share of the differences between like neighbors that an estimated light must explain in the
half of the surface it is not made from. On the tuning objects of the quality benchmark it explains
.03 to .35 of those that kiara_1_dawn makes, and under even light .003 where nothing is shadowed."""

LONGEST_EDGE = 0.02
"""Of triangles between whose corners light and materials are interpolated, model units.

A mesh of few faces can be lit and painted in finer detail than its corners show. On the true
shapes of the bottle (4,510 faces) and the teapot of the quality benchmark, base color gains 5 and
1.5 dB; .012 gains another .5 dB, but doubles the vertices of plain surfaces."""

LONGEST_IN_PIXELS = 3.0
"""The same in pixels of the views, where that is more: they show nothing finer."""

OBSERVING, FITTING = (0.0, 0.1), (0.4, 1.0)
"""Fractions of the stage between which views are looked at and materials are compared."""

ESTIMATING = (0.1, 0.6)
"""The same for the estimate of a light."""


def estimate_materials(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    known: Light,
    progress: Progress,
    device: torch.device | None = None,
) -> SurfaceMaterials:
    """Separate materials from light.

    Args:
        unwrapped: the mesh, normalized frame, whose axes are those of the world of the views.
        views: of the object.
        normalization: from their world.
        known: the light of the views.
        progress: receives fractions of the stage `materials`.
        device: that computes; the CPU if it is None.
    """
    surface = _ObservedSurface.of(unwrapped, views, normalization, progress, device)
    traced = surface.trace(known, progress, (OBSERVING[1], FITTING[0]))
    light = without_lumps(surface.graph, surface.seen, surface.radiance, traced)
    materials = fit_materials(surface.graph, surface.seen, light, progress, FITTING)
    return surface.with_materials(materials, light.normals)


def estimate_unlit(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    device: torch.device | None = None,
) -> SurfaceMaterials | None:
    """Separate base color from a light that is not known; nothing if there is no evidence of it.

    Reflections need to know more of the light than a matt surface shows: roughness is 1, and
    nothing is metallic.

    Args:
        unwrapped: the mesh, normalized frame, whose axes are those of the world of the views.
        views: of the object, whose exposures may differ.
        normalization: from their world.
        progress: receives fractions of the stage `materials`.
        device: that computes; the CPU if it is None.
    """
    surface = _ObservedSurface.of(unwrapped, views, normalization, progress, device)
    exposures = estimate_gains(unwrapped.mesh, views, normalization, progress, device)
    seen = surface.seen
    gains = seen.radiance.new_tensor(1.0 if exposures is None else exposures)
    seen = replace(seen, radiance=seen.radiance * gains)
    found = estimate_light(surface.graph, surface.rays, seen, progress, ESTIMATING)
    if found is None or found.unexplained > 1.0 - LEAST_EXPLAINED:
        return None
    surface = replace(surface, seen=seen)
    light = surface.trace(Light(found.environment), progress, (ESTIMATING[1], 1.0))
    materials = fit_matt(surface.graph, seen, light)
    materials = replace(materials, response=materials.response.scaled(1.0 / gains))
    return replace(surface.with_materials(materials, light.normals), estimated_light=found)


@dataclass(frozen=True)
class _ObservedSurface:
    """A mesh and what the views saw of it.

    Attributes:
        unwrapped: the mesh, its long edges halved.
        welded: the vertex of the graph of every vertex of the mesh, [vertices].
        graph: the mesh without seams, on the device that computes.
        rays: against the same.
        seen: what the views saw of its vertices.
    """

    unwrapped: UnwrappedMesh
    welded: NDArray[np.int64]
    graph: SurfaceGraph
    rays: RayCaster
    seen: Observations

    @classmethod
    def of(
        cls,
        unwrapped: UnwrappedMesh,
        views: Sequence[View],
        normalization: Normalization,
        progress: Progress,
        device: torch.device | None,
    ) -> _ObservedSurface:
        """Look at the mesh."""
        fine = subdivide(unwrapped, longest_edge(views, normalization))
        mesh, welded = weld(fine)
        graph = SurfaceGraph(mesh, _welded_normals(fine, welded), device)
        rays = RayCaster(mesh)
        seen = observe(graph, rays, views, normalization, progress, OBSERVING)
        return cls(fine, welded, graph, rays, seen)

    @cached_property
    def radiance(self) -> Tensor:
        """What the views show, filled in where none looks, [vertices, 3]."""
        return self.graph.filled(self.seen.mean_radiance, self.seen.seen)

    def trace(self, light: Light, progress: Progress, span: tuple[float, float]) -> LightTransport:
        """The light that reaches every vertex."""
        return trace_light(self.graph, self.rays, light, self.radiance, progress, span)

    def with_materials(self, materials: VertexMaterials, normals: Tensor) -> SurfaceMaterials:
        """The mesh with materials, and shading normals [vertices of the graph, 3]."""
        welded = torch.from_numpy(self.welded).to(normals.device)
        shaded = replace(self.unwrapped, normals=normals[welded].double().cpu().numpy())
        return SurfaceMaterials(shaded, welded, materials)


def longest_edge(views: Sequence[View], normalization: Normalization) -> float:
    """Of the triangles that materials are estimated on, in model units."""
    poses = (normalization.apply_to_pose(view.camera_to_world) for view in views)
    pixels = [
        np.linalg.norm(pose[:3, 3]) / view.intrinsics.fx
        for pose, view in zip(poses, views, strict=True)
    ]
    return max(LONGEST_EDGE, LONGEST_IN_PIXELS * float(np.median(pixels)))


def _welded_normals(unwrapped: UnwrappedMesh, welded: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean normals of the vertices that are one, unit, [welded vertices, 3]."""
    total = [np.bincount(welded, unwrapped.normals[:, axis]) for axis in range(3)]
    summed = np.stack(total, axis=1)
    unit: NDArray[np.float64] = summed / np.linalg.norm(summed, axis=1, keepdims=True).clip(1e-12)
    return unit


def weld(unwrapped: UnwrappedMesh) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The mesh without seams, and the vertex of it that each unwrapped vertex is, [vertices]."""
    vertices, index = np.unique(unwrapped.mesh.vertices, axis=0, return_inverse=True)
    index = index.reshape(-1)
    return TriangleMesh(vertices, index[unwrapped.mesh.faces]), index
