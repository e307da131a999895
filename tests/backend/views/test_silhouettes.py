# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed distance maps of silhouettes, against outlines whose distance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.views.silhouettes import REFINED_BAND, signed_distance_map

# Elsewhere the distance runs between pixel centers, which lie up to half a diagonal off the outline
# that separates them, where half a pixel was assumed.
FAR_ERROR = 0.5 + 0.5 * math.sqrt(2)
# The outline is known at points: at a distance d from it the nearest one is up to half a spacing s
# aside, and sqrt(d^2 + s^2 / 4) - d <= 1e-3 for s = 0.05 and d >= 1/3.
EXACT = 1e-3
# Samples along a pixel's side from which these tests take its coverage.
FINE = 16
# Between a full pixel and one of coverage c < 1/2, the outline truly lies 1/2 + c from the full
# one's center, and 1/2 / (1 - c) by interpolation: off by up to 3/2 - sqrt(2), where 1 - c is
# sqrt(1/2).
# Sampling the coverage adds up to half a sample.
NEAR_ERROR = 1.5 - math.sqrt(2) + 0.5 / FINE + EXACT


def pixel_centers(height, width):
    """The (x, y) of all pixel centers, [height, width, 2]."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x, y], axis=-1)


def coverage(inside, height, width):
    """The coverage by area, [height, width], of a shape given as a function of (x, y)."""
    fine = inside(pixel_centers(height * FINE, width * FINE) / FINE)
    cells = fine.reshape(height, FINE, width, FINE)
    return cells.mean(axis=(1, 3)).astype(np.float32)


def check(measured, true):
    """Compare signed distances: exactly near the outline, approximately elsewhere."""
    near = np.abs(true) < REFINED_BAND - 0.5
    assert np.abs(measured - true)[near].max() <= NEAR_ERROR
    assert np.abs(measured - true).max() <= FAR_ERROR
    clear = np.abs(true) > NEAR_ERROR
    assert (np.sign(measured) == np.sign(true))[clear].all()


@settings(max_examples=15, deadline=None)
@given(x=st.floats(20, 21), y=st.floats(17, 18), radius=st.floats(5, 14))
def test_disk(x, y, radius):
    """The distance to the outline of a disk is accurate to a tenth of a pixel near it."""

    def distance(points):
        return np.linalg.norm(points - (x, y), axis=-1) - radius

    mask = coverage(lambda points: distance(points) < 0, 36, 44)
    check(signed_distance_map(mask, frozenset()), distance(pixel_centers(36, 44)))


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(0, 2 * math.pi), offset=st.floats(-2, 2))
def test_half_plane(angle, offset):
    """The distance to a straight outline is accurate at any angle."""

    def distance(points):
        return (points - 16) @ (math.cos(angle), math.sin(angle)) + offset

    mask = coverage(lambda points: distance(points) < 0, 32, 32)
    middle = (slice(12, 20),) * 2
    everywhere = signed_distance_map(mask, frozenset(("left", "right", "top", "bottom")))
    check(everywhere[middle], distance(pixel_centers(32, 32))[middle])


def test_edge_between_pixels():
    """The distance to an outline along pixel borders is exact."""
    mask = np.zeros((12, 14), np.float32)
    mask[3:9, 4:10] = 1
    distance = signed_distance_map(mask, frozenset())
    assert distance[6, 4:10] == pytest.approx([-0.5, -1.5, -2.5, -2.5, -1.5, -0.5], abs=EXACT)
    assert distance[6, 10:13] == pytest.approx([0.5, 1.5, 2.5], abs=EXACT)


def test_half_covered_pixels():
    """The coverage of a pixel gives the position of the outline inside it."""
    mask = np.zeros((12, 14), np.float32)
    mask[:, 5:] = 1
    mask[:, 4] = 0.25
    distance = signed_distance_map(mask, frozenset(("top", "right", "bottom")))
    # Between 0.25 at x = 4.5 and 1 at x = 5.5 coverage is one half at x = 4.5 + 1/3.
    assert distance[6, 3:7] == pytest.approx([4 / 3, 1 / 3, -2 / 3, -5 / 3], abs=EXACT)


@pytest.mark.parametrize("turns", range(4))
def test_cut_side_counts_as_object(turns):
    """The border of the frame is not an outline at a side that cuts the object."""
    mask = np.zeros((20, 20), np.float32)
    mask[7:13, :10] = 1
    side = ("left", "bottom", "right", "top")[turns]
    turned = np.rot90(mask, turns).copy()
    cut = np.rot90(signed_distance_map(turned, frozenset((side,))), -turns)
    ending = np.rot90(signed_distance_map(turned, frozenset()), -turns)
    # In the middle row, 3 pixels from the outline above and below.
    assert cut[9, :8] == pytest.approx([-2.5] * 8, abs=0.1)
    assert ending[9, 0] == pytest.approx(-0.5, abs=EXACT)
    # The right end is the same outline in both.
    assert cut[9, 8:] == pytest.approx(ending[9, 8:], abs=EXACT)
