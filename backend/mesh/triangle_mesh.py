# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh every step of the mesh stage takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TriangleMesh:
    """Triangles in model space.

    Attributes:
        vertices: float64 [vertices, 3].
        faces: int64 [faces, 3], counter-clockwise seen from outside.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    @cached_property
    def face_cross(self) -> NDArray[np.float64]:
        """Per face, the normal times twice the area, [faces, 3]."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return np.cross(b - a, c - a)

    @cached_property
    def vertex_normals(self) -> NDArray[np.float64]:
        """Area-weighted unit normals, [vertices, 3]."""
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            for axis in range(3):
                normals[:, axis] += np.bincount(
                    self.faces[:, corner], self.face_cross[:, axis], len(self.vertices)
                )
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        unit: NDArray[np.float64] = normals / np.maximum(length, 1e-12)
        return unit

    def without_unused_vertices(self) -> TriangleMesh:
        """The same triangles, keeping only the vertices they use."""
        used, faces = np.unique(self.faces, return_inverse=True)
        return TriangleMesh(self.vertices[used], faces.reshape(-1, 3))


@dataclass(frozen=True)
class UnwrappedMesh:
    """A mesh cut along its texture seams.

    Attributes:
        mesh: the cut mesh; vertices on a seam stand several times.
        normals: unit normals of the uncut surface, [vertices, 3], equal on both sides of a seam.
        uv: texture coordinates in 0..1, [vertices, 2], v up.
        texture_size: side in texels of the texture that the gutters between charts are made for.
    """

    mesh: TriangleMesh
    normals: NDArray[np.float64]
    uv: NDArray[np.float64]
    texture_size: int
