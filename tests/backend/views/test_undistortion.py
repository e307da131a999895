# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views of a lens with distortion equal those of a pinhole, images and masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from backend.shared.cameras import Intrinsics, intrinsics_from_fov, look_at
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCamera
from backend.shared.lenses import Distortion, Lens
from backend.views.undistortion import Undistortion
from backend.views.views import load_views, read_view
from tests.captures import distort_capture, trace

LENSES = {
    "barrel": Distortion((-0.25, 0.05, 0, 0, 0, 0)),
    "pincushion": Distortion((0.2, 0, 0, 0, 0, 0)),
    "decentered": Distortion((-0.1, 0.02, 0, 0, 0, 0), (0.004, -0.006)),
    "rational": Distortion((0.3, 0.1, 0.02, 0.5, 0.1, 0.01), (0.001, 0.002)),
    "fisheye": Distortion((-0.05, 0.01, 0, 0, 0, 0), is_fisheye=True),
}


@pytest.mark.parametrize("distortion", LENSES.values(), ids=LENSES.keys())
def test_undistorted_render_equals_that_of_a_pinhole(distortion):
    """Colors and outlines lie within a tenth of a pixel of those that a pinhole's render has."""
    lens = Lens(intrinsics_from_fov(96, 96, np.radians(60.0)), distortion)
    undistortion = Undistortion(lens, lens.pinhole())
    pose = look_at((0.1, 0.2, 1.0), (0.0, 0.0, 0.0))
    (image, mask), (true_image, true_mask) = (
        trace("plate", camera, pose, (0.0, 0.0, 0.0), textured=True)
        for camera in (lens, undistortion.pinhole)
    )
    found = undistortion.mask(mask)
    colors, alpha = undistortion.color(np.rint(image * 255).astype(np.uint8), None)
    assert alpha is None
    inside = binary_erosion((true_mask == 1) & (found == 1), iterations=2)
    assert np.hypot(*patch_shifts(colors / 255, true_image, inside).T).max() < 0.1
    # Single points of two outlines are farther apart: coverage has sixteen levels.
    assert outline_distance(found, true_mask).mean() < 0.1


