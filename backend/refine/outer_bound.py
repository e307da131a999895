# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far out a surface may lie: the visual hull, trusted as far as it explains its own masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_erosion

from ..mesh.view_geometry import Camera, render_geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..field.field import PointFunction
    from ..mesh.triangle_mesh import TriangleMesh
    from ..shared.cameras import Normalization
    from ..views.views import View

DOUBT = 2.0
"""Times the mean erosion: where masks and poses disagree, they do not so evenly."""

EXACT = 0.1
"""Pixels of erosion that the hull of exact masks and poses shows too, for it is sampled."""


def outer_bound(
    hull: PointFunction, mesh: TriangleMesh, views: Sequence[View], normalization: Normalization
) -> PointFunction:
    """The signed distance of the hull, let out by what imprecise masks and poses cut off it.

    Args:
        hull: signed distance of the visual hull.
        mesh: its surface, normalized frame.
        views: that it was carved from.
        normalization: from their world.
    """
    slack = DOUBT * float(np.mean([_erosion(mesh, view, normalization) for view in views]))
    return lambda points: hull(points) - slack


def _erosion(mesh: TriangleMesh, view: View, normalization: Normalization) -> float:
    """How far inside of a view's outline the hull lies on average, model units.

    With exact masks and poses the hull fills every mask; other views' errors cut it back.
    """
    pose = normalization.apply_to_pose(view.camera_to_world)
    camera = Camera.from_pose(view.intrinsics, pose, torch.device("cpu"))
    covered = render_geometry(mesh, camera).covered.numpy()
    mask = view.mask >= 0.5
    outline = mask & ~binary_erosion(mask, border_value=1)
    pixels = (mask & ~covered).sum() / max(1, outline.sum()) - EXACT
    return float(max(0.0, pixels) * np.linalg.norm(pose[:3, 3]) / view.intrinsics.fx)
