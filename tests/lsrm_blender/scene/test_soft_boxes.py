# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio of soft boxes: what it sheds on surfaces of every direction."""

from __future__ import annotations

import numpy as np
import pytest

from backend.shared.cameras import fibonacci_sphere
from backend.shared.radiance_hdr import sample_panorama

WHITE = 0.8
"""Albedo of white paint."""


@pytest.fixture(scope="module")
def panorama(lsrm):
    """The light, [64, 128, 3]."""
    return lsrm("lsrm_blender.scene.soft_boxes").soft_box_panorama(64)


def test_every_side_is_lit_and_none_is_clipped(panorama):
    """A white matt surface is bright from every side, at most white, and gray stays gray."""
    directions = fibonacci_sphere(4096)
    radiance = sample_panorama(panorama, directions).mean(axis=-1)
    facing = np.clip(fibonacci_sphere(200) @ directions.T, 0.0, None)
    shown = WHITE * 4.0 * (facing * radiance).mean(axis=1)
    assert shown.min() > 0.4
    assert shown.max() < 0.8
    assert shown.max() / shown.min() < 2.0
    assert np.ptp(panorama, axis=-1).max() == 0.0


def test_reflections_differ_between_the_sides(panorama):
    """No turn about the vertical axis maps the light to itself."""
    for turn in range(8, 121):
        assert np.abs(np.roll(panorama, turn, axis=1) - panorama).max() > 1.0
