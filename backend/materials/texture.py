# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Material textures: the base color of every texel, solved from the views that see it best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..mesh.glb import Textures
from ..mesh.photo_projection import PhotoProjector, ProjectionSettings
from ..mesh.texture import spread, texels_of
from ..mesh.view_geometry import sample_image
from ..shared.srgb import linear_to_srgb, srgb_to_linear
from .observations import SATURATED, SATURATED_TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..mesh.texture import Texels
    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .fitting import VertexMaterials
    from .surface_materials import SurfaceMaterials

TEXELS_PER_CHUNK = 1 << 16

VIEWS_PER_TEXEL = 4

RIDGE = 0.02
"""Weight of the vertex's base color, as a share of what the views weigh."""

OUTLIER = 0.15
"""Difference of displayed color at which a view weighs half."""


@dataclass(frozen=True)
class _VertexData:
    """The materials at the vertices of the unwrapped mesh, as float32 tensors.

    Attributes:
        base_color: [vertices, 3].
        gain: [vertices, views, 3].
        offset: [vertices, views, 3].
    """

    base_color: Tensor
    gain: Tensor
    offset: Tensor

    @classmethod
    def of(cls, materials: VertexMaterials, welded: NDArray[np.int64]) -> _VertexData:
        response = materials.response
        arrays = (materials.base_color, response.gain, response.offset)
        return cls(*(torch.from_numpy(each[welded]).float() for each in arrays))


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
    mesh, welded, materials = surface.mesh, surface.welded, surface.materials
    texels = texels_of(mesh, size, torch.device("cpu"))
    projectors = _linear_projectors(mesh, views, normalization, progress)
    data = _VertexData.of(materials, welded)
    colors = []
    for first in range(0, len(texels.index), TEXELS_PER_CHUNK):
        progress.report("texture", 0.3 + 0.6 * first / len(texels.index), "solving base color")
        part = slice(first, first + TEXELS_PER_CHUNK)
        colors.append(_solve_texels(texels.part(part), projectors, data))
    linear = torch.cat(colors).clamp(0.0, 1.0).numpy()
    scalars = np.stack([materials.roughness, materials.metallic], axis=1)[welded]
    scalars = texels.interpolate(torch.from_numpy(scalars).float()).numpy()
    image = spread(np.concatenate([linear_to_srgb(linear), scalars], axis=1), texels)
    specular = 1.0 if materials.specular else 0.0
    return Textures(image[..., :3], image[..., 3], image[..., 4], specular)


def _linear_projectors(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
) -> list[PhotoProjector]:
    """The views in linear light, ready to be projected."""
    settings, device = ProjectionSettings(), torch.device("cpu")
    projectors = []
    for number, view in enumerate(views):
        progress.report("texture", 0.3 * number / len(views), "projecting the views")
        linear = replace(view, image=srgb_to_linear(view.image))
        projectors.append(
            PhotoProjector.from_view(linear, normalization, unwrapped.mesh, settings, device)
        )
    return projectors


def _solve_texels(texels: Texels, projectors: list[PhotoProjector], data: _VertexData) -> Tensor:
    """Linear base color [n, 3] of some texels.

    A closed form per channel; views far from the first solution then weigh less.
    """
    settings = ProjectionSettings()
    rated = [each.weight(texels.positions, texels.normals, settings) for each in projectors]
    weights, chosen = torch.stack([weight for weight, _ in rated]).topk(
        min(VIEWS_PER_TEXEL, len(projectors)), dim=0
    )
    radiance = weights.new_zeros(*chosen.shape, 3)
    for number, (projector, (_, pixels)) in enumerate(zip(projectors, rated, strict=True)):
        slot, texel = torch.nonzero(chosen == number, as_tuple=True)
        radiance[slot, texel] = sample_image(projector.colors, pixels[texel])
    weights = weights / weights.sum(dim=0).clamp_min(1e-12)
    saturated = radiance.amax(dim=2) > float(srgb_to_linear(np.array(SATURATED)))
    weights = torch.where(saturated, weights * SATURATED_TRUST, weights)
    gain = _of_views(texels, data.gain, chosen)
    offset = _of_views(texels, data.offset, chosen)
    vertex_color = texels.interpolate(data.base_color)
    base = _solve(gain, radiance - offset, weights[..., None], radiance, vertex_color)
    error = _displayed(base * gain + offset) - _displayed(radiance)
    robust = weights / (1.0 + (error.norm(dim=2) / OUTLIER) ** 2)
    return _solve(gain, radiance - offset, robust[..., None], radiance, vertex_color)


def _of_views(texels: Texels, values: Tensor, chosen: Tensor) -> Tensor:
    """Vertex values [vertices, views, 3] at texels in their chosen views [slots, n]."""
    corners = values[texels.corners[None], chosen[..., None]]
    return (corners * texels.weights[None, ..., None]).sum(dim=2)


def _solve(gain: Tensor, light: Tensor, weights: Tensor, radiance: Tensor, prior: Tensor) -> Tensor:
    """The base color [n, 3] with the least error over the first axis, drawn to a prior."""
    weights = weights / (radiance + 0.03) ** 1.1
    power = (weights * gain**2).sum(dim=0)
    ridge = RIDGE * power + 1e-6
    return (((weights * gain * light).sum(dim=0) + ridge * prior) / (power + ridge)).clamp(0.0, 1.0)


def _displayed(linear: Tensor) -> Tensor:
    return linear.clamp(0.0, 1.0) ** (1 / 2.2)
