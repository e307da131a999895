# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Textures of one mesh for another of about the same shape, and the normals that it lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch.nn import functional as F

from ..materials.ray_caster import NO_HIT, RayCaster
from ..mesh.texture import TEXELS_PER_CHUNK, spread, texels_of
from .tangents import tangent_space, vertex_tangents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mesh.glb import Textures
    from ..mesh.texture import Texels
    from ..mesh.triangle_mesh import UnwrappedMesh
    from ..shared.progress import Progress

    Floats = NDArray[np.float64]

REACH = 0.05
"""How far from a texel the finest surface may lie, in the normalized frame."""

BEHIND = 1e-5
"""How far behind its texel a ray begins, so that it hits a surface that passes through it."""


class TextureTransfer:
    """What lies on the finest surface, for the texels of other meshes.

    Args:
        source: the finest mesh, in the normalized frame.
        textures: of it.
    """

    def __init__(self, source: UnwrappedMesh, textures: Textures) -> None:
        self._textures = textures
        self._faces = source.mesh.faces
        self._vertices = source.mesh.vertices
        self._normals = source.normals
        self._uv = source.uv
        self._crosses = source.mesh.face_cross
        self._rays = RayCaster(source.mesh)
        self._nearest = cKDTree(self._vertices)

    def bake(self, target: UnwrappedMesh, progress: Progress) -> Textures:
        """The textures of a mesh, with a tangent-space normal map.

        Args:
            target: in the frame of the finest mesh.
            progress: checked for cancel.
        """
        texels = texels_of(target)
        tangents = torch.from_numpy(vertex_tangents(target)).float()
        # Roughness and metallic may be one value, as a small map: those need no transfer.
        textures, size = self._textures, len(self._textures.base_color)
        maps = [textures.base_color]
        if len(textures.roughness) == size:
            maps += [textures.roughness[..., None], textures.metallic[..., None]]
        source = torch.from_numpy(np.concatenate(maps, axis=2)).permute(2, 0, 1)[None]
        parts = []
        for rows in torch.arange(len(texels.index)).split(TEXELS_PER_CHUNK):
            progress.check()
            parts.append(self._values(texels.rows(rows), source, tangents))
        image = spread(torch.cat(parts), texels)
        textures = replace(textures, base_color=image[..., :3], normal=image[..., -3:])
        if len(maps) > 1:
            textures = replace(textures, roughness=image[..., 3], metallic=image[..., 4])
        return textures

    def _values(self, texels: Texels, source: torch.Tensor, tangents: torch.Tensor) -> torch.Tensor:
        """What the maps of the source [1, channels, size, size] hold, and the normal as a color."""
        positions = texels.positions.numpy().astype(np.float64)
        face, weights = self._surface_points(positions, texels.normals.numpy().astype(np.float64))
        corners = self._faces[face]
        uv = torch.from_numpy(_mix(self._uv[corners], weights)).float()
        grid = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], dim=1)[None, None]
        values = F.grid_sample(source, grid, padding_mode="border", align_corners=False)[0, :, 0].T
        wanted = torch.from_numpy(_mix(self._normals[corners], weights)).float()
        normals = tangent_space(F.normalize(wanted, dim=1), texels, tangents)
        return torch.cat([values, 0.5 + 0.5 * normals], dim=1)

    def _surface_points(
        self, positions: Floats, normals: Floats
    ) -> tuple[NDArray[np.int64], Floats]:
        """For points [n, 3], the face of the finest mesh there, [n], and weights of its corners.

        The nearer of what lies above and below that faces the same way; where there is neither, the
        nearest vertex.
        """
        face = np.full(len(positions), NO_HIT, dtype=np.int64)
        weights = np.zeros((len(positions), 3))
        distance = np.full(len(positions), REACH)
        for sign in (1.0, -1.0):
            directions = sign * normals
            origins = positions - BEHIND * directions
            rays = (torch.from_numpy(each) for each in (origins, directions))
            hit = self._rays.first_hit(*rays).numpy()
            rows = np.flatnonzero(hit != NO_HIT)
            crosses = self._crosses[hit[rows]]
            away = np.einsum("ij,ij->i", crosses, normals[rows])
            rows, crosses, away = (each[away > 0] for each in (rows, crosses, away))
            first = self._vertices[self._faces[hit[rows], 0]]
            along = sign * np.einsum("ij,ij->i", crosses, first - origins[rows]) / away
            nearer = np.abs(along) < distance[rows]
            rows, along = rows[nearer], along[nearer]
            distance[rows] = np.abs(along)
            face[rows] = hit[rows]
            weights[rows] = self._weights(
                hit[rows], origins[rows] + along[:, None] * directions[rows]
            )
        missed = np.flatnonzero(face == NO_HIT)
        if len(missed):
            _, vertex = self._nearest.query(positions[missed])
            face[missed], weights[missed] = self._at_vertices(np.asarray(vertex))
        return face, weights

    def _weights(self, face: NDArray[np.int64], points: Floats) -> Floats:
        """Barycentric weights [n, 3] of points on faces."""
        a, b, c = (self._vertices[self._faces[face, corner]] for corner in range(3))
        crosses = self._crosses[face]
        area = np.einsum("ij,ij->i", crosses, crosses)
        weight_b = np.einsum("ij,ij->i", np.cross(points - a, c - a), crosses) / area
        weight_c = np.einsum("ij,ij->i", np.cross(b - a, points - a), crosses) / area
        weights = np.stack([1 - weight_b - weight_c, weight_b, weight_c], axis=1).clip(0.0, 1.0)
        mixed: Floats = weights / weights.sum(axis=1, keepdims=True)
        return mixed

    def _at_vertices(self, vertex: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        """A face and the weights of its corners for each vertex."""
        corners = np.argsort(self._faces.ravel(), kind="stable")
        first = np.searchsorted(self._faces.ravel()[corners], vertex)
        corner = corners[first]
        return corner // 3, np.eye(3)[corner % 3]


def _mix(values: Floats, weights: Floats) -> Floats:
    """Values of three corners [n, 3, channels], mixed, [n, channels]."""
    mixed: Floats = np.einsum("ijk,ij->ik", values, weights)
    return mixed
