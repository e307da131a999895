# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views by coverage, by the scene's cameras and along an animation; the preview of cameras."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import project
from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture


def _try_placements(folder):
    """Plan and capture a cup in every way; returns what happened, as JSON."""
    from dataclasses import replace
    from pathlib import Path

    import bpy
    from lsrm.backend.shared.errors import LsrmError
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender import capture_choices as choices
    from lsrm.lsrm_blender.scene.assets.asset_import import open_empty
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice, choose
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Framing
    from lsrm.lsrm_blender.scene.capture.capture import capture
    from lsrm.lsrm_blender.scene.capture.planned_views import remove_preview, show_preview
    from lsrm.lsrm_blender.scene.capture.settings import CaptureSettings
    from lsrm.lsrm_blender.scene.lighting import chosen_light
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings
    from mathutils import Vector

    def add_camera(name, location):
        camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
        camera.location = location
        camera.rotation_euler = (
            (Vector((3, 0, 0)) - camera.location).to_track_quat("-Z", "Y").to_euler()
        )
        scene.collection.objects.link(camera)
        return camera

    def counts():
        return {
            name: len(getattr(bpy.data, name))
            for name in ("objects", "cameras", "collections", "scenes", "images", "worlds")
        }

    open_empty()
    scene, found = bpy.context.scene, {"errors": {}}
    mesh = bpy.data.meshes.new("Cup")
    corners = [(x, y, z) for z in (-1.2, 1.2) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    sides = [(i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4) for i in range(4)]
    mesh.from_pydata(corners, [], [(3, 2, 1, 0), *sides])  # no lid
    cup = bpy.data.objects.new("Cup", mesh)
    cup.location = (3, 0, 0)
    cup.modifiers.new("Wall", "SOLIDIFY").thickness = 0.1
    scene.collection.objects.link(cup)
    asset = choose(scene, AssetChoice(Path("scene.blend"), names=(cup.name,)))
    render = RenderSettings(1, denoise=False, threads=1)
    quick = CaptureSettings(
        views=8,
        framing=Framing(24),
        render=render,
        panorama_width=16,
        environment=chosen_light(choices.SOFT_BOXES),
    )

    def run(placement, views=8):
        try:
            settings = replace(quick, placement=placement, views=views)
            capture(asset, Path(folder) / placement, settings, Progress())
        except LsrmError as error:
            found["errors"][placement] = str(error)

    for placement in (choices.COVERAGE, choices.CAMERAS, choices.ANIMATION):
        run(placement)
    before = counts()
    plan = show_preview(asset, scene, replace(quick, placement=choices.COVERAGE))
    shown = bpy.data.collections["LSRM Preview"].objects
    found["preview"] = [plan.count, len(shown), [list(row) for row in shown[0].matrix_world]]
    show_preview(asset, scene, quick)
    found["preview again"] = len(bpy.data.collections["LSRM Preview"].objects)
    remove_preview(scene)
    found["gone"] = counts() == before
    scene.render.resolution_x, scene.render.resolution_y = 300, 600
    add_camera("Left", (-14, -8, 3)).data.sensor_fit = "VERTICAL"
    add_camera("Right", (20, -10, 8)).data.shift_x = 0.05
    add_camera("Flat", (3, -8, 0)).data.type = "ORTHO"
    away = add_camera("Away", (3, -8, 0))
    away.rotation_euler = (0, 0, 0)
    run(choices.CAMERAS)
    moving = add_camera("Moving", (3, -20, 3))
    scene.camera, scene.frame_start, scene.frame_end = moving, 1, 30
    for frame, x in ((1, 1.5), (30, 4.5)):
        moving.location.x = x
        moving.keyframe_insert("location", frame=frame)
    scene.frame_set(7)
    run(choices.ANIMATION, views=4)
    found["frame"] = scene.frame_current
    return found


@pytest.fixture(scope="module")
def placed(in_blender, tmp_path_factory):
    """The folder of the captures, and what else happened."""
    folder = tmp_path_factory.mktemp("placed")
    return folder, in_blender(_try_placements, folder=folder)


def test_coverage_adds_views_into_the_cavity(placed):
    """Of a deep cup more views are taken than requested; the description has how well they see."""
    info = read_capture_json(placed[0] / "coverage")
    assert 8 < info["views"] <= 16
    assert len(read_capture(placed[0] / "coverage").frames) == info["views"]
    covered = info["surface_coverage"]
    assert covered["in_cavities"] > 50
    assert covered["seen_by_too_few"] < 0.05 * covered["points"]


def test_cameras_of_the_scene_are_used_as_they_are(placed):
    """Their images have the scene's proportions, and the object is where the cameras show it."""
    frames = read_capture(placed[0] / "cameras").frames
    positions = [frame.camera_to_world[:3, 3].round(4).tolist() for frame in frames]
    assert positions == [[-14, -8, 3], [20, -10, 8]]
    for frame in frames:
        mask = np.asarray(Image.open(frame.mask_path), float) / 255.0
        assert mask.shape == (24, 12)
        rows, columns = np.nonzero(mask > 0.5)
        center, _ = project(np.array([[3.0, 0, 0]]), frame.intrinsics, frame.camera_to_world)
        assert abs(columns.mean() + 0.5 - center[0, 0]) < 1.0
        assert abs(rows.mean() + 0.5 - center[0, 1]) < 2.0
    assert frames[0].intrinsics.fy == pytest.approx(50.0)  # a sensor of 24 mm on 24 pixels
    warnings = read_capture_json(placed[0] / "cameras")["warnings"]
    assert "1 of 3 cameras do not show the object" in " ".join(warnings)


def test_a_camera_is_followed_along_its_animation(placed):
    """Frames are spread over the animation, and the current one is restored."""
    frames = read_capture(placed[0] / "animation").frames
    positions = [frame.camera_to_world[0, 3] for frame in frames]
    assert positions == sorted(positions)
    assert positions[0] == pytest.approx(1.5)
    assert positions[-1] == pytest.approx(4.5)
    assert placed[1]["frame"] == 7


def test_missing_cameras_are_named(placed):
    """A scene without cameras is an error that says what to do."""
    errors = placed[1]["errors"]
    assert errors["cameras"].startswith("TOO_FEW_VIEWS")
    assert errors["animation"].startswith("BAD_CAMERA")
    assert set(errors) == {"cameras", "animation"}


def test_the_preview_shows_the_cameras_and_leaves_nothing(placed):
    """A camera for each planned view, replaced by the next preview; removed without a trace."""
    planned, shown, pose = placed[1]["preview"]
    assert planned == shown == read_capture_json(placed[0] / "coverage")["views"]
    first = read_capture(placed[0] / "coverage").frames[0].camera_to_world
    assert np.allclose(pose, first, atol=1e-3)
    assert placed[1]["preview again"] == 8
    assert placed[1]["gone"]
