# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long edges are halved without a crack, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.materials.subdivision import subdivide
from backend.mesh.triangle_mesh import TriangleMesh, UnwrappedMesh
from backend.mesh.unwrap import unwrap
from backend.shared.progress import Progress


def long_box() -> UnwrappedMesh:
    """Sides of three lengths, cut along texture seams: triangles with one to three long edges."""
    box = trimesh.creation.box((0.03, 0.1, 0.8))
    mesh = TriangleMesh(np.asarray(box.vertices), np.asarray(box.faces, dtype=np.int64))
    return unwrap(mesh, 256, Progress())


def edge_lengths(mesh: TriangleMesh) -> np.ndarray:
    """Of every side of every face."""
    corners = mesh.vertices[mesh.faces]
    return np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)


@pytest.mark.parametrize("longest", [0.5, 0.09, 0.04])
def test_long_edges_are_halved(longest):
    """Same area and charts, given vertices first, closed after seams are welded."""
    given = long_box()
    fine = subdivide(given, longest)
    count = len(given.mesh.vertices)
    assert edge_lengths(given.mesh).max() > longest >= edge_lengths(fine.mesh).max()
    np.testing.assert_array_equal(fine.mesh.vertices[:count], given.mesh.vertices)
    np.testing.assert_array_equal(fine.uv[:count], given.uv)
    np.testing.assert_allclose(np.linalg.norm(fine.normals, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(fine.mesh.face_cross.sum(axis=0), 0.0, atol=1e-12)
    areas = [np.linalg.norm(each.mesh.face_cross, axis=1).sum() for each in (given, fine)]
    assert areas[1] == pytest.approx(areas[0], rel=1e-12)
    welded = trimesh.Trimesh(fine.mesh.vertices, fine.mesh.faces, process=True)
    assert welded.is_watertight
    assert welded.is_winding_consistent


def test_charts_keep_their_area():
    """Texture coordinates are halved as the edges are."""

    def area(mesh: UnwrappedMesh) -> float:
        u, v = np.moveaxis(mesh.uv[mesh.mesh.faces], 2, 0)
        cross = (u[:, 1] - u[:, 0]) * (v[:, 2] - v[:, 0]) - (u[:, 2] - u[:, 0]) * (
            v[:, 1] - v[:, 0]
        )
        return float(np.abs(cross).sum())

    given = long_box()
    assert area(subdivide(given, 0.05)) == pytest.approx(area(given), rel=1e-12)


def test_short_edges_stay():
    """A mesh that is fine enough is returned as it is."""
    given = long_box()
    same = subdivide(given, 2.0)
    np.testing.assert_array_equal(same.mesh.faces, given.mesh.faces)
    np.testing.assert_array_equal(same.mesh.vertices, given.mesh.vertices)
