# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a textured mesh shows views that it was not made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backend.mesh.preview import render_mesh
from backend.result.scores import score_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backend.mesh.glb import Textures
    from backend.mesh.triangle_mesh import UnwrappedMesh
    from backend.shared.cameras import Normalization
    from backend.views.views import View


def score_unused(
    mesh: UnwrappedMesh, textures: Textures, normalization: Normalization, unused: Iterable[View]
) -> tuple[float, float]:
    """The mean of the decibels inside the outlines, and the IoU of all outlines together."""
    decibels, common, either = [], 0, 0
    for view in unused:
        pose = normalization.apply_to_pose(view.camera_to_world)
        render = render_mesh(mesh, textures.base_color, view.intrinsics, pose)
        covered, true = render[..., 3] >= 0.5, view.mask >= 0.5
        common += (covered & true).sum()
        either += (covered | true).sum()
        truth = np.concatenate([view.image, view.mask[..., None]], axis=2)
        decibels.append(score_image(render, truth).psnr_foreground)
    return float(np.mean(decibels)), float(common / either)
