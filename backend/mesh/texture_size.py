# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a texture must be so that it keeps what the views show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Normalization
    from ..views.views import View
    from .triangle_mesh import TriangleMesh

SMALLEST, LARGEST = 512, 4096
"""Bounds of a size that is chosen; a larger one must be requested."""

COVERED, GUTTERS = 0.7, 128
"""Charts cover about this share of a texture, less so many texels along its side for gutters."""

TEXELS_PER_PIXEL = 1.5
"""In area: texels do not lie along the pixels of a view."""

LEAST_FACING = 0.3
"""Cosine below which a view is too oblique to be a face's best one."""


def choose_texture_size(
    mesh: TriangleMesh, views: Sequence[View], normalization: Normalization
) -> int:
    """The smallest power of two with a texel for about each pixel that shows the surface best.

    Args:
        mesh: the surface, normalized frame.
        views: that the texture is made from, counted in the size they were taken.
        normalization: from their world.

    Returns:
        Side of the texture in texels, within the bounds.
    """
    area = 0.5 * np.linalg.norm(mesh.face_cross, axis=1)
    return size_for(float((area * _best_density(mesh, views, normalization)).sum()))


def size_for(pixels: float) -> int:
    """The smallest power of two whose charts have texels for so many pixels of the surface."""
    texels, size = TEXELS_PER_PIXEL * pixels, SMALLEST
    while size < LARGEST and size * (COVERED * size - GUTTERS) < texels:
        size *= 2
    return size


def _best_density(
    mesh: TriangleMesh, views: Sequence[View], normalization: Normalization
) -> NDArray[np.float64]:
    """Pixels per unit area of each face, if it were turned towards its nearest view, [faces]."""
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    length = np.linalg.norm(mesh.face_cross, axis=1, keepdims=True)
    normals = mesh.face_cross / np.maximum(length, 1e-12)
    best = np.zeros(len(centers))
    for view in views:
        pose = normalization.apply_to_pose(view.camera_to_world)
        towards = pose[:3, 3] - centers
        distance = np.linalg.norm(towards, axis=1)
        facing = (towards * normals).sum(axis=1) > LEAST_FACING * distance
        lens = view.full_intrinsics
        depth = np.maximum(towards @ pose[:3, 2], 1e-6)
        best = np.maximum(best, np.where(facing, lens.fx * lens.fy / depth**2, 0.0))
    return best
