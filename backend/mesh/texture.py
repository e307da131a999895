# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture baking: which surface point lies under which texel, and its color there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from .glb import Textures
from .photo_projection import PhotoProjector, ProjectionSettings, color_unseen, project_colors
from .rasterizer import rasterize
from .texture_padding import fill_empty_texels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..field.field import PointFunction
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .triangle_mesh import TriangleMesh, UnwrappedMesh


TEXELS_PER_CHUNK = 1 << 18


@dataclass(frozen=True)
class Texels:
    """The surface points under the texels that charts cover.

    Attributes:
        index: row-major texel index, row 0 at v = 1, [n].
        positions: model space, [n, 3].
        normals: unit, [n, 3].
        corners: vertices of the face, [n, 3].
        weights: barycentric, of the corners, [n, 3].
        size: side of the texture.
    """

    index: torch.Tensor
    positions: torch.Tensor
    normals: torch.Tensor
    corners: torch.Tensor
    weights: torch.Tensor
    size: int

    def interpolate(self, values: torch.Tensor) -> torch.Tensor:
        """Vertex values [vertices, channels] at the texels, [n, channels]."""
        return (values[self.corners] * self.weights[..., None]).sum(dim=1)


def texels_of(unwrapped: UnwrappedMesh, size: int, device: torch.device) -> Texels:
    """Rasterize the UV layout into a `size` x `size` texture."""
    uv = torch.from_numpy(unwrapped.uv).float().to(device)
    faces = torch.from_numpy(unwrapped.mesh.faces).to(device)
    layout = torch.stack([uv[:, 0], 1 - uv[:, 1]], dim=1) * size
    fragments = rasterize(layout[faces], size, size)
    corners = faces[fragments.face]
    weights = fragments.barycentric[..., None]
    vertices = torch.from_numpy(unwrapped.mesh.vertices).float().to(device)
    normals = torch.from_numpy(unwrapped.normals).float().to(device)
    return Texels(
        index=fragments.pixel,
        positions=(vertices[corners] * weights).sum(dim=1),
        normals=F.normalize((normals[corners] * weights).sum(dim=1), dim=1),
        corners=corners,
        weights=fragments.barycentric,
        size=size,
    )


def bake_base_color(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    size: int,
    progress: Progress,
    hidden: PointFunction | None = None,
) -> NDArray[np.float32]:
    """The base color texture from the views, [size, size, 3] sRGB in 0..1.

    Args:
        unwrapped: the mesh, normalized frame.
        views: to take the color from.
        normalization: from their world.
        size: of the texture.
        progress: receives fractions of the stage `texture`.
        hidden: the color [n, 3] of points that no view sees; without it their neighbors' is
            taken.
    """
    device = torch.device("cpu")
    settings = ProjectionSettings()
    texels = texels_of(unwrapped, size, device)
    progress.report("texture", 0.1, "looking at the surface from every view")
    projectors = _projectors(unwrapped.mesh, views, normalization, settings, progress)
    progress.report("texture", 0.3, "projecting the views")
    colors, seen = project_colors(texels.positions, texels.normals, projectors, settings, progress)
    progress.report("texture", 0.8, "filling what no view shows")
    if hidden and not seen.all():
        colors[~seen] = hidden(texels.positions[~seen])[:, :3]
        return spread(colors.numpy(), texels)
    complete = color_unseen(texels.positions.numpy(), colors.numpy(), seen.numpy())
    return spread(complete, texels)


def decode_textures(
    unwrapped: UnwrappedMesh, appearance: PointFunction, size: int, progress: Progress
) -> Textures:
    """The materials a field predicts: base color, roughness and metallic at every texel."""
    texels = texels_of(unwrapped, size, torch.device("cpu"))
    values = []
    for part in texels.positions.split(TEXELS_PER_CHUNK):
        values.append(appearance(part))
        progress.report("texture", len(values) * TEXELS_PER_CHUNK / len(texels.index))
    materials = spread(torch.cat(values)[:, -5:].numpy(), texels)
    return Textures(materials[..., :3], materials[..., 3], materials[..., 4])


def color_vertices(
    mesh: TriangleMesh, views: Sequence[View], normalization: Normalization, progress: Progress
) -> NDArray[np.float32]:
    """The color of every vertex from the views, sRGB in 0..1, [vertices, 3]."""
    settings = ProjectionSettings()
    projectors = _projectors(mesh, views, normalization, settings, progress)
    positions = torch.from_numpy(mesh.vertices).float()
    normals = torch.from_numpy(mesh.vertex_normals).float()
    colors, seen = project_colors(positions, normals, projectors, settings, progress)
    return color_unseen(positions.numpy(), colors.numpy(), seen.numpy())


def _projectors(
    mesh: TriangleMesh,
    views: Sequence[View],
    normalization: Normalization,
    settings: ProjectionSettings,
    progress: Progress,
) -> list[PhotoProjector]:
    """All views, ready to be projected onto a mesh."""
    device = torch.device("cpu")
    projectors = []
    for view in views:
        progress.check()
        projectors.append(PhotoProjector.from_view(view, normalization, mesh, settings, device))
    return projectors


def spread(values: NDArray[np.float32], texels: Texels) -> NDArray[np.float32]:
    """A texture [size, size, channels] from values [n, channels] at the covered texels."""
    texture = np.zeros((texels.size**2, values.shape[1]), dtype=np.float32)
    covered = np.zeros(texels.size**2, dtype=bool)
    index = texels.index.cpu().numpy()
    texture[index], covered[index] = values, True
    shape = (texels.size, texels.size)
    return fill_empty_texels(texture.reshape(*shape, -1), covered.reshape(shape))
