# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's own cameras as views: all of a scene, or one along its animation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ....backend.shared.blender_cameras import BlenderCamera, intrinsics_from_blender
from ....backend.shared.errors import BadCamera, TooFewViews
from .scene_cameras import Viewpoint

if TYPE_CHECKING:
    import bpy

    from ....backend.shared.cameras import Intrinsics

VIEW = "lsrm_view"
"""The custom property of cameras that LSRM has made of views."""

FEWEST = 2
"""Cameras that a capture needs."""


def cameras_of_scene(scene: bpy.types.Scene, size: int) -> list[Viewpoint]:
    """The views of all perspective cameras of a scene but those that LSRM has made.

    Args:
        scene: whose cameras and proportions of renders are taken.
        size: of the longer side of the images, in pixels.

    Raises:
        TooFewViews: if there are fewer than two.
    """
    depsgraph = _depsgraph(scene)
    found = own_cameras(scene)
    if len(found) < FEWEST:
        raise too_few_cameras(len(found))
    return [_viewpoint(each, scene, size, index, depsgraph) for index, each in enumerate(found)]


def own_cameras(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The perspective cameras that the artist has made, by name."""
    found = [each for each in scene.objects if _is_perspective(each)]
    found = [each for each in found if VIEW not in each.keys()]  # noqa: SIM118  RNA
    return sorted(found, key=lambda camera: camera.name)


def too_few_cameras(count: int) -> TooFewViews:
    """The error for a scene with so many perspective cameras."""
    return TooFewViews(
        f"A capture needs two perspective cameras or more; the scene has {count}.",
        "Add cameras around the object, or choose another placement.",
    )


def cameras_along_animation(scene: bpy.types.Scene, size: int, count: int) -> list[Viewpoint]:
    """The views of the scene's camera at frames that are spread evenly over its animation.

    Only the camera moves: the object is captured as it is at the current frame, which is restored.

    Args:
        scene: that is animated; the camera may change at its markers.
        size: of the longer side of the images, in pixels.
        count: of the views, at most; each frame is taken once.

    Raises:
        BadCamera: if the scene has no perspective camera.
        TooFewViews: if there are fewer than two frames.
    """
    frames = np.linspace(scene.frame_start, scene.frame_end, count).round().astype(int)
    frames = np.unique(frames)
    if len(frames) < FEWEST:
        raise TooFewViews("The animation has one frame.", "Animate the camera over more frames.")
    current, fraction = scene.frame_current, scene.frame_subframe
    views = []
    try:
        for index, frame in enumerate(frames):
            scene.frame_set(int(frame))
            camera = scene.camera
            if camera is None or not _is_perspective(camera):
                raise BadCamera(
                    f"The scene has no perspective camera at frame {frame}.",
                    "Set the scene's camera, or choose another placement.",
                )
            views.append(_viewpoint(camera, scene, size, index, _depsgraph(scene)))
    finally:
        scene.frame_set(current, subframe=fraction)
    return views


def _depsgraph(scene: bpy.types.Scene) -> bpy.types.Depsgraph:
    """The evaluated state of a scene."""
    layer = scene.view_layers[0]
    layer.update()
    return layer.depsgraph


def _is_perspective(camera: bpy.types.Object) -> bool:
    return camera.type == "CAMERA" and camera.data.type == "PERSP"


def _viewpoint(
    camera: bpy.types.Object,
    scene: bpy.types.Scene,
    size: int,
    index: int,
    depsgraph: bpy.types.Depsgraph,
) -> Viewpoint:
    """The view of a camera as the scene renders it, but for the number of pixels."""
    evaluated = camera.evaluated_get(depsgraph)
    pose = np.array(evaluated.matrix_world.normalized(), np.float64)
    if np.linalg.det(pose[:3, :3]) < 0.0:
        raise BadCamera(
            f"The camera {camera.name} is mirrored.", "Apply its scale, and that of its parents."
        )
    # A sheared parent leaves axes that are not at right angles: a render uses the nearest rotation.
    left, _, right = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = left @ right
    return Viewpoint(f"{index:04d}", _intrinsics(evaluated.data, scene.render, size), pose)


def _intrinsics(
    camera: bpy.types.Camera, render: bpy.types.RenderSettings, size: int
) -> Intrinsics:
    """The intrinsics of a camera, for images whose longer side has `size` pixels."""
    names = ("lens", "sensor_width", "sensor_height", "sensor_fit", "shift_x", "shift_y")
    full = intrinsics_from_blender(
        BlenderCamera(
            **{name: getattr(camera, name) for name in names},
            resolution_x=render.resolution_x,
            resolution_y=render.resolution_y,
            pixel_aspect_x=render.pixel_aspect_x,
            pixel_aspect_y=render.pixel_aspect_y,
        )
    )
    scale = size / max(full.width, full.height)
    return full.scaled(max(1, round(scale * full.width)), max(1, round(scale * full.height)))
