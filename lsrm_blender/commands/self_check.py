# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `doctor`: checks of this Blender, by trying what LSRM uses."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import bmesh
import bpy
import numpy as np

from ...backend.shared import cameras
from ...backend.shared.errors import LsrmError
from ...backend.shared.exit_codes import DONE, ENVIRONMENT
from ..capture_choices import BUNDLED
from ..entry import OLDEST_BLENDER
from ..scene.cameras.scene_cameras import Viewpoint, add_camera, point_camera
from ..scene.lighting import bundled_file
from ..scene.pixels import render_pixels
from ..scene.render_settings import RenderSettings, can_denoise, use_cycles
from ..scene.scene_state import working_scene

PIXEL_TOLERANCE = 0.1
POINT = (0.1, 0.05, 0.02)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: of the check.
        text: the outcome.
        remedy: what to do if the check failed.
        good: whether the check passed.
        needed: whether LSRM's commands fail without it.
    """

    name: str
    text: str
    remedy: str
    good: bool
    needed: bool = True

    @property
    def line(self) -> str:
        """The finding for people."""
        text = self.text if self.good else f"{self.text} {self.remedy}"
        return f"{'✓' if self.good else '✗'} {self.name}: {text}"

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON."""
        return asdict(self)


def findings() -> list[Finding]:
    """Run all checks."""
    return [_version(), _renderer(), _denoiser(), _environment_lights()]


def exit_code(found: list[Finding]) -> int:
    """3 if something needed is missing."""
    return DONE if all(f.good or not f.needed for f in found) else ENVIRONMENT


def _version() -> Finding:
    good = bpy.app.version[:2] >= OLDEST_BLENDER
    text = f"{bpy.app.version_string}."
    return Finding("Blender", text, "LSRM needs Blender 4.2 or later.", good=good)


def _renderer() -> Finding:
    """Render a small ball and compare its position with the camera formulas."""
    name, remedy = "Cycles and cameras", "Enable the Cycles add-on, or use another Blender build."
    try:
        error = marker_error()
    except LsrmError as failure:
        return Finding(name, failure.message, remedy, good=False)
    good = error < PIXEL_TOLERANCE
    return Finding(name, f"A rendered marker is {error:.3f} px off.", remedy, good=good)


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
    return Finding("Denoiser", text, remedy, good=good, needed=False)


def _environment_lights() -> Finding:
    there = [name for name in BUNDLED if bundled_file(name) is not None]
    good = len(there) == len(BUNDLED)
    text = f"{len(there)} of {len(BUNDLED)} bundled lights were found."
    remedy = "Give HDR files instead of names."
    return Finding("Environment lights", text, remedy, good=good, needed=False)