def patch_shifts(image, other, inside, size=12):
    """The shift [patches, 2] in pixels of each patch of an image from another one.

    Least squares: image - other = -gradient . shift.
    """
    gradient = np.stack(np.gradient(other, axis=(0, 1)), axis=-1)
    shifts = []
    for top, left in np.ndindex(*(side // size for side in inside.shape)):
        part = np.s_[top * size : (top + 1) * size, left * size : (left + 1) * size]
        if inside[part].all():
            difference = (image - other)[part].ravel()
            shifts.append(np.linalg.lstsq(-gradient[part].reshape(-1, 2), difference)[0])
    assert len(shifts) >= 4
    return np.array(shifts)


def outline_distance(mask, other):
    """Distances [n] from the outline of a mask to that of another one, in pixels."""
    points = np.concatenate(find_contours(mask, 0.5))
    steps = np.linspace(0, 1, 20)[:, None, None]
    dense = [(1 - steps) * c[:-1] + steps * c[1:] for c in find_contours(other, 0.5)]
    return cKDTree(np.concatenate([each.reshape(-1, 2) for each in dense])).query(points)[0]


def test_views_of_a_lens(tmp_path, make_capture):
    """A capture through a lens gives the masks of the same capture without it, none cut."""
    make_capture(tmp_path, views=3, size=48, shape="box")
    true = load_views(read_capture(tmp_path)).views
    distort_capture(tmp_path, LENSES["barrel"], "box")
    found = load_views(read_capture(tmp_path)).views
    for view, truth in zip(found, true, strict=True):
        left = int(view.intrinsics.cx - truth.intrinsics.cx)
        top = int(view.intrinsics.cy - truth.intrinsics.cy)
        part = np.s_[top : top + 48, left : left + 48]
        assert np.abs(view.mask[part] - truth.mask).mean() < 0.02
        assert view.mask.sum() == pytest.approx(truth.mask.sum(), rel=0.01)
        assert view.cut == frozenset()
        assert view.full_size() is view
        small = read_view(view.frame, 32)
        assert max(small.mask.shape) == 32
        assert (small.full_size().mask == view.mask).all()


def test_object_cut_by_the_image(tmp_path, make_capture):
    """An object that the image cuts is cut by the view, too, and nothing is read beyond."""
    make_capture(tmp_path, views=2, size=64, shape="box")
    frame = read_capture(tmp_path).frames[0]
    lens = Lens(frame.intrinsics, LENSES["barrel"])
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, :30] = 255
    Image.fromarray(mask).save(frame.mask_path)
    capture = read_capture(tmp_path)
    frames = tuple(replace(each, lens=lens, intrinsics=lens.pinhole()) for each in capture.frames)
    first, second = load_views(replace(capture, frames=frames)).views
    assert first.cut == {"left"}
    assert first.mask[25:35, 0].min() == 1
    assert first.intrinsics.width < second.intrinsics.width
    assert first.intrinsics.height == second.intrinsics.height
    assert second.cut == frozenset()


def test_views_that_are_averaged_down(tmp_path, make_capture):
    """Half as large, a view is what it is if it is undistorted sharply and averaged then."""
    make_capture(tmp_path, views=2, size=64, shape="box")
    distort_capture(tmp_path, LENSES["barrel"], "box")
    frame = read_capture(tmp_path).frames[0]
    size = max(frame.intrinsics.width, frame.intrinsics.height) // 2
    difference = np.abs(read_view(frame, size).image - read_view(frame).shrunk(size).image)
    assert 0 < difference.mean() < 0.005
    assert difference.max() < 0.1


def test_inverted_masks(tmp_path, make_capture):
    """Masks that are white on the surroundings give the same views."""
    distort_capture(make_capture(tmp_path, views=6, size=48), LENSES["barrel"], "sphere")
    upright = load_views(read_capture(tmp_path)).views
    for frame in read_capture(tmp_path).frames:
        mask = np.asarray(Image.open(frame.mask_path))
        Image.fromarray(255 - mask).save(frame.mask_path)
    for view, other in zip(load_views(read_capture(tmp_path)).views, upright, strict=True):
        assert view.intrinsics == other.intrinsics
        assert view.mask == pytest.approx(other.mask, abs=1e-5)


def test_transparent_images(tmp_path):
    """What is behind alpha 0 does not bleed, and beyond the image it is white and transparent."""
    lens = Lens(Intrinsics(40, 30, 30, 30, 20, 15), LENSES["barrel"])
    colors, alpha = np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40), np.uint8)
    colors[10:20, 10:20] = (200, 100, 50)
    alpha[10:20, 10:20] = 255
    new, opacity = Undistortion(lens, lens.pinhole()).color(colors, alpha)
    assert new.dtype == opacity.dtype == np.uint8
    assert np.abs(new[opacity > 128].astype(int) - (200, 100, 50)).max() <= 16
    assert (new[opacity == 0] == 255).all()
    assert opacity[0, 0] == 0


def test_object_beyond_a_pinhole(tmp_path, make_capture):
    """An object at the border of a fisheye of half a sphere is an error, not a part of it."""
    make_capture(tmp_path, views=2, size=64, shape="box")
    frame = read_capture(tmp_path).frames[0]
    lens = Lens(Intrinsics(64, 64, 20.4, 20.4, 32, 32), Distortion(is_fisheye=True))
    mask = np.zeros((64, 64), np.uint8)
    mask[28:36, 2:60] = 255
    Image.fromarray(mask).save(frame.mask_path)
    with pytest.raises(BadCamera, match=r"view 0000, \d+ % of the object"):
        read_view(replace(frame, lens=lens, intrinsics=lens.pinhole()))
