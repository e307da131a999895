# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of a shape in views that it was not fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..mesh.cleaning import keep_solid_parts
from ..mesh.isosurface import extract_isosurface
from ..mesh.photo_projection import PhotoProjector, camera_of
from ..mesh.texture import project_on_vertices
from ..mesh.view_colors import ViewColors
from ..mesh.view_geometry import render_geometry
from ..shared.errors import NoSurface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

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
        device: that looks at surfaces; the CPU if it is None.
    """

    color_views: Sequence[View]
    held_out_views: Sequence[View]
    normalization: Normalization
    half_side: float
    device: torch.device | None = None

    def surface_of(self, shape: PointFunction, progress: Progress) -> TriangleMesh:
        """The mesh of a shape's signed distance at the resolution of the comparison.

        Raises:
            NoSurface: if there is none.
        """
        mesh = extract_isosurface(shape, self.half_side, RESOLUTION, progress, self.device)
        return keep_solid_parts(mesh)

    def colors_of(self, mesh: TriangleMesh, progress: Progress) -> Tensor:
        """The color of every vertex, [vertices, 3], from the views that give it."""
        seen = self.color_views, self.normalization, mesh, self.device
        projectors = PhotoProjector.of_views(*seen)
        return project_on_vertices(mesh, projectors, self._colors, progress, self.device)

    def squared_error(self, signed_distance: PointFunction, progress: Progress) -> float:
        """Mean squared error of the color over white, over all pixels of the held-out views.

        It is infinite for a shape without a surface.
        """
        try:
            mesh = self.surface_of(signed_distance, progress)
        except NoSurface:
            return math.inf
        colors = self.colors_of(mesh, progress)
        errors = []
        for view, shown in zip(self.held_out_views, self._held_out_colors, strict=True):
            geometry = render_geometry(mesh, shown.camera)
            errors.append(error_over_white(view, shown, mesh, colors, geometry))
        return float(np.mean(errors))

    @cached_property
    def _colors(self) -> list[ViewColors]:
        """What the views show that give the color."""
        return self._shown_by(self.color_views)

    @cached_property
    def _held_out_colors(self) -> list[ViewColors]:
        """What the views show that are compared with."""
        return self._shown_by(self.held_out_views)

    def _shown_by(self, views: Sequence[View]) -> list[ViewColors]:
        cameras = [camera_of(view, self.normalization, self.device) for view in views]
        return [ViewColors.in_memory(*each) for each in zip(views, cameras, strict=True)]


def error_over_white(
    view: View, shown: ViewColors, mesh: TriangleMesh, colors: Tensor, geometry: RenderedGeometry
) -> float:
    """Mean squared error of a mesh with colors [vertices, 3] in a view, over all its pixels.

    Args:
        view: to compare with.
        shown: its colors in memory.
        mesh: model space.
        colors: sRGB in 0..1.
        geometry: the mesh as the view's camera sees it.
    """
    seen, truth = geometry.fragments, shown.image.flatten(1).T
    image = torch.ones_like(truth)
    image[seen.pixel] = seen.interpolate(colors, torch.from_numpy(mesh.faces).to(seen.face))
    coverage = torch.from_numpy(view.mask).to(truth).reshape(-1, 1)
    return float(((image - (truth * coverage + (1 - coverage))) ** 2).mean())
