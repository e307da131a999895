# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences of exposure between the views, from what they see of the hull in common.

The hull is not the surface, and the light is still in the colors: one brightness for each view is
all that they say. Textures know the surface, and have gains of each channel: `mesh.exposure`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..mesh.exposure import colors_in_views
from ..mesh.photo_projection import PhotoProjector, ProjectionSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import TriangleMesh
    from ..mesh.view_geometry import RenderedGeometry
    from ..views.views import View

TOLERATED = 0.2
"""Gains that differ less from each other are left: lighting and an inexact hull cause as much."""

LEAST_SHARED = 50
"""Vertices that two views must see in common to be compared."""

DARKEST = 0.05
"""Brightness below which a ratio says nothing."""


def exposure_gains(
    views: Sequence[View], mesh: TriangleMesh, geometries: Sequence[RenderedGeometry]
) -> NDArray[np.float64]:
    """The brightness of every view in units of their geometric mean, [views].

    It is the least-squares solution for the median ratios of all pairs of views.

    Args:
        views: of one object.
        mesh: of their hull, model space.
        geometries: the hull as the views see it.
    """
    brightness = _vertex_brightness(views, mesh, geometries)
    rows, ratios = [], []
    for first in range(len(views)):
        for second in range(first):
            both = (brightness[first] > DARKEST) & (brightness[second] > DARKEST)
            if both.sum() >= LEAST_SHARED:
                row = np.zeros(len(views))
                row[first], row[second] = 1.0, -1.0
                rows.append(row)
                difference = np.log(brightness[first, both] / brightness[second, both])
                ratios.append(float(np.median(difference)))
    if not rows:
        return np.ones(len(views))
    gains, *_ = np.linalg.lstsq(np.stack(rows), np.array(ratios), rcond=None)
    if np.ptp(gains) < TOLERATED:
        return np.ones(len(views))
    result: NDArray[np.float64] = np.exp(gains - gains.mean())
    return result


def _vertex_brightness(
    views: Sequence[View], mesh: TriangleMesh, geometries: Sequence[RenderedGeometry]
) -> NDArray[np.float32]:
    """The mean of the channels where a view sees a vertex, else 0, [views, vertices]."""
    projectors = (
        PhotoProjector.from_geometry(view, geometry, ProjectionSettings())
        for view, geometry in zip(views, geometries, strict=True)
    )
    looks = colors_in_views(mesh.vertices, mesh.vertex_normals, views, projectors)
    return np.stack([np.where(seen > 0, shown.mean(axis=1), 0.0) for shown, seen in looks])
