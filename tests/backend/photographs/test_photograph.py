# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs at the size that masks are made at: their pixels and where they show points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.photographs.photograph import Photograph
from backend.shared.cameras import project
from backend.shared.capture.reader import read_capture
from backend.shared.lenses import Distortion, Lens
from tests.photographs import write_photographs


@pytest.fixture
def frame(tmp_path):
    """The first frame of photographs of 120 x 96 pixels."""
    return read_capture(write_photographs(tmp_path / "views", "studio", views=2)).frames[0]


def test_points_in_a_pinhole_photograph(frame):
    """Points appear where the camera of the frame shows them, at the smaller size."""
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 3))
    photograph = Photograph.read(frame, 60, masked=False)
    assert photograph.shape == (48, 60)
    expected, depth = project(points, frame.intrinsics, frame.camera_to_world)
    u, v, depths = photograph.project(points)
    assert np.stack([u, v], axis=1) == pytest.approx(expected / 2)
    assert depths == pytest.approx(depth)


def test_points_in_a_photograph_of_a_lens(frame):
    """Masks are for the image on disk, so points appear where the lens bends them to."""
    lens = Lens(frame.intrinsics, Distortion(radial=(-0.2, 0.05, 0.0, 0.0, 0.0, 0.0)))
    photograph = Photograph.read(replace(frame, lens=lens), 1000, masked=False)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 3))
    straight, _ = project(points, frame.intrinsics, frame.camera_to_world)
    expected = lens.pixels(lens.distortion.distort(lens.normalized(straight)))
    u, v, _ = photograph.project(points)
    assert np.stack([u, v], axis=1) == pytest.approx(expected)
    assert np.abs(expected - straight).max() > 0.5


def test_points_behind_the_camera(frame):
    """A point behind the camera is in no pixel."""
    photograph = Photograph.read(frame, 60, masked=False)
    behind = photograph.position + frame.camera_to_world[:3, 2]
    _, _, shown = photograph.pixels(behind[None])
    assert not shown.any()
