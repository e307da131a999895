# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning: no closed cavities, no floaters, no more faces than requested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fast_simplification
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..shared.errors import NoSurface
from .triangle_mesh import TriangleMesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOATER_AREA = 0.01
"""Share of the surface below which a loose piece is noise."""

AGGRESSIVENESS = 3.0
"""How fast the error grows up to which edges are collapsed.

At 5, flat sides that are not parallel to the axes cave in: their many edges cost nearly nothing,
and the error has grown far when they are used up."""

KEPT_PER_RUN = 0.5
"""Share of the faces that one run of edge collapse keeps, at least."""


def keep_solid_parts(mesh: TriangleMesh) -> TriangleMesh:
    """Drop loose pieces that are tiny, and closed pieces that face inward: hidden cavities.

    Raises:
        NoSurface: if nothing remains.
    """
    pieces, piece_of_face = _pieces(mesh)
    area = np.bincount(piece_of_face, np.linalg.norm(mesh.face_cross, axis=1), pieces)
    a = mesh.vertices[mesh.faces[:, 0]]
    volume = np.bincount(piece_of_face, np.einsum("ij,ij->i", a, mesh.face_cross), pieces)
    keep = (volume > 0) & (area >= FLOATER_AREA * area.sum())
    if not keep.any():
        raise NoSurface(
            "Nothing but noise was left after cleaning the surface.",
            "Use more views, or masks that follow the object more closely.",
        )
    return TriangleMesh(mesh.vertices, mesh.faces[keep[piece_of_face]]).without_unused_vertices()


def _pieces(mesh: TriangleMesh) -> tuple[int, NDArray[np.int32]]:
    """Number of connected pieces, and the piece of every face [faces]."""
    corners = mesh.faces
    links = coo_matrix(
        (
            np.ones(2 * len(corners), dtype=bool),
            (corners[:, [0, 1]].ravel(), corners[:, [1, 2]].ravel()),
        ),
        shape=(len(mesh.vertices),) * 2,
    )
    count, piece_of_vertex = connected_components(links, directed=False)
    return count, piece_of_vertex[corners[:, 0]]


def decimate(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    """At most `faces` triangles, by quadric edge collapse, as long as the shape permits."""
    vertices, triangles = mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
    before = len(triangles) + 1
    while faces < len(triangles) < before:  # one run may stop early on large flat parts
        before = len(triangles)
        target = max(faces, int(KEPT_PER_RUN * before))
        vertices, triangles = fast_simplification.simplify(
            vertices, triangles, target_count=target, agg=AGGRESSIVENESS
        )
    if len(triangles) == len(mesh.faces):
        return mesh
    return TriangleMesh(
        vertices.astype(np.float64), triangles.astype(np.int64)
    ).without_unused_vertices()
