# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture coordinates: every face once, no two on one texel, no seam in the shading."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
import torch

from backend.field.config import HALF_SIDE
from backend.mesh import chart_process
from backend.mesh.cleaning import decimate
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.rasterizer import rasterize
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.unwrap import GROUP_FACES, unwrap
from backend.shared.errors import BackendDied, Cancelled
from backend.shared.progress import Progress

SIZE = 512
FACES = 5000


def ball(points):
    return points.norm(dim=1) - 0.4


def cross(points):
    """Distance, at least in sign, to three crossing bars: flat faces, edges and inner corners."""
    half = torch.tensor([[0.4, 0.1, 0.1], [0.1, 0.4, 0.1], [0.1, 0.1, 0.4]])
    return (points.abs()[:, None] - half).amax(dim=2).amin(dim=1)


@pytest.fixture(scope="module", params=[ball, cross], ids=["ball", "cross"])
def pair(request):
    """A mesh of several groups, and the same unwrapped."""
    mesh = decimate(extract_isosurface(request.param, HALF_SIDE, 64, Progress()), FACES)
    assert len(mesh.faces) > 2 * GROUP_FACES
    return mesh, unwrap(mesh, SIZE, Progress())


def canonical(mesh):
    """The triangles as corner positions `[faces, 9]`, each from its smallest corner on, sorted."""
    corners = mesh.vertices[mesh.faces]
    first = np.lexsort(corners.transpose(2, 0, 1)[::-1], axis=1)[:, 0]
    order = (first[:, None] + np.arange(3)) % 3
    rows = np.take_along_axis(corners, order[..., None], axis=1).reshape(-1, 9)
    return rows[np.lexsort(rows.T[::-1])]


def test_every_face_once(pair):
    """The unwrapped mesh has the very same triangles, turned the same way round."""
    mesh, unwrapped = pair
    assert (canonical(unwrapped.mesh) == canonical(mesh)).all()


def test_coordinates_are_in_the_texture(pair):
    """Texture coordinates lie in 0..1, and there is one for every vertex."""
    _, unwrapped = pair
    assert unwrapped.uv.shape == (len(unwrapped.mesh.vertices), 2)
    assert unwrapped.uv.min() >= 0
    assert unwrapped.uv.max() <= 1


def test_no_texel_belongs_to_two_faces(pair):
    """No texel center lies inside two faces; charts keep apart."""
    _, unwrapped = pair
    layout = torch.from_numpy(unwrapped.uv * SIZE).float()[torch.from_numpy(unwrapped.mesh.faces)]
    fragments = rasterize(layout, SIZE, SIZE)
    # Up to centers on an edge, where rounding may give both sides one.
    inside = fragments.pixel[fragments.barycentric.amin(dim=1) > 1e-3]
    assert len(inside) == len(inside.unique())
    # And it is not empty: at least a third of the texture is used.
    assert len(inside) > SIZE**2 / 3


def test_texels_are_alike_in_size(pair):
    """The texture spends about as many texels on every part of the surface."""
    _, unwrapped = pair
    u, v = unwrapped.uv[unwrapped.mesh.faces].transpose(2, 1, 0) * SIZE
    texels = 0.5 * np.abs((u[1] - u[0]) * (v[2] - v[0]) - (v[1] - v[0]) * (u[2] - u[0]))
    area = 0.5 * np.linalg.norm(unwrapped.mesh.face_cross, axis=1)
    large = area > np.median(area) / 4
    density = texels[large] / area[large]
    assert np.percentile(density, 5) > 0.5 * np.median(density)
    assert np.percentile(density, 95) < 2 * np.median(density)


def test_normals_are_equal_across_seams(pair):
    """Vertices that a seam split have one normal, so that no seam shows in the shading."""
    mesh, unwrapped = pair
    assert len(unwrapped.mesh.vertices) > len(mesh.vertices)
    assert np.linalg.norm(unwrapped.normals, axis=1) == pytest.approx(1)
    _, vertex = np.unique(unwrapped.mesh.vertices, axis=0, return_inverse=True)
    order = np.argsort(vertex.ravel(), kind="stable")
    same = np.diff(vertex.ravel()[order]) == 0
    assert same.sum() == len(unwrapped.mesh.vertices) - len(mesh.vertices)
    assert (np.diff(unwrapped.normals[order], axis=0)[same] == 0).all()


def test_normals_face_outward():
    """The normals of a sphere are its radii."""
    mesh = extract_isosurface(ball, HALF_SIDE, 32, Progress())
    unwrapped = unwrap(mesh, 256, Progress())
    vertices = unwrapped.mesh.vertices
    radii = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    # A chord across a cell of 1.05 / 32 spans 0.082 of a radius of 0.4: a normal is off by less.
    assert (unwrapped.normals * radii).sum(axis=1).min() >= np.cos(0.082)


def test_normals_of_a_corner():
    """The normal at a vertex is the mean of its faces' normals, weighted by their areas."""
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    mesh = TriangleMesh(vertices, np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]]))
    # Twice the areas are 2, 1 and 2, along z, x and y.
    assert mesh.vertex_normals[0] == pytest.approx(np.array([1, 2, 2]) / 3)


def test_cancel(pair):
    """A cancel stops unwrapping between groups."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        unwrap(pair[0], SIZE, progress)


@pytest.mark.parametrize("crashes", [1, chart_process.ATTEMPTS])
def test_a_crash_is_tried_again(crashes, monkeypatch):
    """A process that dies is started again with the same input, but not forever."""
    run, codes = chart_process._run, iter([-11] * crashes)
    monkeypatch.setattr(chart_process, "_run", lambda *known: next(codes, None) or run(*known))
    mesh = decimate(extract_isosurface(ball, HALF_SIDE, 16, Progress()), 200)
    if crashes == chart_process.ATTEMPTS:
        with pytest.raises(BackendDied, match="-11"):
            unwrap(mesh, 64, Progress())
    else:
        assert len(unwrap(mesh, 64, Progress()).mesh.faces) == len(mesh.faces)


def test_a_process_that_hangs_is_killed(tmp_path):
    """Threads that wait for each other for ever end with the limit, as a crash does."""
    hanging = [sys.executable, "-c", "import time; time.sleep(60)"]
    begin = time.monotonic()
    with (tmp_path / "in").open("w+b") as given, (tmp_path / "out").open("w+b") as found:
        assert chart_process._run(hanging, (given, found), 0.5, Progress()) != 0
    assert time.monotonic() - begin < 30.0
