# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The poses of a capture's cameras, and the Blender cameras that are made from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix

from ....backend.shared import cameras
from ....backend.shared.blender_cameras import blender_from_intrinsics

if TYPE_CHECKING:
    from ....backend.shared.capture.capture import BoundingSphere

FRAME_MARGIN = 0.06
# Closer than this to the center, in radii, the near parts of long objects would be distorted.
NEAREST = 2.0


@dataclass(frozen=True)
class Viewpoint:
    """One camera.

    Attributes:
        name: of its images.
        intrinsics: in pixels.
        camera_to_world: [4, 4] float64, OpenGL axes, in the scene's units.
    """

    name: str
    intrinsics: cameras.Intrinsics
    camera_to_world: np.ndarray


@dataclass(frozen=True)
class Framing:
    """How a view shows the object.

    Attributes:
        size: of the square image, in pixels.
        field_of_view: in degrees.
        distance: from the sphere's center, in its radii; None fills the frame with a margin.
    """

    size: int = 256
    field_of_view: float = 40.0
    distance: float | None = None

    @property
    def intrinsics(self) -> cameras.Intrinsics:
        """The intrinsics that all views share."""
        return cameras.intrinsics_from_fov(self.size, self.size, math.radians(self.field_of_view))


def filling_distance(
    vertices: np.ndarray, sphere: BoundingSphere, direction: np.ndarray, framing: Framing
) -> float:
    """The least distance from the sphere's center at which no vertex [n, 3] is cut.

    A vertex at (x, y, z) in the camera's axes, z towards the camera, stays in a square frame if
    max(|x|, |y|) <= tan(field_of_view / 2) * (distance - z).
    """
    pose = cameras.look_at(np.asarray(sphere.center) + direction, sphere.center)
    local = (vertices - sphere.center) @ pose[:3, :3]
    slope = math.tan(0.5 * math.radians(framing.field_of_view)) * (1.0 - FRAME_MARGIN)
    needed = local[:, 2] + np.abs(local[:, :2]).max(axis=1) / slope
    return max(float(needed.max()), NEAREST * sphere.radius)


def viewpoints(
    directions: np.ndarray, vertices: np.ndarray, sphere: BoundingSphere, framing: Framing
) -> list[Viewpoint]:
    """Cameras that look at the sphere's center from unit directions [n, 3]."""
    views = []
    for index, direction in enumerate(directions):
        if framing.distance is None:
            distance = filling_distance(vertices, sphere, direction, framing)
        else:
            distance = framing.distance * sphere.radius
        pose = cameras.look_at(np.asarray(sphere.center) + distance * direction, sphere.center)
        views.append(Viewpoint(f"{index:04d}", framing.intrinsics, pose))
    return views


def add_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """Add a perspective camera to a working scene, as the scene's camera."""
    camera = bpy.data.objects.new("LSRM camera", bpy.data.cameras.new("LSRM camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def point_camera(scene: bpy.types.Scene, viewpoint: Viewpoint) -> None:
    """Give the scene's camera the pose and intrinsics of a view."""
    use_intrinsics(scene, viewpoint.intrinsics)
    scene.camera.matrix_world = Matrix(viewpoint.camera_to_world.tolist())
    reach = float(np.linalg.norm(viewpoint.camera_to_world[:3, 3]))
    scene.camera.data.clip_end = max(1000.0, 1000.0 * reach)


def use_intrinsics(scene: bpy.types.Scene, intrinsics: cameras.Intrinsics) -> None:
    """Give a working scene and its camera these intrinsics, exactly."""
    settings = blender_from_intrinsics(intrinsics)
    camera, render = scene.camera.data, scene.render
    camera.type = "PERSP"
    for name in ("sensor_fit", "sensor_width", "sensor_height", "lens", "shift_x", "shift_y"):
        setattr(camera, name, getattr(settings, name))
    camera.dof.use_dof = False
    render.resolution_x, render.resolution_y = settings.resolution_x, settings.resolution_y
    render.resolution_percentage = settings.resolution_percentage
    # Raise one before lowering the other: Blender keeps both at one or more.
    render.pixel_aspect_x, render.pixel_aspect_y = settings.pixel_aspect_x, settings.pixel_aspect_y
    render.use_border = False
    render.use_multiview = False
