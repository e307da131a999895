# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tangents of texture layouts, as glTF and Blender compute them (MikkTSpace)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mesh.texture import Texels
    from ..mesh.triangle_mesh import UnwrappedMesh

SMALLEST = 1e-12


def vertex_tangents(unwrapped: UnwrappedMesh) -> NDArray[np.float64]:
    """Per vertex, the unit direction of growing u, and the side of growing v: 1 or -1, [n, 4].

    It is mean of its faces, weighted by their angles, each in the plane of the normal.
    """
    mesh, normals = unwrapped.mesh, unwrapped.normals
    corners = mesh.vertices[mesh.faces]
    edges = corners[:, 1:] - corners[:, :1]
    du, dv = np.moveaxis(unwrapped.uv[mesh.faces[:, 1:]] - unwrapped.uv[mesh.faces[:, :1]], 2, 0)
    area = du[:, 0] * dv[:, 1] - du[:, 1] * dv[:, 0]
    side = np.where(area < 0, -1.0, 1.0)
    along_u = side[:, None] * (edges[:, 0] * dv[:, 1:] - edges[:, 1] * dv[:, :1])
    total = np.zeros((len(mesh.vertices), 4))
    for corner in range(3):
        vertex = mesh.faces[:, corner]
        before, after = (corners[:, (corner + step) % 3] - corners[:, corner] for step in (1, 2))
        flat = [_in_plane(each, normals[vertex]) for each in (before, after, along_u)]
        cosine = np.einsum("ij,ij->i", flat[0], flat[1]).clip(-1.0, 1.0)
        parts = np.column_stack([flat[2], side]) * np.arccos(cosine)[:, None]
        for axis in range(4):
            total[:, axis] += np.bincount(vertex, parts[:, axis], len(total))
    tangents = _in_plane(total[:, :3], normals)
    return np.column_stack([tangents, np.where(total[:, 3] < 0, -1.0, 1.0)])


def tangent_space(wanted: torch.Tensor, texels: Texels, tangents: torch.Tensor) -> torch.Tensor:
    """Normals in the tangent space of texels, unit, [n, 3].

    Args:
        wanted: unit normals in the frame of the mesh, [n, 3].
        texels: n of them.
        tangents: of the vertices, [vertices, 4].
    """
    mixed = texels.interpolate(tangents)
    normal, tangent = texels.normals, mixed[:, :3]
    # As shaders do, with the tangent as it is interpolated: neither unit nor at a right angle.
    bitangent = torch.where(mixed[:, 3:] < 0, -1.0, 1.0) * torch.linalg.cross(normal, tangent)
    slant = (tangent * normal).sum(dim=1)
    flat = tangent - slant[:, None] * normal
    u = (wanted * flat).sum(dim=1) / flat.square().sum(dim=1).clamp_min(SMALLEST)
    v = (wanted * bitangent).sum(dim=1) / bitangent.square().sum(dim=1).clamp_min(SMALLEST)
    up = (wanted * normal).sum(dim=1) - u * slant
    return F.normalize(torch.stack([u, v, up], dim=1), dim=1)


def _in_plane(vectors: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors [n, 3] without their part along unit normals, as unit vectors."""
    flat = vectors - np.einsum("ij,ij->i", vectors, normals)[:, None] * normals
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: NDArray[np.float64] = flat / np.maximum(length, SMALLEST)
    return unit
