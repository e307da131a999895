# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture baking: which surface point lies under which texel, and its color there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ..views.tensor_colors import displayed, linear_of
from .glb import Textures
from .photo_projection import (
    PhotoProjector,
    ProjectionSettings,
    camera_of,
    choose_views,
    color_unseen,
    project_colors,
)
from .rasterizer import gather_planes, rasterize
from .texture_padding import fill_empty_texels
from .view_colors import ViewColors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..field.field import PointFunction
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .photo_projection import Recolor
    from .triangle_mesh import TriangleMesh, UnwrappedMesh


TEXELS_PER_CHUNK = 1 << 18
FACES_PER_CHUNK = 1 << 13


@dataclass(frozen=True)
class BakeSettings:
    """What a base color texture is made from besides the views.

    Attributes:
        hidden: the color [n, 3] of points that no view sees; without it their neighbors' is taken.
        gains: factors on the linear colors of the views, [views, 3].
        device: that bakes, and of the points given to `hidden`; the CPU if it is None.
    """

    hidden: PointFunction | None = None
    gains: NDArray[np.float64] | None = None
    device: torch.device | None = None


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
        return _interpolated(values, self.corners, self.weights)

    def rows(self, rows: torch.Tensor) -> Texels:
        """Some of the texels, by number."""
        return Texels(
            self.index[rows],
            self.positions[rows],
            self.normals[rows],
            self.corners[rows],
            self.weights[rows],
            self.size,
        )


def texels_of(unwrapped: UnwrappedMesh, device: torch.device | None = None) -> Texels:
    """Rasterize the UV layout into the texture, on a device; the CPU if it is None."""
    size, mesh = unwrapped.texture_size, unwrapped.mesh
    uv, vertices, normals = (
        torch.from_numpy(values).float().to(device)
        for values in (unwrapped.uv, mesh.vertices, unwrapped.normals)
    )
    faces = torch.from_numpy(mesh.faces).to(device)
    layout = torch.stack([uv[:, 0], 1 - uv[:, 1]], dim=1) * size
    parts = []
    for chunk in faces.split(FACES_PER_CHUNK):
        fragments = rasterize(layout[chunk], size, size)
        corners, weights = chunk[fragments.face], fragments.barycentric
        positions = _interpolated(vertices, corners, weights)
        smooth = F.normalize(_interpolated(normals, corners, weights), dim=1)
        parts.append((fragments.pixel, positions, smooth, corners, weights))
    columns = [list(column) for column in zip(*parts, strict=True)]
    parts.clear()
    # One after the other, each released when it is joined: large textures have a gigabyte of them.
    joined = [torch.cat(columns.pop(0)) for _ in range(len(columns))]
    index, positions, smooth, corners, weights = joined
    return Texels(index, positions, smooth, corners, weights, size)


