# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rasterizer against the definition: which pixel centers lie in which triangles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from backend.mesh.rasterizer import rasterize

WIDTH, HEIGHT = 11, 8
# Coordinates up to 20 in float32: a crossing is rounded by a few times 20 * 2^-24, more where the
# edge is flat and its crossing is found from a small difference. All of it is far below this.
ROUNDING = 1e-3

coordinate = st.floats(-6, 17, width=32) | st.sampled_from([-3.0, 0.0, 0.5, 2.5, 4.0, 4.5, 20.0])
triangle = st.lists(coordinate, min_size=6, max_size=6).map(lambda c: np.reshape(c, (3, 2)))


def centers():
    """All pixel centers (x, y), row-major, `[n, 2]`."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.stack([x.ravel(), y.ravel()], axis=1)


def signed_distance(points, corners):
    """Distance of points `[n, 2]` to a triangle `[3, 2]`, negative inside."""
    start, along = corners, np.roll(corners, -1, axis=0) - corners
    offset = points[:, None] - start
    squared = (along**2).sum(axis=1)
    share = (offset * along).sum(axis=2) / np.where(squared > 0, squared, 1)
    nearest = start + share.clip(0, 1)[..., None] * along
    distance = np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)
    side = along[:, 0] * offset[..., 1] - along[:, 1] * offset[..., 0]
    inside = (side > 0).all(axis=1) | (side < 0).all(axis=1)
    return np.where(inside, -distance, distance)


def covered_by(corners):
    """Row-major pixel indices a single triangle covers."""
    fragments = rasterize(torch.tensor(corners[None], dtype=torch.float32), WIDTH, HEIGHT)
    return fragments.pixel.numpy()


@settings(max_examples=300, deadline=None)
@given(corners=triangle)
def test_against_brute_force(corners):
    """Centers clearly inside are covered, clearly outside are not: thin, empty or far triangles."""
    pixels = covered_by(corners)
    assert len(set(pixels)) == len(pixels)
    distance = signed_distance(centers(), corners)
    covered = np.zeros(WIDTH * HEIGHT, dtype=bool)
    covered[pixels] = True
    assert covered[distance < -ROUNDING].all()
    assert not covered[distance > ROUNDING].any()


@settings(max_examples=100, deadline=None)
@given(corners=triangle)
def test_winding_does_not_matter(corners):
    """A triangle seen from behind covers the same pixels."""
    assert set(covered_by(corners)) == set(covered_by(corners[[2, 1, 0]]))
    assert set(covered_by(corners)) == set(covered_by(corners[[1, 2, 0]]))


@pytest.mark.parametrize("diagonal", [[[0, 1, 2], [0, 2, 3]], [[0, 1, 3], [1, 2, 3]]])
@pytest.mark.parametrize("shift", [0.0, 0.5, 0.25])
def test_split_quad(diagonal, shift):
    """Two halves of a square share no pixel and leave out none, also along their diagonal."""
    square = np.array([[1, 1], [7, 1], [7, 7], [1, 7]]) + shift
    corners = torch.tensor(square[np.array(diagonal)], dtype=torch.float32)
    pixels = rasterize(corners, WIDTH, HEIGHT).pixel
    assert len(pixels.unique()) == len(pixels) == 36


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 200))
def test_triangulation_covers_every_pixel_once(seed, count):
    """Triangles that tile the frame give every pixel center to exactly one of them."""
    size = [WIDTH, HEIGHT]
    inner = np.random.default_rng(seed).uniform(0, size, (count, 2)).astype(np.float32)
    # Half of them where edges meet pixel centers exactly.
    inner[::2] = np.floor(inner[::2]) + 0.5
    frame = np.array([[-2, -2], [13, -2], [13, 10], [-2, 10]], np.float32)
    points = np.unique(np.concatenate([inner, frame]), axis=0)
    corners = torch.from_numpy(points[Delaunay(points.astype(np.float64)).simplices])
    pixels = rasterize(corners, WIDTH, HEIGHT).pixel
    assert sorted(pixels.tolist()) == list(range(WIDTH * HEIGHT))


@settings(max_examples=200, deadline=None)
@given(corners=triangle)
def test_barycentric_weights(corners):
    """Weights are in 0..1, add up to 1 and put the center where it is."""
    fragments = rasterize(torch.tensor(corners[None], dtype=torch.float32), WIDTH, HEIGHT)
    weights = fragments.barycentric.numpy()
    assert ((weights >= 0) & (weights <= 1)).all()
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-6)
    a, b, c = corners
    area = abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
    if area > 1:
        # Products of two coordinates, rounded to 2^-24 of 26^2, over the area, times a coordinate.
        at = weights @ corners
        error = 10 * 26**3 * 2**-24 / area
        assert np.abs(at - centers()[fragments.pixel.numpy()]).max(initial=0) <= error


def test_faces_keep_their_numbers():
    """Every fragment knows its face, in a batch where some cover nothing."""
    corners = torch.tensor([[0, 0, 4, 0, 0, 4], [9, 9, 9, 9, 9, 9], [10, 8, 6, 8, 10, 4.0]])
    fragments = rasterize(corners.reshape(3, 3, 2), WIDTH, HEIGHT)
    left = fragments.pixel % WIDTH < 5
    assert set(fragments.face[left].tolist()) == {0}
    assert set(fragments.face[~left].tolist()) == {2}


def test_no_triangles():
    """No faces, no fragments."""
    assert len(rasterize(torch.zeros(0, 3, 2), WIDTH, HEIGHT).pixel) == 0
