# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placements of cameras, and the choice of views that see enough, without Blender."""

from __future__ import annotations

import numpy as np
import pytest

COUNTS = (1, 2, 8, 9, 16, 50)


@pytest.fixture(scope="module")
def directions(lsrm):
    return lsrm("lsrm_blender.scene.cameras.directions")


@pytest.fixture(scope="module")
def coverage(lsrm):
    return lsrm("lsrm_blender.scene.cameras.coverage")


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", ["even_directions", "upper_directions", "ring_directions"])
def test_directions_are_as_many_as_requested_and_begin_with_a_portrait(directions, name, count):
    """Unit vectors, all different; the first one is the nearest to the portrait."""
    found = getattr(directions, name)(count)
    assert found.shape == (count, 3)
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0)
    assert (found @ found.T - 2.0 * np.eye(count)).max() < 0.999
    assert (found @ directions.portrait_direction()).argmax() == 0


def test_upper_directions_stay_above(directions):
    """None looks from below, and they reach down to the horizon."""
    heights = directions.upper_directions(40)[:, 2]
    assert heights.min() > np.sin(directions.LOWEST_FROM_ABOVE)
    assert heights.min() < 0.15
    assert heights.max() > 0.95


def test_rings_are_level_and_even(directions):
    """Views lie at three heights, with equal steps around each."""
    found = directions.ring_directions(24)
    heights = np.unique(found[:, 2].round(6))
    assert np.allclose(np.arcsin(heights), directions.RING_ELEVATIONS, atol=1e-4)
    for height in heights:
        ring = found[np.abs(found[:, 2] - height) < 1e-4]
        steps = np.diff(np.sort(np.arctan2(ring[:, 1], ring[:, 0])))
        assert np.allclose(steps, 2.0 * np.pi / len(ring))


def test_views_are_added_where_points_are_seen_by_too_few(coverage):
    """Points in cavities get two views, others three; what nothing sees does not count."""
    seen = np.zeros((4, 50), bool)
    seen[0, :20] = True  # in the open
    seen[1, 20:23] = True  # in a cavity
    seen[2, 30] = True  # seen by one candidate only
    base = np.array([3, 0, 0, 0])
    assert coverage.needed_views(seen).tolist() == [3, 2, 1, 0]
    added = coverage.added_views(seen, base, 10)
    assert max(added) == 30
    assert len(added) == 3
    judged = coverage.judge_coverage(seen, base + seen[:, added].sum(axis=1))
    assert (judged.points, judged.cavities, judged.short) == (3, 2, 0)
    assert judged.warnings() == []


def test_too_few_views_are_warned_of(coverage):
    """Where the number of views is limited, the share that is seen by too few is named."""
    seen = np.eye(10, dtype=bool)
    added = coverage.added_views(seen, np.zeros(10, int), 4)
    judged = coverage.judge_coverage(seen, seen[:, added].sum(axis=1))
    assert judged.short == 6
    assert "60 %" in judged.warnings()[0]
