# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Material textures: views are turned into pictures of base color, and these are projected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..mesh.glb import Textures
from ..mesh.photo_projection import PhotoProjector, ProjectionSettings, project_colors
from ..mesh.texture import spread, texels_of
from ..mesh.view_geometry import Camera, render_geometry
from ..shared.srgb import linear_to_srgb, srgb_to_linear
from .observations import SATURATED, SATURATED_TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..mesh.view_geometry import RenderedGeometry
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .surface_materials import SurfaceMaterials

RIDGE = 0.02
"""Weight of the base color of the vertices, relative to the light of an average pixel."""

LEAST_TRUST = 0.02


def bake_materials(
    surface: SurfaceMaterials,
    views: Sequence[View],
    normalization: Normalization,
    size: int,
    progress: Progress,
) -> Textures:
    """Base color, roughness and metallic as textures.

    Args:
        surface: the mesh, normalized frame, and the materials of its vertices.
        views: whose colors are used.
        normalization: from their world.
        size: of the textures.
        progress: receives fractions of the stage `texture`.
    """
    materials, settings = surface.materials, ProjectionSettings()
    texels = texels_of(surface.mesh, size, torch.device("cpu"))
    projectors = []
    for number, view in enumerate(views):
        progress.report("texture", 0.3 * number / len(views), "taking the light out of the views")
        projectors.append(_projector(surface, view, number, normalization))
    progress.report("texture", 0.3, "projecting the views")
    colors, seen = project_colors(texels.positions, texels.normals, projectors, settings, progress)
    progress.report("texture", 0.9, "filling what no view shows")
    scalars = np.stack([materials.roughness, materials.metallic], axis=1)
    display = linear_to_srgb(materials.base_color.clip(0.0, 1.0))
    vertices = torch.from_numpy(np.concatenate([display, scalars], axis=1)[surface.welded])
    values = texels.interpolate(vertices.float())
    values[:, :3] = torch.where(seen[:, None], colors, values[:, :3])
    image = spread(values.numpy(), texels)
    specular = 1.0 if materials.specular else 0.0
    return Textures(image[..., :3], image[..., 3], image[..., 4], specular)


def _projector(
    surface: SurfaceMaterials, view: View, number: int, normalization: Normalization
) -> PhotoProjector:
    """A view of base color, trusted where its light is strong and not saturated."""
    pose = normalization.apply_to_pose(view.camera_to_world)
    camera = Camera.from_pose(view.intrinsics, pose, torch.device("cpu"))
    geometry = render_geometry(surface.mesh.mesh, camera)
    base, trust = base_color_view(surface, view, number, geometry)
    projector = PhotoProjector.from_geometry(
        replace(view, image=base), geometry, ProjectionSettings()
    )
    limits = torch.stack([projector.limits[0], projector.limits[1] * torch.from_numpy(trust)])
    return replace(projector, limits=limits)


def base_color_view(
    surface: SurfaceMaterials, view: View, number: int, geometry: RenderedGeometry
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a view would show without light, and how sure that is.

    Radiance is gain * base_color + offset: solved pixel by pixel, with the base color of the
    vertices as a weak prior, since little light says little.

    Args:
        surface: the mesh and its materials.
        view: with its image.
        number: of the view among those that the materials are estimated from.
        geometry: the mesh as the view sees it.

    Returns:
        Base color [height, width, 3] as sRGB; trust [height, width], around 1. Where the mesh is
        not seen, the image as it is and no trust.
    """
    seen = geometry.fragments
    faces = torch.from_numpy(surface.mesh.mesh.faces)
    response = surface.response_in(number)
    vertices = torch.from_numpy(surface.materials.base_color[surface.welded]).float()
    gain, offset, prior = (
        seen.interpolate(values, faces).numpy()
        for values in (response.gain, response.offset, vertices)
    )
    pixel = seen.pixel.numpy()
    display = view.image.reshape(-1, 3).copy()
    radiance = srgb_to_linear(display[pixel])
    power = gain.mean(axis=1) ** 2
    typical = max(float(np.median(power)), 1e-8) if len(power) else 1.0
    ridge = RIDGE * typical
    base = (gain * (radiance - offset) + ridge * prior) / (gain**2 + ridge)
    sure = np.clip(power / typical, LEAST_TRUST, None)
    sure = np.where(display[pixel].max(axis=1) > SATURATED, sure * SATURATED_TRUST, sure)
    display[pixel] = linear_to_srgb(base.clip(0.0, 1.0))
    trust = np.zeros(len(display), dtype=np.float32)
    trust[pixel] = sure
    return display.reshape(view.image.shape), trust.reshape(view.image.shape[:2])
