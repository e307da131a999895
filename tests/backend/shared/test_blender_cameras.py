# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's cameras as pinhole cameras, compared with measurements in Blender; and the inverse."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shared.blender_cameras import (
    BlenderCamera,
    blender_from_intrinsics,
    intrinsics_from_blender,
)
from backend.shared.cameras import Intrinsics, project
from backend.shared.errors import BadCamera

# fit, resolution, pixel aspect, shift, percentage -> width, height, fx, fy, cx, cy.
# Sensor 36 x 24 mm and lens 50 mm.
BLENDER_ROWS = {
    "T1": ("AUTO", (1920, 1080), (1, 1), (0, 0), 100, (1920, 1080, 2666.6667, 2666.6667, 960, 540)),
    "T2": ("AUTO", (1080, 1920), (1, 1), (0, 0), 100, (1080, 1920, 2666.6667, 2666.6667, 540, 960)),
    "T3": ("VERTICAL", (1920, 1080), (1, 1), (0, 0), 100, (1920, 1080, 2250, 2250, 960, 540)),
    "T4": ("HORIZONTAL", (1080, 1920), (1, 1), (0, 0), 100, (1080, 1920, 1500, 1500, 540, 960)),
    "T5": (
        *("AUTO", (1920, 1080), (1, 1), (0.1, -0.2), 100),
        (1920, 1080, 2666.6667, 2666.6667, 768, 156),
    ),
    "T6": (
        *("AUTO", (1080, 1920), (1, 1), (0.1, -0.2), 100),
        (1080, 1920, 2666.6667, 2666.6667, 348, 576),
    ),
    "T7": ("AUTO", (1920, 1080), (1, 1), (0, 0), 33, (633, 356, 879.1667, 879.1667, 316.5, 178)),
    "T8": ("AUTO", (960, 1080), (2, 1), (0, 0), 100, (960, 1080, 1333.3333, 2666.6667, 480, 540)),
    "T9": ("AUTO", (1080, 1280), (1.5, 1), (0.1, 0.1), 100, (1080, 1280, 1500, 2250, 432, 802)),
    "T10": ("AUTO", (800, 800), (1, 1), (0, 0), 100, (800, 800, 1111.1111, 1111.1111, 400, 400)),
    "T12": ("VERTICAL", (1080, 1920), (1, 1), (0, 0), 100, (1080, 1920, 4000, 4000, 540, 960)),
}


@pytest.mark.parametrize("row", BLENDER_ROWS.values(), ids=BLENDER_ROWS.keys())
def test_intrinsics_of_blender_cameras(row):
    """The intrinsics are those measured in Blender's renders."""
    fit, resolution, aspect, shift, percentage, expected = row
    camera = BlenderCamera(
        sensor_fit=fit,
        shift_x=shift[0],
        shift_y=shift[1],
        resolution_x=resolution[0],
        resolution_y=resolution[1],
        resolution_percentage=percentage,
        pixel_aspect_x=aspect[0],
        pixel_aspect_y=aspect[1],
    )
    assert astuple(intrinsics_from_blender(camera)) == pytest.approx(expected, abs=5e-5)


def test_vertical_fit_with_another_sensor():
    """A vertical fit uses the height of the sensor."""
    camera = BlenderCamera(
        lens=35,
        sensor_width=32,
        sensor_height=18,
        sensor_fit="VERTICAL",
        shift_x=0.1,
        shift_y=-0.2,
        resolution_x=1920,
        resolution_y=1080,
    )
    expected = (1920, 1080, 2100, 2100, 852, 324)
    assert astuple(intrinsics_from_blender(camera)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("camera", "size", "focal", "pixel"),
    [
        (
            BlenderCamera(resolution_x=301, resolution_y=200, resolution_percentage=50),
            (150, 100),
            (208.3333, 208.3333),
            (95.8333, 36.1111),
        ),
        (
            BlenderCamera(resolution_x=150, resolution_y=200, pixel_aspect_x=2),
            (150, 200),
            (208.3333, 416.6667),
            (95.8333, 72.2222),
        ),
    ],
    ids=["percentage", "aspect"],
)
def test_projection_agrees_with_a_render(camera, size, focal, pixel):
    """A point is projected to the position at which Cycles renders it."""
    lens = intrinsics_from_blender(camera)
    assert (lens.width, lens.height) == size
    assert (lens.fx, lens.fy) == pytest.approx(focal, abs=5e-5)
    pixels, depth = project([(0.3, 0.2, -3.0)], lens, np.eye(4))
    assert pixels[0] == pytest.approx(pixel, abs=5e-5)
    assert depth[0] == 3.0


def test_cropped_border():
    """A cropped render border moves the principal point by the corner of the border."""
    border_x, border_y = (0.25, 0.9), (0.4, 0.95)
    whole = intrinsics_from_blender(BlenderCamera(resolution_x=300, resolution_y=200))
    crop = whole.cropped(border_x[0] * 300, (1 - border_y[1]) * 200, 195, 110)
    assert (crop.width, crop.height) == (195, 110)
    point = [(0.3, 0.2, -3.0)]
    # The pixel of the whole frame that the reference measured at (116.68, 62.22) in the crop.
    assert project(point, whole, np.eye(4))[0][0] == pytest.approx((191.667, 72.222), abs=1e-3)
    assert project(point, crop, np.eye(4))[0][0] == pytest.approx((116.68, 62.22), abs=0.02)


@pytest.mark.parametrize(
    ("lens", "millimeters", "shift", "aspect"),
    [
        (Intrinsics(1920, 1080, 1000, 1000, 960, 540), 18.75, (0, 0), (1, 1)),
        (
            Intrinsics(3072, 2304, 2560.56, 2560.56, 1530, 1160),
            *(30.006563, (0.001953, 0.002604), (1, 1)),
        ),
        (Intrinsics(1080, 1920, 1500, 1500, 500, 980), 28.125, (0.020833, 0.010417), (1, 1)),
        (Intrinsics(1280, 720, 1000, 1100, 640, 360), 28.125, (0, 0), (1.1, 1)),
        (Intrinsics(3008, 2000, 1072.28, 1068.69, 1504, 1000), 12.833138, (0, 0), (1, 1.003359)),
    ],
)
def test_blender_settings_of_pinhole_cameras(lens, millimeters, shift, aspect):
    """The settings are those measured to render the pinhole camera."""
    camera = blender_from_intrinsics(lens)
    assert (camera.pixel_aspect_x, camera.pixel_aspect_y) == pytest.approx(aspect, abs=5e-7)
    assert camera.lens == pytest.approx(millimeters, abs=5e-7)
    assert (camera.shift_x, camera.shift_y) == pytest.approx(shift, abs=5e-7)


focals = st.floats(50, 5000)
sides = st.integers(16, 4096)


@given(width=sides, height=sides, fx=focals, ratio=st.floats(0.5, 2), at=st.tuples(focals, focals))
def test_pinhole_to_blender_and_back(width, height, fx, ratio, at):
    """Converting a pinhole camera to Blender's settings and back changes nothing."""
    lens = Intrinsics(width, height, max(fx, width, 2 * height), 1.0, *at)
    lens = Intrinsics(width, height, lens.fx, lens.fx * ratio, *at)
    back = intrinsics_from_blender(blender_from_intrinsics(lens))
    assert astuple(back) == pytest.approx(astuple(lens), rel=1e-11)


def test_extreme_lenses_are_rejected():
    """A lens below one millimeter, which Blender would silently clamp, is an error."""
    with pytest.raises(BadCamera, match="mm"):
        blender_from_intrinsics(Intrinsics(1000, 1000, 20, 20, 500, 500))
