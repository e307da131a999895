# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertices near a surface are moved onto it, and only those."""

from __future__ import annotations

import numpy as np
import torch

from backend.field.config import HALF_SIDE
from backend.mesh.cleaning import decimate
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.vertex_snapping import snap_vertices
from backend.shared.progress import Progress

CELLS = 48
REACH = 2 * HALF_SIDE / CELLS


def _ring(points: torch.Tensor) -> torch.Tensor:
    """A torus of radii 0.3 and 0.12 around the z axis."""
    return torch.hypot(torch.hypot(points[:, 0], points[:, 1]) - 0.3, points[:, 2]) - 0.12


def test_vertices_lie_on_the_surface() -> None:
    """After decimation the vertices are off by a part of a cell; then by float32's rounding."""
    mesh = decimate(extract_isosurface(_ring, HALF_SIDE, CELLS, Progress()), 2000)
    moved = snap_vertices(mesh, _ring, REACH)
    before, after = (_ring(torch.from_numpy(one.vertices)).abs().max() for one in (mesh, moved))
    assert before > 20 * after
    # Two Newton steps square an error of less than a tenth of the tube's radius twice.
    assert after < 1e-5
    assert np.array_equal(moved.faces, mesh.faces)


def test_far_vertices_stay() -> None:
    """A vertex that the surface is out of reach of does not move."""
    vertices = np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.125], [0.5, 0.5, 0.5]])
    moved = snap_vertices(TriangleMesh(vertices, np.array([[0, 1, 2]])), _ring, REACH)
    assert np.abs(moved.vertices - vertices).max(axis=1)[[0, 2]].max() < 1e-7
    assert abs(moved.vertices[1, 2] - 0.12) < 1e-4
