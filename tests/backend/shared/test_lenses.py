# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses distort as COLMAP and OpenCV define it, and a pinhole shows all that they show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend.shared.cameras import Intrinsics
from backend.shared.lenses import MAX_ANGLE, Distortion, Lens

DISTORTIONS = {
    "SIMPLE_RADIAL": Distortion((-0.1, 0, 0, 0, 0, 0)),
    "RADIAL": Distortion((0.1, -0.02, 0, 0, 0, 0)),
    "OPENCV": Distortion((-0.1, 0.02, 0, 0, 0, 0), (0.001, -0.002)),
    "FULL_OPENCV": Distortion((-0.1, 0.02, 0.01, 0.03, -0.01, 0.002), (0.001, -0.002)),
    "OPENCV_FISHEYE": Distortion((-0.02, 0.01, 0.002, -0.001, 0, 0), is_fisheye=True),
    "RADIAL_FISHEYE": Distortion((-0.02, 0.01, 0, 0, 0, 0), is_fisheye=True),
}
INTRINSICS = Intrinsics(800, 600, 700.0, 700.0, 410.0, 290.0)


@pytest.fixture(params=DISTORTIONS.values(), ids=DISTORTIONS.keys())
def lens(request):
    """A lens of each model."""
    return Lens(INTRINSICS, request.param)


def colmap_parameters(model, distortion):
    """The parameters of a camera in the order of COLMAP's model."""
    k1, k2, k3, k4, k5, k6 = distortion.radial
    focal = (700.0,) if model in ("SIMPLE_RADIAL", "RADIAL", "RADIAL_FISHEYE") else (700.0, 700.0)
    rest = {
        "SIMPLE_RADIAL": (k1,),
        "RADIAL": (k1, k2),
        "RADIAL_FISHEYE": (k1, k2),
        "OPENCV": (k1, k2, *distortion.tangential),
        "FULL_OPENCV": (k1, k2, *distortion.tangential, k3, k4, k5, k6),
        "OPENCV_FISHEYE": (k1, k2, k3, k4),
    }
    return [*focal, 410.0, 290.0, *rest[model]]


@pytest.mark.parametrize("model", DISTORTIONS)
def test_distortion_equals_that_of_colmap(model):
    """Points are imaged where COLMAP images them, to a millionth of a pixel."""
    pycolmap = pytest.importorskip("pycolmap", reason="the extra `photos` is not installed")
    lens = Lens(INTRINSICS, DISTORTIONS[model])
    parameters = colmap_parameters(model, lens.distortion)
    camera = pycolmap.Camera(model=model, width=800, height=600, params=parameters)
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (200, 2))
    expected = [camera.img_from_cam(np.array([x, y, 1.0])) for x, y in points]
    pixels = lens.pixels(lens.distortion.distort(points))
    assert pixels == pytest.approx(np.reshape(expected, (-1, 2)), abs=1e-6)


def test_distortion_of_one_point():
    """Numbers worked out by hand: r^2 = 0.25, theta = arctan(0.5)."""
    point = np.array([0.3, 0.4])
    assert Distortion((0.2, -0.1, 0, 0, 0, 0)).distort(point) == pytest.approx(
        point * (1 + 0.2 * 0.25 - 0.1 * 0.0625)
    )
    assert Distortion((0, 0, 0, 0.4, 0, 0)).distort(point) == pytest.approx(point / 1.1)
    assert Distortion(tangential=(0.01, 0.02)).distort(point) == pytest.approx(
        np.add(point, (0.02 * 0.12 + 0.02 * (0.25 + 0.18), 0.04 * 0.12 + 0.01 * (0.25 + 0.32)))
    )
    theta = math.atan(0.5)
    fisheye = Distortion((0.1, 0, 0, 0, 0, 0), is_fisheye=True)
    assert fisheye.distort(point) == pytest.approx(point * 2 * theta * (1 + 0.1 * theta**2))
    assert fisheye.distort(np.zeros(2)).tolist() == [0, 0]


def test_undistortion_inverts_distortion(lens):
    """Undistorted, distorted points are where they were, up to the border of the image."""
    points = np.random.default_rng(1).uniform(-0.6, 0.6, (500, 2))
    distorted = lens.distortion.distort(points)
    assert lens.distortion.undistort(distorted) == pytest.approx(points, abs=1e-9)


def test_pinhole_shows_the_whole_image(lens):
    """Every pixel of the border has its ray in the pinhole image, which has no room to spare."""
    pinhole = lens.pinhole()
    u, v = np.linspace(0.0, 800.0, 300), np.linspace(0.0, 600.0, 300)
    edges = [(u, 0.0), (u, 600.0), (0.0, v), (800.0, v)]
    border = [np.stack(np.broadcast_arrays(x, y), axis=-1) for x, y in edges]
    rays = lens.distortion.undistort(lens.normalized(np.concatenate(border)))
    pixels = rays * (pinhole.fx, pinhole.fy) + (pinhole.cx, pinhole.cy)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert (low >= -1e-6).all()
    assert (low < 1.0).all()
    assert (high <= np.array([pinhole.width, pinhole.height]) + 1e-6).all()
    assert (high > np.array([pinhole.width, pinhole.height]) - 1.0).all()
    # At the center a pixel is as large as it was.
    assert (pinhole.fx, pinhole.fy) == (700.0, 700.0)
    assert (pinhole.cx - 410.0) % 1.0 == 0.0


def test_sides_inside_the_image(lens):
    """Cut inside at all sides, every pixel of the edges is in the image."""
    pinhole = lens.inside(lens.pinhole(), frozenset({"left", "top", "right", "bottom"}))
    _, seen = lens.source_pixels(pinhole, slice(None))
    assert seen.all()
    left = lens.inside(lens.pinhole(), frozenset({"left"}))
    _, seen = lens.source_pixels(left, slice(None))
    assert seen[left.height // 2, 0]
    assert left.height == lens.pinhole().height
    # Cut again, nothing changes.
    assert lens.inside(left, frozenset({"left"})) == left


def test_polynomial_that_turns_back():
    """Beyond its largest radius a distortion has no inverse, and shows nothing twice."""
    lens = Lens(Intrinsics(200, 200, 100.0, 100.0, 100.0, 100.0), Distortion((-0.3, 0, 0, 0, 0, 0)))
    assert lens.distortion.max_radius() == pytest.approx(1 / math.sqrt(0.9), rel=0.05)
    rays = lens.distortion.undistort(np.array([[0.5, 0.0], [0.9, 0.0], [0.6, 0.6]]))
    assert np.isnan(rays[:, 0]).tolist() == [False, True, True]
    pixels, seen = lens.source_pixels(lens.pinhole(), slice(None))
    cells = np.round(pixels[seen]).astype(int)
    _, counts = np.unique(cells, axis=0, return_counts=True)
    assert counts.max() <= 30  # stretched, where it hardly rises, but not folded


def test_wide_fisheye_is_cut_at_the_largest_angle():
    """Half a sphere would need a pinhole image without end."""
    lens = Lens(Intrinsics(400, 400, 127.3, 127.3, 200.0, 200.0), Distortion(is_fisheye=True))
    pinhole = lens.pinhole()
    assert pinhole.width == pytest.approx(2 * 127.3 * math.tan(MAX_ANGLE), abs=4)
    assert lens.has_ray(np.array([[200.0, 200.0], [210.0, 2.0]])).tolist() == [True, False]
