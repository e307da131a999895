# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Posed views in a scene: their cameras, each with its image as the background."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.shared.blender_cameras import blender_from_intrinsics
from ...backend.shared.cameras import Intrinsics
from ...backend.shared.capture.capture import TRANSFORMS_NAMES
from ...backend.shared.capture.colmap_model import has_colmap_model
from ...backend.shared.capture.image_header import AS_STORED
from ...backend.shared.capture.json_files import read_capture_json
from ...backend.shared.capture.orientation import turn_pixels
from ...backend.shared.capture.reader import read_capture
from ...backend.shared.errors import BadCapture
from .cameras.existing_cameras import VIEW
from .pixels import image_pixels
from .results.result_files import normalization_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ...backend.shared.capture.capture import Frame

RESOLUTION = "lsrm_resolution"
DISPLAY_SHARE = 0.08
"""The drawn size of a camera, relative to the mean distance from the center of all cameras."""


def is_capture(path: Path) -> bool:
    """Whether a path is one of posed views, and not of a result."""
    if path.is_dir():
        has_transforms = any((path / name).is_file() for name in TRANSFORMS_NAMES)
        return has_transforms or has_colmap_model(path)
    return path.suffix.lower() == ".json"


def show_views(
    path: Path, scene: bpy.types.Scene, corrected: Mapping[str, Any] | None = None
) -> list[bpy.types.Object]:
    """Add the cameras of a capture to a collection of their own; nothing else changes.

    The cameras of an earlier call for the same capture are replaced.

    Args:
        path: a capture folder, transforms.json or COLMAP model, as the backend reads them.
        scene: that gets the cameras.
        corrected: cameras to show instead of those of the capture, by the names of the views: the
            `cameras` that a check of the backend returns.

    Returns:
        The cameras. The size and pixel aspect of their images are in a custom property: in
        Blender these belong to the scene, which is not changed here.

    Raises:
        BadCapture, BadCamera, BadImage, TooFewViews: if the views cannot be read.
    """
    if not path.exists():
        raise BadCapture(f"There is no {path}.", "Choose a capture folder or a transforms.json.")
    capture = read_capture(path)
    frames = [_corrected(frame, corrected or {}) for frame in capture.frames]
    to_scene = normalization_of(read_capture_json(capture.folder))
    centers = np.array([to_scene.invert(frame.camera_to_world[:3, 3]) for frame in frames])
    size = DISPLAY_SHARE * float(np.linalg.norm(centers - centers.mean(axis=0), axis=1).mean())
    collection = _emptied_collection(f"Views of {capture.folder.name}", scene)
    made = []
    for frame, center in zip(frames, centers, strict=True):
        camera = camera_of(frame, center)
        camera.data.display_size = max(size, 1e-3)
        collection.objects.link(camera)
        made.append(camera)
    return made


def _corrected(frame: Frame, cameras: Mapping[str, Any]) -> Frame:
    """A frame with the corrected camera, if there is one for it."""
    if frame.name not in cameras:
        return frame
    camera = cameras[frame.name]
    intrinsics = frame.intrinsics if frame.lens else Intrinsics(**camera["intrinsics"])
    pose = np.array(camera["camera_to_world"])
    return replace(frame, camera_to_world=pose, intrinsics=intrinsics)


def camera_of(frame: Frame, center: np.ndarray) -> bpy.types.Object:
    """A Blender camera for a view, at a center [3] in the scene's coordinates.

    Blender's cameras have no distortion: behind that of a lens, the image fits at its center.
    """
    data = bpy.data.cameras.new(frame.name)
    settings = blender_from_intrinsics(frame.intrinsics_on_disk)
    for name in ("sensor_fit", "sensor_width", "sensor_height", "lens", "shift_x", "shift_y"):
        setattr(data, name, getattr(settings, name))
    data.show_background_images = True
    background = data.background_images.new()
    background.image = _image_of(frame)
    background.alpha = 0.5
    background.display_depth = "FRONT"
    camera = bpy.data.objects.new(frame.name, data)
    pose = frame.camera_to_world.copy()
    pose[:3, 3] = center
    camera.matrix_world = Matrix(pose.tolist())
    camera[VIEW] = str(frame.image_path)
    camera[RESOLUTION] = [
        *(settings.resolution_x, settings.resolution_y),
        *(settings.pixel_aspect_x, settings.pixel_aspect_y),
    ]
    return camera


def _image_of(frame: Frame) -> bpy.types.Image:
    """The image of a view; where EXIF turns it, which Blender does not do, a turned copy."""
    image = bpy.data.images.load(str(frame.image_path), check_existing=True)
    if frame.orientation == AS_STORED:
        return image
    pixels = turn_pixels(image_pixels(image), frame.orientation)
    height, width = pixels.shape[:2]
    turned = bpy.data.images.new(frame.name, width, height, alpha=image.channels == 4)
    turned.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    turned.pack()
    if not image.users:
        bpy.data.images.remove(image)
    return turned


def look_through(camera: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Make the camera of a view the scene's camera, with the resolution of its image."""
    render = scene.render
    scene.camera = camera
    width, height, render.pixel_aspect_x, render.pixel_aspect_y = camera[RESOLUTION]
    render.resolution_x, render.resolution_y = int(width), int(height)
    render.resolution_percentage = 100


def _emptied_collection(name: str, scene: bpy.types.Scene) -> bpy.types.Collection:
    """A collection of the scene by name, without the views of an earlier call."""
    found = next((each for each in scene.collection.children if each.name == name), None)
    if found is None:
        found = bpy.data.collections.new(name)
        scene.collection.children.link(found)
    old = [each for each in found.objects if VIEW in each.keys()]  # noqa: SIM118  RNA
    images = {item.image for each in old for item in each.data.background_images}
    bpy.data.batch_remove([block for each in old for block in (each, each.data)])
    bpy.data.batch_remove([each for each in images if each is not None and each.users == 0])
    return found
