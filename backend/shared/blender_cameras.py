# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's camera and render settings as pinhole intrinsics, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .cameras import Intrinsics
from .errors import BadCamera

SensorFit: TypeAlias = Literal["AUTO", "HORIZONTAL", "VERTICAL"]

# Blender silently clamps values beyond these.
BLENDER_MIN_LENS = 1.0
BLENDER_MAX_PIXEL_ASPECT = 200.0


@dataclass(frozen=True, kw_only=True)
class BlenderCamera:
    """The settings of a Blender camera and scene that determine a perspective image.

    Attributes:
        lens: focal length in millimeters.
        sensor_width: in millimeters; used with AUTO and HORIZONTAL fit.
        sensor_height: in millimeters; used with VERTICAL fit.
        sensor_fit: the side of the image that the sensor size refers to.
        shift_x: of the principal point, in units of the side that the sensor size refers to.
        shift_y: of the principal point, in the same units.
        resolution_x: of the scene, in pixels, before the percentage.
        resolution_y: of the scene, in pixels, before the percentage.
        resolution_percentage: 1..100 or more.
        pixel_aspect_x: of the scene, 1..200.
        pixel_aspect_y: of the scene, 1..200.
    """

    lens: float = 50.0
    sensor_width: float = 36.0
    sensor_height: float = 24.0
    sensor_fit: SensorFit = "AUTO"
    shift_x: float = 0.0
    shift_y: float = 0.0
    resolution_x: int
    resolution_y: int
    resolution_percentage: int = 100
    pixel_aspect_x: float = 1.0
    pixel_aspect_y: float = 1.0


def _fitted_side(width: int, height: int, aspect: tuple[float, float], fit: SensorFit) -> float:
    """The length of the side that the sensor size refers to, in units of a pixel's width."""
    aspect_x, aspect_y = aspect
    horizontal = fit == "HORIZONTAL" or (fit == "AUTO" and aspect_x * width >= aspect_y * height)
    return float(width) if horizontal else height * aspect_y / aspect_x


def intrinsics_from_blender(camera: BlenderCamera) -> Intrinsics:
    """The pinhole camera that Blender renders with."""
    width = camera.resolution_x * camera.resolution_percentage // 100
    height = camera.resolution_y * camera.resolution_percentage // 100
    aspect = (camera.pixel_aspect_x, camera.pixel_aspect_y)
    side = _fitted_side(width, height, aspect, camera.sensor_fit)
    # AUTO uses the width of the sensor, even if it refers to the height of the image.
    sensor = camera.sensor_height if camera.sensor_fit == "VERTICAL" else camera.sensor_width
    y_over_x = aspect[1] / aspect[0]
    focal = camera.lens * side / sensor
    cx = 0.5 * width - camera.shift_x * side
    cy = 0.5 * height + camera.shift_y * side / y_over_x
    return Intrinsics(width, height, focal, focal / y_over_x, cx, cy)


def blender_from_intrinsics(intrinsics: Intrinsics) -> BlenderCamera:
    """The settings with which Blender renders these intrinsics exactly.

    Pixel aspect and resolution belong to Blender's scene, the rest to its camera.

    Raises:
        BadCamera: if Blender's settings cannot express the camera.
    """
    width, height = intrinsics.width, intrinsics.height
    ratio = intrinsics.fx / intrinsics.fy
    aspect = (1.0, ratio) if ratio >= 1.0 else (1.0 / ratio, 1.0)
    y_over_x = aspect[1] / aspect[0]
    side = _fitted_side(width, height, aspect, "AUTO")
    lens = intrinsics.fx * 36.0 / side
    if lens < BLENDER_MIN_LENS or max(aspect) > BLENDER_MAX_PIXEL_ASPECT:
        raise BadCamera(
            f"Blender has no camera with {lens:.3g} mm and pixel aspect {max(aspect):.3g}.",
            "Use views with a field of view below 170 degrees and nearly square pixels.",
        )
    return BlenderCamera(
        lens=lens,
        shift_x=(0.5 * width - intrinsics.cx) / side,
        shift_y=(intrinsics.cy - 0.5 * height) * y_over_x / side,
        resolution_x=width,
        resolution_y=height,
        pixel_aspect_x=aspect[0],
        pixel_aspect_y=aspect[1],
    )