def _interpolated(
    values: torch.Tensor, corners: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Vertex values [vertices, channels] at points in triangles, [n, channels]."""
    found = gather_planes(values.T.contiguous(), corners.T.flatten()).view(-1, *corners.T.shape)
    return (found * weights.T).sum(1).T.contiguous()


def bake_base_color(
    unwrapped: UnwrappedMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    bake: BakeSettings | None = None,
) -> NDArray[np.float32]:
    """The base color texture from the views, [size, size, 3] sRGB in 0..1.

    Args:
        unwrapped: the mesh, normalized frame.
        views: to take the color from, in the size they were taken.
        normalization: from their world.
        progress: receives fractions of the stage `texture`.
        bake: what else it is made from.
    """
    bake, mesh = bake or BakeSettings(), unwrapped.mesh
    hidden, gains, device = bake.hidden, bake.gains, bake.device
    texels = texels_of(unwrapped, device)
    projectors = PhotoProjector.of_views(views, normalization, mesh, device)
    recolor = None
    if gains is not None:
        recolor = partial(_with_gain, torch.from_numpy(gains).float().to(device))
    colors, seen = project_views(texels, views, normalization, projectors, progress, recolor)
    progress.report("texture", 0.9, "filling what no view shows")
    if hidden and not seen.all():
        colors[~seen] = hidden(texels.positions[~seen])[:, :3]
        return spread(colors, texels)
    return spread(color_unseen(texels.positions, colors, seen), texels)


def _with_gain(
    gains: torch.Tensor, number: int, _points: torch.Tensor, display: torch.Tensor
) -> torch.Tensor:
    """Displayed colors [..., 3] of a view with its linear color multiplied by its gain."""
    return displayed(linear_of(display) * gains[number])


def project_views(
    texels: Texels,
    views: Sequence[View],
    normalization: Normalization,
    projectors: Iterable[PhotoProjector],
    progress: Progress,
    recolor: Recolor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The colors of texels from the views as they were taken, of which one is in memory at a time.

    Args:
        texels: of the mesh, model space.
        views: to take the color from.
        normalization: from their world.
        projectors: one for each view.
        progress: receives fractions of the stage `texture` up to 0.9.
        recolor: changes colors before they are mixed.

    Returns:
        Colors [n, 3] as displayed (sRGB, 0..1), and a boolean [n]: seen by any view.

    Raises:
        BadImage: if a file cannot be read any more.
    """
    settings = ProjectionSettings()
    looking = progress.each("texture", projectors, len(views), (0.0, 0.4), "looking at the surface")
    choice = choose_views(texels.positions, texels.normals, looking, settings, progress)
    cameras = (camera_of(view, normalization, texels.positions.device) for view in views)
    colors = (ViewColors.full_size(*each) for each in zip(views, cameras, strict=True))
    shown = progress.each("texture", colors, len(views), (0.4, 0.9), "projecting the views")
    mixed = project_colors(texels.positions, choice, shown, settings, progress, recolor)
    return mixed, choice.seen


def decode_textures(
    unwrapped: UnwrappedMesh,
    appearance: PointFunction,
    progress: Progress,
    device: torch.device | None = None,
) -> Textures:
    """The materials a field predicts: base color, roughness and metallic at every texel.

    Args:
        unwrapped: the mesh, normalized frame.
        appearance: materials of the field, the last five channels, on the device.
        progress: receives fractions of the stage `texture`.
        device: of the field; the CPU if it is None.
    """
    texels = texels_of(unwrapped, device)
    values = []
    for part in texels.positions.split(TEXELS_PER_CHUNK):
        values.append(appearance(part))
        progress.report("texture", len(values) * TEXELS_PER_CHUNK / len(texels.index))
    materials = spread(torch.cat(values)[:, -5:], texels)
    return Textures(materials[..., :3], materials[..., 3], materials[..., 4])


def color_vertices(
    mesh: TriangleMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    device: torch.device | None = None,
) -> torch.Tensor:
    """The color of every vertex from the views, sRGB in 0..1, [vertices, 3].

    Args:
        mesh: of the object, model space.
        views: to take the color from.
        normalization: from their world.
        progress: checked for cancel.
        device: that projects; the CPU if it is None.
    """
    projectors = PhotoProjector.of_views(views, normalization, mesh, device)
    images = (ViewColors.in_memory(view, camera_of(view, normalization, device)) for view in views)
    return project_on_vertices(mesh, projectors, images, progress, device)


def project_on_vertices(
    mesh: TriangleMesh,
    projectors: Iterable[PhotoProjector],
    images: Iterable[ViewColors],
    progress: Progress,
    device: torch.device | None = None,
) -> torch.Tensor:
    """The color of every vertex from prepared views, sRGB in 0..1, [vertices, 3].

    Args:
        mesh: that the views have been prepared for.
        projectors: of the views.
        images: of the same views.
        progress: checked for cancel.
        device: of both; the CPU if it is None.
    """
    settings = ProjectionSettings()
    positions, normals = (
        torch.from_numpy(values).float().to(device)
        for values in (mesh.vertices, mesh.vertex_normals)
    )
    choice = choose_views(positions, normals, projectors, settings, progress)
    colors = project_colors(positions, choice, images, settings, progress)
    return color_unseen(positions, colors, choice.seen)


def spread(values: torch.Tensor, texels: Texels) -> NDArray[np.float32]:
    """A texture [size, size, channels] from values [n, channels] at the covered texels."""
    texture = np.zeros((texels.size**2, values.shape[1]), dtype=np.float32)
    covered = np.zeros(texels.size**2, dtype=bool)
    index = texels.index.cpu().numpy()
    texture[index], covered[index] = values.cpu().numpy(), True
    shape = (texels.size, texels.size)
    return fill_empty_texels(texture.reshape(*shape, -1), covered.reshape(shape))
