# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eroded and feathered masks: how far outlines move, at which masks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend.check_views import CheckRequest, check_views
from backend.request import ReconstructRequest
from backend.shared.capture.capture import MaskEdge
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest, EmptyMask
from backend.shared.lenses import Distortion
from backend.shared.progress import Progress
from backend.views.mask_edges import with_edge
from backend.views.views import load_views, read_view
from tests.captures import distort_capture


def disc(radius, side=64):
    """A mask of a disc, [side, side]."""
    y, x = np.mgrid[0:side, 0:side] + 0.5 - side / 2
    return (np.hypot(x, y) <= radius).astype(np.float32)


def radius(mask):
    """Of the disc with the area of a mask."""
    return float(np.sqrt(mask.sum() / np.pi))


@pytest.mark.parametrize("erode", [1, 3, 6])
def test_eroded_by_pixels(erode):
    """The outline moves by that many pixels."""
    eroded = with_edge(disc(24.0), MaskEdge(erode), "a")
    assert radius(eroded) == pytest.approx(24 - erode, abs=0.35)


def test_feathered_over_pixels():
    """Coverage rises over that many pixels, half of them outside; the outline stays."""
    soft = with_edge(disc(20.0), MaskEdge(feather=8), "a")
    row = soft[32, 32:]
    assert row[:15].min() == 1.0
    assert row[25:].max() == 0.0
    assert np.diff(row[16:24]) == pytest.approx(-1 / 8, abs=0.02)
    assert radius(soft >= 0.5) == pytest.approx(20.0, abs=0.2)
    assert (with_edge(disc(20.0), MaskEdge(), "a") == disc(20.0)).all()


def test_the_border_of_the_frame_is_no_outline():
    """An object that is cut by the frame continues beyond it."""
    mask = np.zeros((32, 32), np.float32)
    mask[:, :16] = 1.0
    eroded = with_edge(mask, MaskEdge(4), "a")
    assert eroded[:, :12].min() == 1.0
    assert eroded[:, 12:].max() == 0.0
    whole = np.ones((8, 8), np.float32)
    assert (with_edge(whole, MaskEdge(4, 4), "a") == whole).all()


def test_what_would_vanish_is_refused():
    """Thin parts are not eroded away in silence."""
    mask = np.zeros((32, 32), np.float32)
    mask[:, 14:18] = 1.0
    with pytest.raises(EmptyMask, match="view a") as caught:
        with_edge(mask, MaskEdge(2), "a")
    assert "thin" in caught.value.remedy


@pytest.fixture
def folder(make_capture, tmp_path):
    """A capture whose masks may be changed."""
    return make_capture(tmp_path / "views", views=4, size=48, shape="box")


def areas(folder, erode):
    """Of the masks of a capture."""
    capture = read_capture(folder).with_mask_edge(MaskEdge(erode))
    return [float(view.mask.sum()) for view in load_views(capture).views]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("lens", [False, True])
def test_it_is_the_object_that_shrinks(folder, inverted, lens):
    """Also if masks are white on the surroundings, and of images with distortion."""
    if lens:
        distort_capture(folder, Distortion((-0.1, 0.02, 0, 0, 0, 0)), "box")
    upright = areas(folder, 2)
    assert all(small < 0.95 * full for small, full in zip(upright, areas(folder, 0), strict=True))
    if inverted:
        for frame in read_capture(folder).frames:
            mask = np.asarray(Image.open(frame.mask_path))
            Image.fromarray(255 - mask).save(frame.mask_path)
        assert areas(folder, 2) == pytest.approx(upright, rel=0.02)


def test_transparent_images_and_full_size(folder):
    """Alpha is eroded like masks of files, and so is a view that is read again at full size."""
    for frame in read_capture(folder).frames:
        image = np.asarray(Image.open(frame.image_path))
        mask = np.asarray(Image.open(frame.mask_path))
        Image.fromarray(np.dstack([image, mask])).save(frame.image_path)
    frame = read_capture(folder).frames[0]
    edge = MaskEdge(2)
    of_file = read_view(replace(frame, mask_edge=edge))
    of_alpha = read_view(replace(frame, mask_path=None, mask_edge=edge))
    assert (of_alpha.mask == of_file.mask).all()
    small = read_view(replace(frame, mask_edge=edge), 32)
    assert (small.full_size().mask == of_file.mask).all()


def test_the_check_uses_it(folder):
    """The check of views refuses what a reconstruction would."""
    with pytest.raises(EmptyMask, match="Eroded by 20 pixels"):
        check_views(CheckRequest(folder, mask_edge=MaskEdge(20)), Progress())


@pytest.mark.parametrize("options", [{"mask_erode": -1}, {"mask_feather": -2}])
def test_negative_pixels(folder, options):
    """They are refused before any work."""
    with pytest.raises(BadRequest):
        ReconstructRequest(folder, folder, **options).check()
