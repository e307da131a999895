# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of a shape in views that it was not fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..mesh.cleaning import keep_solid_parts
from ..mesh.isosurface import extract_isosurface
from ..mesh.texture import color_vertices
from ..mesh.view_colors import without_background
from ..mesh.view_geometry import Camera, render_geometry
from ..shared.errors import NoSurface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..field.field import PointFunction
    from ..mesh.triangle_mesh import TriangleMesh
    from ..mesh.view_geometry import RenderedGeometry
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View

RESOLUTION = 128  # of the meshes compared


@dataclass(frozen=True)
class NovelViewMetric:
    """Colors a shape from some views and compares its render with others.

    Attributes:
        color_views: the views that give the color.
        held_out_views: the views to compare with.
        normalization: from their world to the model's.
        half_side: of the model's box.
    """

    color_views: Sequence[View]
    held_out_views: Sequence[View]
    normalization: Normalization
    half_side: float

    def surface_of(self, shape: PointFunction, progress: Progress) -> TriangleMesh:
        """The mesh of a shape's signed distance at the resolution of the comparison.

        Raises:
            NoSurface: if there is none.
        """
        return keep_solid_parts(extract_isosurface(shape, self.half_side, RESOLUTION, progress))

    def colors_of(self, mesh: TriangleMesh, progress: Progress) -> NDArray[np.float32]:
        """The color of every vertex, [vertices, 3], from the views that give it."""
        return color_vertices(mesh, self.color_views, self.normalization, progress)

    def squared_error(self, signed_distance: PointFunction, progress: Progress) -> float:
        """Mean squared error of the color over white, over all pixels of the held-out views.

        It is infinite for a shape without a surface.
        """
        try:
            mesh = self.surface_of(signed_distance, progress)
        except NoSurface:
            return math.inf
        colors = self.colors_of(mesh, progress)
        errors = [self._error_in(view, mesh, colors) for view in self.held_out_views]
        return float(np.mean(errors))

    def _error_in(self, view: View, mesh: TriangleMesh, colors: NDArray[np.float32]) -> float:
        """Mean squared error in one view."""
        pose = self.normalization.apply_to_pose(view.camera_to_world)
        camera = Camera.from_pose(view.intrinsics, pose, torch.device("cpu"))
        return error_over_white(view, mesh, colors, render_geometry(mesh, camera))


def error_over_white(
    view: View, mesh: TriangleMesh, colors: NDArray[np.float32], geometry: RenderedGeometry
) -> float:
    """Mean squared error of a mesh with colors [vertices, 3] in a view, over all its pixels.

    Args:
        view: to compare with.
        mesh: model space.
        colors: sRGB in 0..1.
        geometry: the mesh as the view's camera sees it.
    """
    seen = geometry.fragments
    corners = torch.from_numpy(colors[mesh.faces[seen.face.numpy()]])
    image = np.ones((view.intrinsics.height * view.intrinsics.width, 3), dtype=np.float32)
    image[seen.pixel.numpy()] = (corners * seen.barycentric[..., None]).sum(dim=1).numpy()
    coverage = view.mask[..., None]
    truth = without_background(view) * coverage + (1 - coverage)
    return float(np.mean((image - truth.reshape(-1, 3)) ** 2))
