# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds of the quality benchmark: materials of an asset found at points of another mesh."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from backend.shared.errors import BadAsset
from backend.shared.srgb import srgb_to_linear
from benchmarks.quality import asset_surface
from benchmarks.quality.asset_surface import SurfacePoints, sample_asset, specular_factor
from benchmarks.quality.side_by_side import CAPTION, compose
from benchmarks.quality.true_materials import nearest

RED, BLUE = (200, 30, 10), (20, 40, 220)
CENTER, SCALE = (0.0, 0.0, 3.0), 0.25


@pytest.fixture
def views(tmp_path, monkeypatch):
    """A capture without images of a plate in glTF axes: red for u < 0.5, blue beyond."""
    monkeypatch.setattr(asset_surface, "SAMPLES", 2000)
    corners = np.array([[-1, 2.5, -1], [1, 2.5, -1], [1, 3.5, 1], [-1, 3.5, 1]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    colors = np.zeros((8, 8, 3), np.uint8)
    colors[:, :4], colors[:, 4:] = RED, BLUE
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(colors),
        baseColorFactor=[255, 255, 51, 255],
        metallicRoughnessTexture=Image.new("RGB", (4, 4), (0, 102, 255)),
        roughnessFactor=0.5,
    )
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    trimesh.Trimesh(corners, faces, visual=visual, process=False).export(tmp_path / "plate.glb")
    true = SCALE * (np.stack([corners[:, 0], -corners[:, 2], corners[:, 1]], axis=1) - CENTER)
    (tmp_path / "test").mkdir()
    trimesh.Trimesh(true, faces, process=False).export(tmp_path / "test" / "reference_mesh.ply")
    document = {
        "source": {"file": str(tmp_path / "plate.glb")},
        "normalization": {"center": CENTER, "scale": SCALE},
    }
    (tmp_path / "capture.json").write_text(json.dumps(document))
    return tmp_path


def test_specular_factor(views):
    """A plate of glTF reflects as glass does; one of Wavefront as its file says."""
    assert specular_factor(views) == 1.0
    (views / "plate.obj").write_text(
        "mtllib plate.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl dull\nf 1/1 2/1 3/1\n"
    )
    for strength, expected in ((0.0, 0.0), (0.1, 0.2), (0.9, 1.0)):
        (views / "plate.mtl").write_text(f"newmtl dull\nKs {strength} {strength} {strength}\n")
        document = {"source": {"file": str(views / "plate.obj")}}
        (views / "capture.json").write_text(json.dumps(document))
        assert specular_factor(views) == pytest.approx(expected)


def test_samples_have_the_materials_of_the_file(views):
    points = sample_asset(views, default_roughness=0.9)
    assert len(points.positions) == 2000
    assert np.abs(points.positions[:, 2]).max() <= 0.125
    left = np.abs(points.positions[:, 0] + 0.125) < 0.08  # clear of both seams
    red = srgb_to_linear(np.array(RED, np.float32) / 255) * [1, 1, 0.2]
    assert points.materials[left, :3] == pytest.approx(np.tile(red, (left.sum(), 1)), abs=1e-3)
    assert points.materials[:, 3] == pytest.approx(0.2, abs=1e-3)
    assert points.materials[:, 4:] == pytest.approx(1)


def test_another_asset_is_refused(views):
    box = trimesh.creation.box((1, 1, 1))
    box.export(views / "test" / "reference_mesh.ply")
    with pytest.raises(BadAsset):
        sample_asset(views, default_roughness=0.9)


def test_points_of_a_thin_wall_are_taken_from_their_own_side():
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 20), np.linspace(0, 1, 20)), -1).reshape(-1, 2)
    front = np.concatenate([grid, np.full((400, 1), 0.01)], axis=1)
    back = np.concatenate([grid, np.full((400, 1), -0.01)], axis=1)
    up = np.tile([0.0, 0.0, 1.0], (400, 1))
    points = SurfacePoints(
        np.concatenate([front, back]), np.concatenate([up, -up]), np.zeros((800, 6), np.float32)
    )
    moved = front - [0, 0, 0.018]  # nearer to the back
    assert nearest(points, moved, up).tolist() == list(range(400))


def test_pictures_repeat_the_truth_for_every_light():
    comparison = Image.new("RGB", (32, 6 * 16), "red")
    comparison.paste("blue", (16, 0, 32, 6 * 16))
    picture = compose([("radiance", comparison), ("ours", comparison)] * 2)
    assert picture.size == (6 * 16, 4 * 16 + CAPTION)
    colors = [picture.getpixel((16 * column + 8, CAPTION + 20)) for column in range(6)]
    red, blue = (255, 0, 0), (0, 0, 255)
    assert colors == [red, blue, blue] * 2
