# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory that the stages around the network need on a device, estimated from the views.

Bytes per sample, row, node or texel are those of the tensors that are alive together; the tests
count them on a simulated GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.core.chunk_size import CHUNK_BYTES

from .field.config import HALF_SIDE
from .materials.estimate import LONGEST_EDGE
from .mesh.isosurface import POINTS_PER_CHUNK
from .mesh.surfaces import MESH_RESOLUTION
from .mesh.texture_size import COVERED, size_for
from .model.weights.memory import MemoryNeed
from .refine.training_rays import bytes_per_ray
from .stereo.stereo_start import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .refine.config import RefineConfig
    from .request import ReconstructRequest
    from .views.views import View

NODE_BYTES = 24
"""Of a node of the grid that is meshed: its distance, whether it is near the surface, its place."""

POINT_BYTES = 500
"""Of a point at which a field is evaluated: its corners, their rows and weights."""

CELL_BYTES = 6
"""Of a cell of the network's occupancy: sampled, occupied, wanted, and grown by some cells."""

ROW_BYTES = 900
"""Of a row of the fit: its neighbors, three stencils and their inverses, Adam, gradients."""

SAMPLE_BYTES = 85
"""Of a sample of a training ray: its ray and point, the rows around it, their weights."""

VERTEX_BYTES = 1500
"""Of a vertex of the materials: its neighbors, the light from all sides, that of some cells."""

OBSERVATION_BYTES = 180
"""Of a vertex in a view: what is seen, what two materials would show, and how they differ."""

VERTICES_PER_EDGE = 2.5
"""Of a surface whose edges were halved until none is longer, per square of the longest."""

TEXEL_BYTES = 420
"""Of a covered texel: its point, normal and corners, the views chosen for it, their colors."""

PIXEL_BYTES = 60
"""Of a pixel of a view as it was taken, with and without its detail."""

STEREO_PIXEL_BYTES = 1600
"""Of a pixel in which a depth is found: its patch in this and another view, its ray."""

SURFACE_SQUARES = 2.5
"""Area of a usual surface, in squares of the volume's side."""

SMALLER_SURFACE = "Use a smaller texture, smaller views, or the processor (--device cpu)."

SIDES_SEEN = 4
"""Sides of an object that are seen apart: so many views show all of it once."""


def plan_surface(
    views: Sequence[View], request: ReconstructRequest, config: RefineConfig, cells: int = 0
) -> MemoryNeed:
    """The need of each stage.

    Args:
        views: in the size they have in memory.
        request: of the job: the size of textures, and what is left out.
        config: of the fit.
        cells: along a side of the network's occupancy, if there is a network.
    """
    images = sum(view.mask.size for view in views) * 4
    pixels = sum(int((view.mask > 0).sum()) for view in views)
    grid = NODE_BYTES * (MESH_RESOLUTION + 1) ** 3 + POINT_BYTES * POINTS_PER_CHUNK
    stages = {"hull": images + grid, "mesh": images + grid + CELL_BYTES * cells**3}
    if request.refine != "off":
        stages["stereo"] = images + grid + STEREO_PIXEL_BYTES * min(MAX_PIXELS, pixels)
        stages["refine"] = images + grid + _fit(config, min(config.max_rays, pixels))
    largest = max(view.full_intrinsics.width * view.full_intrinsics.height for view in views)
    if request.material != "rgb":
        stages["materials"] = images + CHUNK_BYTES + _materials(views, request)
    texels = COVERED * _texture_size(views, request) ** 2
    stages["texture"] = images + PIXEL_BYTES * largest + int(TEXEL_BYTES * texels)
    return MemoryNeed(stages, remedy=SMALLER_SURFACE)


def _fit(config: RefineConfig, rays: int) -> int:
    """Bytes of the largest level: its grids, rows, samples of all rays, and a batch sampled."""
    needs = []
    for level in config.levels:
        rows = SURFACE_SQUARES * level.resolution**2 * 2 * level.band
        spacing = 2 * HALF_SIDE / (level.resolution - 1)
        batch = min(config.rays_per_step, rays) * bytes_per_ray(spacing)
        samples = rays * 2 * level.band
        grids = NODE_BYTES * level.resolution**3
        needs.append(grids + int(ROW_BYTES * rows + SAMPLE_BYTES * samples) + batch)
    return max(needs)


def _materials(views: Sequence[View], request: ReconstructRequest) -> int:
    """Bytes of the vertices of the materials: of the mesh, and where its edges are halved."""
    squares = SURFACE_SQUARES * (2 * HALF_SIDE / LONGEST_EDGE) ** 2
    vertices = int(request.faces) // 2 + int(VERTICES_PER_EDGE * squares)
    return vertices * (VERTEX_BYTES + OBSERVATION_BYTES * len(views))


def _texture_size(views: Sequence[View], request: ReconstructRequest) -> int:
    """The side of the texture: as requested, or as the pixels of the object let expect."""
    if request.texture_size != "auto":
        return int(request.texture_size)
    shares = [float((view.mask > 0).mean()) for view in views]
    taken = [view.full_intrinsics.width * view.full_intrinsics.height for view in views]
    return size_for(SIDES_SEEN * float(np.mean(np.multiply(shares, taken))))
