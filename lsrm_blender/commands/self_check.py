# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `doctor`: checks of this Blender, by trying what LSRM uses."""

from __future__ import annotations

import math

import bmesh
import bpy
import numpy as np

from ...backend.shared import cameras
from ...backend.shared.errors import LsrmError
from ...backend.shared.exit_codes import DONE, ENVIRONMENT
from ...backend.shared.machine.findings import Finding
from ..capture_choices import BUNDLED
from ..entry import OLDEST_BLENDER
from ..scene.cameras.scene_cameras import Viewpoint, add_camera, point_camera
from ..scene.lighting import bundled_file
from ..scene.pixels import render_pixels
from ..scene.render_settings import RenderSettings, can_denoise, use_cycles
from ..scene.scene_state import working_scene

PIXEL_TOLERANCE = 0.1
POINT = (0.1, 0.05, 0.02)


def findings() -> list[Finding]:
    """Run all checks."""
    return [_version(), _renderer(), _denoiser(), _environment_lights()]


def exit_code(found: list[Finding]) -> int:
    """3 if something needed is missing."""
    return DONE if all(each.ok or not each.needed for each in found) else ENVIRONMENT


def _version() -> Finding:
    good = bpy.app.version[:2] >= OLDEST_BLENDER
    text = f"{bpy.app.version_string}."
    return Finding("Blender", good, text, "LSRM needs Blender 4.2 or later.")


def _renderer() -> Finding:
    """Render a small ball and compare its position with the camera formulas."""
    name, remedy = "Cycles and cameras", "Enable the Cycles add-on, or use another Blender build."
    try:
        error = marker_error()
    except LsrmError as failure:
        return Finding(name, ok=False, found=failure.message, remedy=remedy)
    good = error < PIXEL_TOLERANCE
    return Finding(name, good, f"A rendered marker is {error:.3f} px off.", remedy)


def marker_error() -> float:
    """The distance of a rendered marker from its projection by `shared.cameras`, in pixels."""
    intrinsics = cameras.Intrinsics(96, 64, 120.0, 120.0, 40.0, 30.0)
    view = Viewpoint("marker", intrinsics, cameras.look_at((1.0, -2.0, 0.7), (0.0, 0.0, 0.0)))
    with working_scene("LSRM marker", []) as scene:
        add_camera(scene)
        use_cycles(scene, RenderSettings(64, denoise=False))
        add_marker(scene, POINT, 0.02)
        point_camera(scene, view)
        found = centroid(render_pixels(scene)[..., 3])
    predicted, _ = cameras.project(np.array([POINT]), intrinsics, view.camera_to_world)
    return math.dist(found, predicted[0])


def add_marker(scene: bpy.types.Scene, center: tuple[float, float, float], radius: float) -> None:
    """Add a small ball to a working scene."""
    mesh = bpy.data.meshes.new("LSRM marker")
    ball = bmesh.new()
    bmesh.ops.create_icosphere(ball, subdivisions=3, radius=radius)
    ball.to_mesh(mesh)
    ball.free()
    marker = bpy.data.objects.new("LSRM marker", mesh)
    marker.location = center
    scene.collection.objects.link(marker)


def centroid(coverage: np.ndarray) -> tuple[float, float]:
    """The mean pixel coordinates (u, v) of a mask [height, width]."""
    rows, columns = np.mgrid[: coverage.shape[0], : coverage.shape[1]] + 0.5
    total = coverage.sum()
    return float((columns * coverage).sum() / total), float((rows * coverage).sum() / total)


def _denoiser() -> Finding:
    with working_scene("LSRM denoiser", []) as scene:
        good = can_denoise(scene)
    text = "Open Image Denoise was found." if good else "This build has no Open Image Denoise."
    remedy = "Captures will be noisier; use more --samples."
    return Finding("Denoiser", good, text, remedy, needed=False)


def _environment_lights() -> Finding:
    there = [name for name in BUNDLED if bundled_file(name) is not None]
    good = len(there) == len(BUNDLED)
    text = f"{len(there)} of {len(BUNDLED)} bundled lights were found."
    remedy = "Give HDR files instead of names."
    return Finding("Environment lights", good, text, remedy, needed=False)
