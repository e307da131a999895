# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera formulas against Cycles: a rendered marker appears where they project it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from backend.shared.blender_cameras import BlenderCamera, intrinsics_from_blender
from backend.shared.cameras import Intrinsics, look_at, project

POINT = (0.3, 0.2, -3.0)
TOLERANCE = 0.05

CAMERAS = {
    "percentage": BlenderCamera(resolution_x=301, resolution_y=200, resolution_percentage=50),
    "tall pixels": BlenderCamera(resolution_x=150, resolution_y=200, pixel_aspect_x=2.0),
    "portrait": BlenderCamera(resolution_x=90, resolution_y=160),
    "vertical fit": BlenderCamera(resolution_x=160, resolution_y=90, sensor_fit="VERTICAL"),
    "vertical portrait": BlenderCamera(resolution_x=90, resolution_y=160, sensor_fit="VERTICAL"),
    "horizontal fit": BlenderCamera(resolution_x=90, resolution_y=160, sensor_fit="HORIZONTAL"),
    "shift": BlenderCamera(resolution_x=160, resolution_y=90, shift_x=0.1, shift_y=0.15),
    "shift, portrait": BlenderCamera(resolution_x=90, resolution_y=160, shift_x=0.1, shift_y=0.05),
    "aspect turns the fit": BlenderCamera(
        resolution_x=108, resolution_y=128, pixel_aspect_x=1.5, shift_x=0.1, shift_y=0.1
    ),
    "lens and sensor": BlenderCamera(
        resolution_x=160, resolution_y=90, lens=35.0, sensor_width=32.0, sensor_height=18.0,
        sensor_fit="VERTICAL", shift_x=0.1, shift_y=0.15,
    ),
}  # fmt: skip

PINHOLES = {
    "off center": Intrinsics(120, 80, 150.0, 150.0, 50.0, 47.5),
    "flat pixels": Intrinsics(100, 90, 140.0, 180.0, 55.0, 40.0),
}


def _render_with_settings(cameras, point):
    """The pixel of a rendered marker with Blender's own camera settings."""
    import bpy
    from lsrm.lsrm_blender.commands import self_check
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import add_camera
    from lsrm.lsrm_blender.scene.pixels import render_pixels
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings, use_cycles
    from lsrm.lsrm_blender.scene.scene_state import working_scene

    found = []
    with working_scene("test", []) as scene:
        camera = add_camera(scene).data
        use_cycles(scene, RenderSettings(100, denoise=False))
        self_check.add_marker(scene, point, 0.03)
        for settings in cameras:
            for name, value in settings.items():
                owner = camera if hasattr(camera, name) else scene.render
                setattr(owner, name, value)
            rendered = render_pixels(scene)[..., 3]
            found.append([*self_check.centroid(rendered), *rendered.shape])
    assert "test" not in bpy.data.scenes
    return found


def _render_views(views, point):
    """The pixel of a rendered marker in views from intrinsics and poses."""
    import numpy as np
    from lsrm.backend.shared.cameras import Intrinsics
    from lsrm.lsrm_blender.commands import self_check
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Viewpoint, add_camera, point_camera
    from lsrm.lsrm_blender.scene.pixels import render_pixels
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings, use_cycles
    from lsrm.lsrm_blender.scene.scene_state import working_scene

    found = []
    with working_scene("test", []) as scene:
        add_camera(scene)
        use_cycles(scene, RenderSettings(100, denoise=False))
        self_check.add_marker(scene, point, 0.03)
        for intrinsics, pose in views:
            point_camera(scene, Viewpoint("view", Intrinsics(**intrinsics), np.array(pose)))
            rendered = render_pixels(scene)[..., 3]
            found.append([*self_check.centroid(rendered), *rendered.shape])
    return found


def test_blender_settings_predict_the_pixel(in_blender):
    """A rendered marker lies within 0.05 px of where its camera's settings put it."""
    found = in_blender(
        _render_with_settings, cameras=[asdict(camera) for camera in CAMERAS.values()], point=POINT
    )
    for (name, camera), (u, v, height, width) in zip(CAMERAS.items(), found, strict=True):
        intrinsics = intrinsics_from_blender(camera)
        assert (width, height) == (intrinsics.width, intrinsics.height), name
        predicted, _ = project([POINT], intrinsics, np.eye(4))
        assert (u, v) == pytest.approx(tuple(predicted[0]), abs=TOLERANCE), name


def test_intrinsics_and_poses_predict_the_pixel(in_blender):
    """A marker rendered with intrinsics and look_at lies within 0.05 px of its projection."""
    poses = [look_at((2.0, -3.0, 1.0), (0.1, 0.0, 0.2)), look_at((0.0, 0.0, 4.0), (0.0, 0.0, 0.0))]
    views = [(asdict(pinhole), pose.tolist()) for pinhole in PINHOLES.values() for pose in poses]
    point = (0.15, -0.1, 0.2)
    found = in_blender(_render_views, views=views, point=point)
    for (values, pose), (u, v, height, width) in zip(views, found, strict=True):
        intrinsics = Intrinsics(**values)
        assert (width, height) == (intrinsics.width, intrinsics.height)
        predicted, _ = project([point], intrinsics, np.array(pose))
        assert (u, v) == pytest.approx(tuple(predicted[0]), abs=TOLERANCE)
