# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in a scene: behind a camera lies its photograph, turned as EXIF says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from backend.export_views import export_views
from backend.shared.blender_cameras import BlenderCamera, intrinsics_from_blender
from backend.shared.cameras import Normalization, look_at
from backend.shared.capture.capture import Frame
from backend.shared.capture.writer import write_transforms
from backend.shared.names.view_formats import COLMAP
from backend.shared.progress import Progress


def _background(folder):
    """The pixels behind the first camera of a capture, [height, width, 3], row 0 on top."""
    from pathlib import Path

    from lsrm.backend.shared.capture.reader import read_capture
    from lsrm.lsrm_blender.scene.import_views import camera_of
    from lsrm.lsrm_blender.scene.pixels import image_pixels

    frame = read_capture(Path(folder)).frames[0]
    camera = camera_of(frame, frame.camera_to_world[:3, 3])
    (background,) = camera.data.background_images
    return image_pixels(background.image)[..., :3].tolist()


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_photographs_are_turned(in_blender, tmp_path, orientation):
    """The upright picture is shown, whatever the stored one is."""
    upright = np.random.default_rng(0).integers(0, 256, (9, 6, 3)).astype(np.uint8)
    stored = {1: upright, 6: np.rot90(upright), 7: upright[::-1, ::-1].swapaxes(0, 1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    pose = look_at((0.0, -4.0, 1.0), (0.0, 0.0, 0.0)).tolist()
    frame = {"file_path": "a.png", "w": 6, "h": 9, "fl_x": 9, "transform_matrix": pose}
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": [frame]}))
    shown = np.array(in_blender(_background, folder=tmp_path))
    assert shown * 255 == pytest.approx(upright, abs=0.6)


def _cameras(blend):
    """The collections in a .blend, and optics, images and positions of its cameras."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=blend)
    found = {}
    for camera in (each for each in bpy.data.objects if each.type == "CAMERA"):
        data = camera.data
        width, height, aspect_x, aspect_y = camera["lsrm_resolution"]
        found[camera.name] = {
            "optics": [data.lens / data.sensor_width, data.shift_x, data.shift_y],
            "image": [width, height, aspect_y / aspect_x],
            "matrix": [list(row) for row in camera.matrix_world],
        }
    return [each.name for each in bpy.data.collections], found


def test_blender_to_colmap_and_back(lsrm_blender, in_blender, tmp_path):
    """Cameras of Blender come back through a transforms.json and a COLMAP model as they were."""
    wide = BlenderCamera(
        lens=35.0, shift_x=0.1, shift_y=-0.05, resolution_x=40, resolution_y=30, pixel_aspect_y=1.5
    )
    tall = BlenderCamera(lens=70.0, shift_y=0.2, resolution_x=20, resolution_y=50)
    world = Normalization((3.0, -2.0, 1.0), 0.25)
    frames, poses = [], []
    for name, camera in (("tall", tall), ("wide", wide)):
        pose = look_at((5.0, -4.0, 2.0 + len(name)), (3.0, -2.0, 1.0 + len(frames)))
        poses.append(pose)
        lens = intrinsics_from_blender(camera)
        image = tmp_path / "views" / f"{name}.png"
        image.parent.mkdir(exist_ok=True)
        Image.new("RGB", (lens.width, lens.height)).save(image)
        frames.append(Frame(name, image, None, lens, world.apply_to_pose(pose)))
    write_transforms(tmp_path / "views" / "transforms.json", frames)
    description = {"normalization": {"center": list(world.center), "scale": world.scale}}
    (tmp_path / "views" / "capture.json").write_text(json.dumps(description), "utf-8")
    export_views(tmp_path / "views", tmp_path / "colmap", COLMAP, Progress())
    blend = tmp_path / "scene.blend"
    done = lsrm_blender("import", tmp_path / "colmap" / "sparse" / "0", "-o", blend)
    assert done.returncode == 0, done.stderr
    collections, found = in_blender(_cameras, blend=blend)
    assert collections == ["Views of colmap"], "called after the folder around the model"
    for name, camera, pose in zip(("tall", "wide"), (tall, wide), poses, strict=True):
        optics = [camera.lens / camera.sensor_width, camera.shift_x, camera.shift_y]
        image = [camera.resolution_x, camera.resolution_y, camera.pixel_aspect_y]
        # Blender stores its settings as float32.
        assert found[name]["optics"] == pytest.approx(optics, abs=1e-6)
        assert found[name]["image"] == pytest.approx(image, rel=1e-6)
        assert np.array(found[name]["matrix"]) == pytest.approx(pose, abs=1e-5)
