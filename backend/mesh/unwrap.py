# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""UV unwrapping: xatlas on small groups of faces, because its time grows faster than its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .chart_process import Piece, unwrap_pieces
from .triangle_mesh import TriangleMesh, UnwrappedMesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.progress import Progress

GROUP_FACES = 2000
"""Faces unwrapped together; larger groups take longer, smaller ones have more seams."""

GUTTER = 2
"""Texels between charts."""


def unwrap(mesh: TriangleMesh, texture_size: int, progress: Progress) -> UnwrappedMesh:
    """Cut a mesh into charts and pack them into one square texture.

    Args:
        mesh: the surface, welded.
        texture_size: side of the texture in texels, for which the gutters are kept.
        progress: checked for cancel meanwhile.

    Raises:
        BackendDied: if the unwrapping process dies.
    """
    groups = _group_faces(mesh)
    pieces = [_piece(mesh, group) for group in groups]
    charted = unwrap_pieces(pieces, texture_size, GUTTER, progress)
    return _collect(mesh, pieces, charted, texture_size)


def _piece(mesh: TriangleMesh, group: NDArray[np.int64]) -> Piece:
    """Some faces of a mesh, and the vertices they use."""
    used, faces = np.unique(mesh.faces[group], return_inverse=True)
    return Piece(
        points=mesh.vertices[used].astype(np.float32),
        faces=faces.reshape(-1, 3).astype(np.uint32),
        source=used.astype(np.uint32),
    )


def _collect(
    mesh: TriangleMesh, pieces: list[Piece], charted: list[Piece], texture_size: int
) -> UnwrappedMesh:
    """Join the unwrapped pieces to one mesh."""
    originals, faces, uv, offset = [], [], [], 0
    for piece, chart in zip(pieces, charted, strict=True):
        originals.append(piece.source[chart.source])
        faces.append(chart.faces.astype(np.int64) + offset)
        uv.append(chart.points)
        offset += len(chart.source)
    original = np.concatenate(originals)
    return UnwrappedMesh(
        mesh=TriangleMesh(mesh.vertices[original], np.concatenate(faces)),
        normals=mesh.vertex_normals[original],
        uv=np.concatenate(uv).astype(np.float64),
        texture_size=texture_size,
    )


def _group_faces(mesh: TriangleMesh) -> list[NDArray[np.int64]]:
    """Split the faces by medians of position until every group is small.

    Not by their normals, too: on a surface with small lumps these tear groups to shreds, and every
    shred is a chart.
    """
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    pending, done = [np.arange(len(mesh.faces))], []
    while pending:
        group = pending.pop()
        if len(group) <= GROUP_FACES:
            done.append(group)
            continue
        spread = np.ptp(centers[group], axis=0)
        order = np.argsort(centers[group, spread.argmax()], kind="stable")
        half = len(group) // 2
        pending += [group[order[:half]], group[order[half:]]]
    return done
