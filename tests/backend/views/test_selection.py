# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many or large views: how large they are in memory, and which are fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.shared.cameras import Intrinsics, fibonacci_sphere, look_at
from backend.shared.capture.capture import Frame
from backend.shared.capture.reader import read_capture
from backend.views import selection
from backend.views.selection import MAX_IMAGE_SIZE, size_in_memory, spread_views
from backend.views.views import View, load_views


def frames_of(count, width, height):
    """Frames of a size; their files do not exist."""
    lens = Intrinsics(width, height, width, width, width / 2, height / 2)
    return [Frame("a", Path("a.png"), None, lens, np.eye(4))] * count


@pytest.mark.parametrize(
    ("count", "width", "height"),
    [(69, 768, 768), (61, 1024, 1024), (61, 6000, 6000), (390, 400, 400)],
)
def test_views_that_fit_are_not_averaged_down_further(count, width, height):
    """Up to 61 large views, and more of small ones, have the largest size."""
    assert size_in_memory(frames_of(count, width, height)) == MAX_IMAGE_SIZE


@pytest.mark.parametrize(
    ("count", "width", "height"),
    [(96, 1024, 1024), (200, 2000, 2000), (200, 6000, 4000), (3000, 80, 90)],
)
def test_memory_of_many_views_is_bounded(count, width, height):
    """More views are averaged down until they fit, but no further than that."""
    frames = frames_of(count, width, height)
    size = size_in_memory(frames)
    lens = frames[0].intrinsics
    scale = min(1.0, size / max(width, height))
    pixels = count * lens.width * lens.height * scale**2
    assert pixels <= selection.MAX_PIXELS_IN_MEMORY * 1.001
    assert scale == 1.0 or pixels > 0.99 * selection.MAX_PIXELS_IN_MEMORY


def test_views_of_different_sizes(monkeypatch):
    """Small views stay as they are where large ones are averaged down."""
    monkeypatch.setattr(selection, "MAX_PIXELS_IN_MEMORY", 10 * 50 * 50 + 10 * 200 * 200)
    frames = frames_of(10, 50, 50) + frames_of(10, 4000, 4000)
    assert 190 <= size_in_memory(frames) <= 200


def test_many_views_are_loaded_smaller(make_capture, tmp_path, monkeypatch):
    """A capture of more pixels than fit is read at the size that fits."""
    capture = read_capture(make_capture(tmp_path, 6, 40))
    monkeypatch.setattr(selection, "MAX_PIXELS_IN_MEMORY", 6 * 30 * 30)
    views = load_views(capture, max_size=size_in_memory(capture.frames)).views
    assert {view.image.shape for view in views} == {(30, 30, 3)}
    assert all(view.full_size().image.shape == (40, 40, 3) for view in views)


def test_spread_views():
    """Those that remain look from directions that differ, in their order."""
    lens, empty = Intrinsics(4, 4, 4, 4, 2, 2), np.zeros((4, 4), np.float32)
    views = [
        View(str(number), np.zeros((4, 4, 3), np.float32), empty, lens, look_at(2 * way, (0, 0, 0)))
        for number, way in enumerate(fibonacci_sphere(40))
    ]
    few = spread_views(views, 6)
    assert len(few) == 6
    assert [view.name for view in few] == sorted((view.name for view in few), key=int)
    directions = np.stack([view.camera_to_world[:3, 3] for view in few]) / 2
    assert (directions @ directions.T - 2 * np.eye(6)).max() < 0.6
    assert spread_views(views, 40) == views
