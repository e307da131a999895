# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of a mesh from its views and their light: observe, trace, fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..mesh.triangle_mesh import TriangleMesh
from .fitting import fit_materials
from .light_transport import trace_light
from .observations import observe
from .ray_caster import RayCaster
from .surface_graph import SurfaceGraph
from .surface_materials import SurfaceMaterials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .light_transport import Light


def estimate_materials(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    known: Light,
    progress: Progress,
) -> SurfaceMaterials:
    """Separate materials from light.

    Args:
        unwrapped: the mesh, normalized frame, whose axes are those of the world of the views.
        views: of the object.
        normalization: from their world.
        known: the light of the views.
        progress: receives fractions of the stage `materials`.
    """
    mesh, welded = weld(unwrapped)
    graph, rays = SurfaceGraph(mesh), RayCaster(mesh)
    progress.report("materials", 0.0, "looking at every vertex")
    seen = observe(graph, rays, views, normalization, progress)
    radiance = graph.filled(seen.mean_radiance, seen.seen)
    progress.report("materials", 0.2, "tracing the light")
    light = trace_light(graph, rays, known, radiance, progress)
    progress.report("materials", 0.5, "comparing materials")
    materials = fit_materials(graph, seen, light, progress)
    shaded = replace(unwrapped, normals=graph.shading_normals[welded])
    return SurfaceMaterials(shaded, welded, materials)


def weld(unwrapped: UnwrappedMesh) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The mesh without seams, and the vertex of it that each unwrapped vertex is, [vertices]."""
    vertices, index = np.unique(unwrapped.mesh.vertices, axis=0, return_inverse=True)
    index = index.reshape(-1)
    return TriangleMesh(vertices, index[unwrapped.mesh.faces]), index
