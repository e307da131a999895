# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of the surface the views show; the rest is filled in from its neighborhood."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ..mesh.texture import spread, texels_of
from .estimate import weld
from .observations import LEAST_COSINE, above
from .ray_caster import RayCaster
from .surface_graph import SurfaceGraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View

    Floats = NDArray[np.float64]

MAP_SIZE = 512


def surface_coverage(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
) -> Floats:
    """How squarely the best view sees each vertex of a mesh, [vertices].

    The cosine between the normal and the direction to that view; 0 where no view sees the vertex.

    Args:
        unwrapped: the mesh, normalized frame.
        views: of it.
        normalization: from their world.
        progress: checked for cancel.
    """
    mesh, welded = weld(unwrapped)
    graph, rays = SurfaceGraph(mesh), RayCaster(mesh)
    best = torch.zeros(len(mesh.vertices))
    for view in views:
        progress.check()
        position = graph.vertices.new_tensor(normalization.apply(view.camera_to_world[:3, 3]))
        towards = F.normalize(position - graph.vertices, dim=1)
        cosine = (towards * graph.normals).sum(dim=1)
        better = ((cosine > LEAST_COSINE) & (cosine > best)).nonzero()[:, 0]
        origins = above(graph, better, towards[better])
        free = better[~rays.is_blocked(origins, towards[better])]
        best[free] = cosine[free]
    return best.double().numpy()[welded]


def unseen_share(unwrapped: UnwrappedMesh, coverage: Floats) -> float:
    """The share of the area of a mesh that no view sees.

    Args:
        unwrapped: the mesh.
        coverage: of its vertices, as `surface_coverage` has it.
    """
    area = np.linalg.norm(unwrapped.mesh.face_cross, axis=1)
    unseen = (coverage[unwrapped.mesh.faces] == 0.0).mean(axis=1)
    return float(np.average(unseen, weights=area))


def coverage_map(unwrapped: UnwrappedMesh, coverage: Floats) -> NDArray[np.uint8]:
    """A texture of the mesh [size, size], 0 where it is unseen and 255 where it is seen squarely.

    Args:
        unwrapped: the mesh.
        coverage: of its vertices, as `surface_coverage` has it.
    """
    texels = texels_of(replace(unwrapped, texture_size=MAP_SIZE))
    values = texels.interpolate(torch.from_numpy(coverage[:, None]).float())
    image = spread(values, texels)[..., 0]
    displayed: NDArray[np.uint8] = np.rint(image.clip(0.0, 1.0) * 255).astype(np.uint8)
    return displayed
