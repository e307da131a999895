# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""More vertices on the same triangles: long edges are halved until none is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..mesh.triangle_mesh import TriangleMesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import UnwrappedMesh

SPLITS = {
    (): [[0, 1, 2]],
    (0,): [[0, 3, 2], [3, 1, 2]],
    (1,): [[0, 1, 4], [0, 4, 2]],
    (2,): [[0, 1, 5], [5, 1, 2]],
    (0, 1): [[3, 1, 4], [0, 3, 4], [0, 4, 2]],
    (1, 2): [[4, 2, 5], [1, 4, 5], [1, 5, 0]],
    (0, 2): [[5, 0, 3], [2, 5, 3], [2, 3, 1]],
    (0, 1, 2): [[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]],
}
"""The triangles that replace one whose sides are halved; side k is between corners k and k + 1.

Corners are 0 to 2, the middles of the sides 3 to 5.
"""


def subdivide(unwrapped: UnwrappedMesh, longest: float) -> UnwrappedMesh:
    """The same surface and charts, no edge longer than given; the given vertices come first.

    A side is halved in both of its triangles, across a seam as well: no crack opens.

    Args:
        unwrapped: the mesh.
        longest: length of an edge, in the units of the mesh, above 0.
    """
    values = np.concatenate([unwrapped.mesh.vertices, unwrapped.normals, unwrapped.uv], axis=1)
    faces = unwrapped.mesh.faces
    while True:
        sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2)
        ends = values[sides][..., :3]
        long = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=2) > longest
        if not long.any():
            break
        values, faces = _halved(values, faces, sides, long)
    normals = values[:, 3:6]
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    mesh = TriangleMesh(values[:, :3], faces)
    return replace(unwrapped, mesh=mesh, normals=normals, uv=values[:, 6:])


def _halved(
    values: NDArray[np.float64],
    faces: NDArray[np.int64],
    sides: NDArray[np.int64],
    long: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values [vertices, channels] and faces with every long side [faces, 3] halved once."""
    pairs, index = np.unique(np.sort(sides[long], axis=1), axis=0, return_inverse=True)
    corners = np.concatenate([faces, np.zeros_like(faces)], axis=1)
    corners[:, 3:][long] = len(values) + index.reshape(-1)
    kind = long @ (1 << np.arange(3))
    parts = []
    for halved, triangles in SPLITS.items():
        chosen = corners[kind == sum(1 << side for side in halved)]
        parts.append(chosen[:, triangles].reshape(-1, 3))
    return np.concatenate([values, values[pairs].mean(axis=1)]), np.concatenate(parts)
