# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer bound of a surface: the visual hull, widened by what it misses of its own masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion

from ..mesh.view_geometry import Camera, render_geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ..field.field import PointFunction
    from ..mesh.triangle_mesh import TriangleMesh
    from ..shared.cameras import Normalization
    from ..views.views import View

SLACK_FACTOR = 2.0
"""Slack in units of the mean erosion: masks and poses do not disagree evenly."""

SAMPLING_EROSION = 0.1
"""Pixels of erosion that sampling alone causes, with exact masks and poses."""


def outer_bound(
    hull: PointFunction,
    mesh: TriangleMesh,
    views: Sequence[View],
    normalization: Normalization,
    device: torch.device | None = None,
) -> PointFunction:
    """The signed distance of the hull, widened by what imprecise masks and poses cut off.

    Args:
        hull: signed distance of the visual hull.
        mesh: its surface, normalized frame.
        views: the hull was carved from.
        normalization: from their world.
        device: that looks at the surface; the CPU if it is None.
    """
    erosions = [_erosion(mesh, view, normalization, device) for view in views]
    slack = SLACK_FACTOR * float(np.mean(erosions))
    return lambda points: hull(points) - slack


def _erosion(
    mesh: TriangleMesh, view: View, normalization: Normalization, device: torch.device | None
) -> float:
    """How far inside of a view's outline the hull lies on average, model units.

    With exact masks and poses the hull fills every mask; other views' errors cut it back.
    """
    pose = normalization.apply_to_pose(view.camera_to_world)
    camera = Camera.from_pose(view.intrinsics, pose, device)
    covered = render_geometry(mesh, camera).covered.cpu().numpy()
    mask = view.mask >= 0.5
    outline = mask & ~binary_erosion(mask, border_value=1)
    pixels = (mask & ~covered).sum() / max(1, outline.sum()) - SAMPLING_EROSION
    return float(max(0.0, pixels) * np.linalg.norm(pose[:3, 3]) / view.intrinsics.fx)
