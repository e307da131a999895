# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures: the folder holds correct views, and existing folders are kept."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import Normalization, project
from backend.shared.capture.checksums import with_changes_named
from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.radiance_hdr import read_hdr, write_hdr

SIZE, VIEWS, TESTS = 64, 4, 2
QUICK = ("--size", SIZE, "--samples", 4, "--views", VIEWS, "--environment-size", 128)
# 16-bit passes of constant values: rounding, and the divide by a coverage of 4 samples.
PASS_TOLERANCE = 2e-3


def pixels(path):
    """An 8-bit image as floats, 0..1, [height, width, channels]."""
    values = np.asarray(Image.open(path), np.float64) / 255.0
    return values.reshape(*values.shape[:2], -1)


@pytest.fixture(scope="module")
def sun(tmp_path_factory):
    """An environment that is dim but for a bright green patch."""
    image = np.full((32, 64, 3), 0.2, np.float32)
    image[9:18, 10:14] = (0.1, 0.9, 0.1)  # azimuth 101..123 degrees
    path = tmp_path_factory.mktemp("sky") / "patch.hdr"
    write_hdr(path, image)
    return path


@pytest.fixture(scope="module")
def views(block, sun, lsrm_blender, tmp_path_factory):
    """A capture with all options."""
    folder = tmp_path_factory.mktemp("capture") / "views"
    done = lsrm_blender(
        "capture", block[0], "-o", folder, *QUICK, "--test-views", TESTS, "--passes",
        "--environment", sun, "--relight", "studio", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bounding_sphere"]["radius"] > 0
    return folder


def test_folder_is_a_capture(views):
    """The folder and its test folder read back with as many views as requested."""
    assert len(read_capture(views).frames) == VIEWS
    assert len(read_capture(views / "test").frames) == TESTS
    info = read_capture_json(views)
    assert info["source"]["objects"] == ["Block"]
    assert info["lighting"]["kind"] == "environment"
    assert info["missing_images"] == []
    assert len(info["sha256"]) == 2 * VIEWS
    assert with_changes_named(read_capture(views)).warnings == tuple(info["warnings"])
    assert not list(views.parent.glob(".views*"))


def test_sphere_is_the_smallest(views, block):
    """The bounding sphere of a block is the one through its corners."""
    corners = np.array(block[1])
    sphere = read_capture(views).bounding_sphere
    assert np.allclose(sphere.center, corners.mean(axis=0), atol=1e-6)
    assert sphere.radius == pytest.approx(np.linalg.norm(corners[0] - corners.mean(axis=0)))


def test_views_show_the_whole_object(views, block):
    """Every view holds all corners within its frame, and masks agree with their projection."""
    capture = read_capture(views)
    for frame in capture.frames:
        corners, depth = project(np.array(block[1]), frame.intrinsics, frame.camera_to_world)
        assert (depth > 0).all()
        mask = pixels(frame.mask_path)[..., 0]
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0.0
        rows, columns = np.nonzero(mask > 0.5)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.allclose(seen, [*corners.min(axis=0), *corners.max(axis=0)], atol=1.6)


def test_background_is_the_environment(views):
    """Where no object covers an image, it shows the environment in the direction of the pixel."""
    from backend.shared.cameras import pixel_rays

    environment = read_hdr(views / "environment.hdr").astype(np.float64)
    height, width = environment.shape[:2]
    green = 0
    for frame in read_capture(views).frames:
        _, rays = pixel_rays(frame.intrinsics, frame.camera_to_world)
        x, y, z = np.moveaxis(rays / np.linalg.norm(rays, axis=-1, keepdims=True), -1, 0)
        column = ((0.5 - np.arctan2(y, x) / (2 * np.pi)) * width).astype(int) % width
        row = np.clip(((0.5 - np.arcsin(z) / np.pi) * height).astype(int), 0, height - 1)
        light = environment[row, column]
        expected = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        empty = pixels(frame.mask_path)[..., 0] == 0.0
        error = np.abs(pixels(frame.image_path) - expected)[empty]
        # The picture interpolates between texels, this test does not.
        assert np.median(error) < 1.0 / 255
        assert np.mean(error > 0.02) < 0.1
        green += int((light[empty, 1] > 0.5).sum())
    assert green > 0


def test_passes_are_the_materials(views, in_blender):
    """Base color, roughness, metallic and normal hold what the block is made of."""
    expected = {"base_color": (0.8, 0.2, 0.05), "roughness": (0.3,) * 3, "metallic": (0.75,) * 3}
    for frame in read_capture(views / "test").frames:
        inside = pixels(frame.mask_path)[..., 0] == 1.0
        files = {name: views / "test" / name / f"{frame.name}.png" for name in expected}
        normal_file = views / "test" / "normal" / f"{frame.name}.png"
        stored = in_blender(_stored, paths=[*map(str, files.values()), str(normal_file)])
        for values, truth in zip(stored[:3], expected.values(), strict=True):
            assert np.abs(np.array(values)[inside] - truth).max() < PASS_TOLERANCE
        normals = 2.0 * np.array(stored[3])[inside] - 1.0
        straight = np.abs(np.linalg.norm(normals, axis=-1) - 1.0) < 1e-3
        assert straight.mean() > 0.8  # edges between faces mix two normals
        towards_camera = normals[straight] @ frame.camera_to_world[:3, 2]
        assert (towards_camera > 0).all()


def _stored(paths):
    """The numbers in image files of any depth."""
    from pathlib import Path

    from lsrm.lsrm_blender.scene.pixels import read_stored

    return [read_stored(Path(path))[..., :3].tolist() for path in paths]


def test_relit_views_differ_in_light_only(views):
    """A relit test view has the coverage of the test view but other colors."""
    for frame in read_capture(views / "test").frames:
        before = pixels(frame.image_path)
        after = pixels(views / "test" / "relit_studio" / f"{frame.name}.png")
        assert before.shape == after.shape == (SIZE, SIZE, 4)
        assert np.array_equal(pixels(frame.mask_path)[..., 0], before[..., 3])
        assert np.abs(before[..., 3] - after[..., 3]).mean() < 0.02
        assert np.abs(before - after)[..., :3].max() > 0.1


def test_reference_mesh_is_the_block(views, block):
    """The stored true mesh has the block's corners, in the coordinates of the poses."""
    import trimesh

    mesh = trimesh.load_mesh(views / "test" / "reference_mesh.ply")
    distances = np.linalg.norm(mesh.vertices[:, None] - np.array(block[1])[None], axis=-1)
    assert distances.min(axis=0).max() < 1e-6
    assert len(mesh.faces) == 12


def test_normalize_changes_the_numbers_and_not_the_pictures(
    views, block, sun, lsrm_blender, tmp_path
):
    """With --normalize, poses and sphere are those of radius 0.5 at the origin; pixels stay."""
    arguments = ("capture", block[0], "-o", tmp_path / "unit", "--normalize", "--environment", sun)
    assert lsrm_blender(*arguments, *QUICK).returncode == 0
    unit, world = read_capture(tmp_path / "unit"), read_capture(views)
    assert np.allclose(unit.bounding_sphere.center, 0.0, atol=1e-9)
    assert unit.bounding_sphere.radius == pytest.approx(0.5)
    written = read_capture_json(tmp_path / "unit")["normalization"]
    normalization = Normalization(tuple(written["center"]), written["scale"])
    for scaled, original in zip(unit.frames, world.frames, strict=True):
        pose = normalization.apply_to_pose(original.camera_to_world)
        assert np.allclose(scaled.camera_to_world, pose, atol=1e-9)
        assert np.abs(pixels(scaled.image_path) - pixels(original.image_path)).max() <= 1.5 / 255


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.glb", None),
        ("empty.glb", b""),
        ("broken.glb", b"glTF\x02\x00\x00\x00 this is not a model"),
        ("broken.blend", b"BLENDER?"),
        ("empty.obj", b"# nothing\n"),
        ("points.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"),
        ("letter.txt", b"Dear Blender"),
    ],
)
def test_bad_assets_are_refused(name, content, lsrm_blender, tmp_path):
    """A file with nothing to capture gives BAD_ASSET and exit code 1; the old capture is kept."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    old = tmp_path / "views"
    old.mkdir()
    (old / "transforms.json").write_text("precious")
    done = lsrm_blender("capture", tmp_path / name, "-o", old, *QUICK, "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "BAD_ASSET"
    assert (old / "transforms.json").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_unknown_names_are_refused(block, lsrm_blender, tmp_path):
    """An unknown object, collection or environment gives BAD_ASSET with its name."""
    for arguments in (("--object", "Blokk"), ("--collection", "Toys"), ("--environment", "mars")):
        done = lsrm_blender("capture", block[0], "-o", tmp_path / "v", *arguments, *QUICK, "--json")
        assert done.returncode == 1, done.stderr
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "BAD_ASSET"
        assert arguments[1] in error["message"]


def test_foreign_folders_are_not_replaced(block, lsrm_blender, tmp_path):
    """A folder that is no capture is never overwritten."""
    (tmp_path / "holiday.jpg").write_bytes(b"photo")
    done = lsrm_blender("capture", block[0], "-o", tmp_path, *QUICK, "--json")
    assert json.loads(done.stdout)["error"]["code"] == "OUTPUT_NOT_WRITABLE"
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_stopping_keeps_the_old_capture(
    block, blender_python, repository, blender_variables, tmp_path
):
    """Ctrl-C exits with code 130; the old capture is kept, and no temporary files."""
    old = tmp_path / "views"
    old.mkdir()
    (old / "transforms.json").write_text("precious")
    entry = repository / "lsrm_blender" / "entry.py"
    arguments = ["capture", block[0], "-o", old, "--views", 200, "--size", 32, "--samples", 1]
    child = subprocess.Popen(
        [str(word) for word in (blender_python, "-P", entry, *arguments)],
        env=blender_variables, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in child.stderr:
        if "view 3/" in line:
            break
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert (old / "transforms.json").read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["views"]
