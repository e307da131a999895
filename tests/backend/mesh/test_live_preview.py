# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview of a running reconstruction: coarse, then finer, without a trace in the result."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from backend import pipeline
from backend.field.config import HALF_SIDE
from backend.field.grids import grid_points
from backend.mesh import surfaces
from backend.mesh.live_preview import FACES, LivePreview
from backend.pipeline import normalize_scene, reconstruct
from backend.refine import novel_view_error
from backend.refine.config import Level, RefineConfig
from backend.request import ReconstructRequest
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadAsset, Cancelled
from backend.shared.live.preview_files import PreviewFiles, PreviewMesh
from backend.shared.progress import Progress
from backend.shared.up_axis import choose_up
from backend.views.views import load_views
from tests.captures import surface_color
from tests.children import files_of

RADIUS = 0.4
LEVELS = (
    Level(24, 4.0, 20, (30, 60), "volsdf", 8e-3, 0.12, 0.5, 0.6),
    Level(32, 4.0, 20, (60, 200), "neus", 4e-3, 0.08, 2.0, 0.6),
)
TIMED = ("report.json", "log.txt")


@pytest.fixture(scope="module")
def ball(tmp_path_factory, make_capture):
    """Small views of a ball; do not write to it."""
    return make_capture(tmp_path_factory.mktemp("live") / "ball", 8, 48)


@pytest.fixture
def quick(monkeypatch):
    """Two small levels and small meshes; no stereo."""
    monkeypatch.setattr(pipeline, "find_cavities", lambda *_: None)
    monkeypatch.setattr(novel_view_error, "RESOLUTION", 48)
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 48)
    monkeypatch.setattr(
        pipeline,
        "RefineConfig",
        lambda seed: RefineConfig(levels=LEVELS, rays_per_step=512, seed=seed),
    )


@pytest.fixture
def shown():
    """The files of the previews that were reported."""
    return []


@pytest.fixture
def watched(shown):
    """Progress that records previews."""
    return Progress(None, lambda *paths: shown.append(PreviewFiles(*map(Path, paths))))


@pytest.fixture
def preview(ball, tmp_path, watched):
    """The preview of a job about the ball, in a world whose y axis is up."""
    views = load_views(read_capture(ball))
    up = choose_up("y", [], own=False)
    return LivePreview(tmp_path / "live", views.views, normalize_scene(views), up, watched)


def sphere(radius: float = RADIUS, center: float = 0.0) -> torch.Tensor:
    """Signed distance of a sphere, moved along x, on a grid [z, y, x]."""
    points = grid_points(HALF_SIDE, 40, "zyx") - torch.tensor([center, 0.0, 0.0])
    return (points.norm(dim=1) - radius).reshape(40, 40, 40)


def test_previews_get_better_and_change_nothing(ball, tmp_path, quick, watched, shown):
    """Hull, then both levels, in the world of the views; the result is that without previews."""
    wanted = {"refine": "auto", "texture_size": "64", "faces": 400}
    plain, live = tmp_path / "plain", tmp_path / "live"
    reconstruct(ReconstructRequest(ball, plain, **wanted), Progress())
    reconstruct(ReconstructRequest(ball, live, **wanted), watched, tmp_path / "previews")
    results = [files_of(folder) for folder in (plain, live)]
    assert results[0].keys() == results[1].keys()
    assert [n for n in results[0] if n not in TIMED and results[0][n] != results[1][n]] == []
    assert len(shown) == 1 + len(LEVELS)
    errors = []
    for files in shown:
        mesh = PreviewMesh.read(files.mesh)
        assert 100 < len(mesh.faces) <= FACES
        radii = np.linalg.norm(mesh.vertices, axis=1)
        errors.append(float(np.square(radii - RADIUS).mean()))
        true = 255 * surface_color(mesh.vertices.astype(np.float64))
        assert np.abs(mesh.colors - true).mean() < 60
    assert errors == sorted(errors, reverse=True)
    with Image.open(shown[-1].picture) as picture:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3] / 255
    assert picture.size == (192, 192)
    assert 0.5 < alpha.mean() < 0.8, "the ball fills the picture: pi / 4 / 1.1^2"


def test_the_mesh_is_upright_and_faces_outward(preview, shown):
    """The y axis of the world becomes +z; x stays."""
    preview.show_grid(sphere(0.2, 0.2), lambda points: points * 0 + 0.5)
    mesh = PreviewMesh.read(shown[0].mesh)
    center = mesh.vertices.mean(axis=0)
    assert center[0] > 0.1
    assert np.abs(center[1:]).max() < 0.01
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    assert np.einsum("ij,ij->i", a - center, np.cross(b - a, c - a)).mean() > 0
    assert (mesh.colors == 128).all()
    preview._up = SimpleNamespace(rotation=np.eye(3))
    preview.show_grid(sphere(0.2, 0.2), lambda points: points * 0 + 0.5)
    unturned = PreviewMesh.read(shown[1].mesh).vertices
    assert mesh.vertices[:, 2] == pytest.approx(unturned[:, 1], abs=1e-6)


def test_no_preview_is_no_error(preview, tmp_path, watched, shown):
    """Without a surface, or without a folder to write to, the job goes on; a cancel ends it."""
    gray = lambda points: points * 0 + 0.5  # noqa: E731
    preview.show_grid(sphere() + 10.0, gray)
    (tmp_path / "live").write_text("a file")
    preview.show_grid(sphere(), gray)
    assert shown == []
    watched.cancel()
    with pytest.raises(Cancelled):
        preview.show_grid(sphere(), gray)


def test_damaged_files_are_refused(tmp_path):
    """What is no preview is an error with a code: Blender would crash on wrong indices."""
    path = tmp_path / "preview_1.npz"
    vertices, colors = np.zeros((3, 3), np.float32), np.zeros((3, 3), np.uint8)
    PreviewMesh(vertices, np.array([[0, 1, 3]], np.int32), colors).write(path)
    with pytest.raises(BadAsset):
        PreviewMesh.read(path)
    PreviewMesh(vertices, np.array([[0, 1, 2]], np.int32), colors).write(path)
    assert PreviewMesh.read(path).faces.tolist() == [[0, 1, 2]]
    for damaged in (path.read_bytes()[:-40], b"text", b""):
        path.write_bytes(damaged)
        with pytest.raises(BadAsset):
            PreviewMesh.read(path)
    path.unlink()
    with pytest.raises(BadAsset):
        PreviewMesh.read(path)
