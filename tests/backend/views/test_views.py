# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views in memory: the contents of the files, at the requested size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import Intrinsics, project
from backend.shared.capture.capture import Frame
from backend.shared.capture.reader import read_capture
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.views.image_files import read_color, read_mask, read_values
from backend.views.views import load_views, read_view
from tests.captures import deep_png

SIZE = (6, 4)
GRADIENT = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


@pytest.fixture(scope="module")
def capture(tmp_path_factory, make_capture):
    """Eight views of a box."""
    return read_capture(
        make_capture(tmp_path_factory.mktemp("views") / "box", size=64, shape="box")
    )


def put_rgba(path, color, alpha):
    """Write an image with alpha, not premultiplied."""
    pixels = np.concatenate([color, alpha[..., None]], axis=-1)
    Image.fromarray(pixels.astype(np.uint8), "RGBA").save(path)


def frame_of(folder, *, mask=None):
    """The frame of `folder/a.png`."""
    width, height = Image.open(folder / "a.png").size
    lens = Intrinsics(width, height, 10, 10, width / 2, height / 2)
    return Frame("a", folder / "a.png", mask, lens, np.eye(4))


def test_views_equal_their_files(capture):
    """Images, masks and cameras are read as they were written."""
    views = load_views(capture)
    assert [view.name for view in views.views] == [f"{i:04d}" for i in range(8)]
    assert views.bounding_sphere == capture.bounding_sphere
    assert views.warnings == ()
    for view, frame in zip(views.views, capture.frames, strict=True):
        assert view.image.dtype == view.mask.dtype == np.float32
        assert (view.image == np.asarray(Image.open(frame.image_path)) / np.float32(255)).all()
        assert (view.mask == np.asarray(Image.open(frame.mask_path)) / np.float32(255)).all()
        assert view.intrinsics == frame.intrinsics
        assert (view.camera_to_world == frame.camera_to_world).all()
        assert view.cut == frozenset()


def test_alpha_is_the_mask(tmp_path):
    """Without a mask file the alpha is the coverage, and transparent pixels are white."""
    alpha = np.array([[0, 51, 255]] * 2)
    put_rgba(tmp_path / "a.png", np.full((2, 3, 3), (200, 100, 0)), alpha)
    view = read_view(frame_of(tmp_path))
    assert view.mask[0] == pytest.approx([0, 0.2, 1])
    assert view.image[0, 0].tolist() == [1, 1, 1]
    # Straight: half transparent pixels keep the color of the object.
    assert view.image[0, 1] * 255 == pytest.approx([200, 100, 0], abs=1e-4)
    assert view.image[0, 2] * 255 == pytest.approx([200, 100, 0], abs=1e-4)


def test_mask_file_overrides_alpha(tmp_path):
    """If there are both, the mask is that of the file."""
    put_rgba(tmp_path / "a.png", np.full((4, 6, 3), 100), np.full((4, 6), 255))
    Image.fromarray(GRADIENT).save(tmp_path / "m.png")
    view = read_view(frame_of(tmp_path, mask=tmp_path / "m.png"))
    assert view.mask == pytest.approx(GRADIENT / 255)


@pytest.mark.parametrize(("column", "row", "side"), [(0, 9, "left"), (9, 0, "top")])
def test_cut_sides(capture, column, row, side):
    """A mask that reaches a side of the frame is cut by it."""
    view = load_views(capture).views[0]
    mask = view.mask.copy()
    mask[row, column] = 0.5
    assert replace(view, mask=mask).cut == {side}
    opposite = {"left": "right", "top": "bottom"}[side]
    assert replace(view, mask=mask[::-1, ::-1]).cut == {opposite}
    mask[row, column] = 0.49
    assert replace(view, mask=mask).cut == frozenset()


def test_averaging_down(tmp_path):
    """At half the size a pixel is the mean of four, and points project to the same positions."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 60, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(pixels[..., 0].astype(np.uint8)).save(tmp_path / "m.png")
    frame = frame_of(tmp_path, mask=tmp_path / "m.png")
    view = read_view(frame, max_size=30)
    expected = pixels.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3)) / 255
    assert view.image == pytest.approx(expected, abs=1e-6)
    assert view.mask == pytest.approx(expected[..., 0], abs=1e-6)
    assert view.intrinsics == Intrinsics(30, 20, 5, 5, 15, 10)
    assert read_view(frame, max_size=60).image.shape == (40, 60, 3)


def test_averaging_down_by_an_odd_ratio(capture):
    """The center of a mask agrees with the scaled intrinsics to a hundredth of a pixel."""
    for whole, small in zip(
        load_views(capture).views, load_views(capture, max_size=45).views, strict=True
    ):
        assert small.image.shape == (45, 45, 3)
        middles = []
        for view in (whole, small):
            rows, columns = np.mgrid[0 : view.mask.shape[0], 0 : view.mask.shape[1]] + 0.5
            weight = view.mask / view.mask.sum()
            middles.append(np.array([(columns * weight).sum(), (rows * weight).sum()]))
        assert middles[1] == pytest.approx(middles[0] * 45 / 64, abs=0.01)
        assert small.mask.mean() == pytest.approx(whole.mask.mean(), abs=1e-3)
        corner = [(0.28, 0.22, 0.34)]
        before, _ = project(corner, whole.intrinsics, whole.camera_to_world)
        after, _ = project(corner, small.intrinsics, small.camera_to_world)
        assert after == pytest.approx(before * 45 / 64)


def test_averaging_ignores_transparent_colors(tmp_path):
    """Colors behind alpha 0 do not bleed into the edge when an image is averaged down."""
    color = np.zeros((4, 4, 3))
    color[:, :2] = (255, 0, 0)
    alpha = np.zeros((4, 4))
    alpha[:, 0] = 255
    put_rgba(tmp_path / "a.png", color, alpha)
    view = read_view(frame_of(tmp_path), max_size=2)
    assert view.mask.tolist() == [[0.5, 0], [0.5, 0]]
    assert view.image[0].tolist() == [[1, 0, 0], [1, 1, 1]]


MASKS = {
    "gray": Image.fromarray(GRADIENT),
    "16 bit": Image.fromarray(GRADIENT.astype(np.uint16) * 257),
    "rgb": Image.fromarray(np.stack([GRADIENT, GRADIENT // 2, GRADIENT * 0], axis=-1)),
    "alpha": Image.merge("LA", (Image.new("L", SIZE, 255), Image.fromarray(GRADIENT))),
    "opaque rgba": Image.fromarray(GRADIENT).convert("RGBA"),
    "palette": Image.fromarray(GRADIENT).convert("P"),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_mask_files(tmp_path, mask):
    """Masks in all formats of PNG give the same coverage."""
    mask.save(tmp_path / "m.png")
    coverage = read_mask(tmp_path / "m.png", SIZE)
    assert coverage.dtype == np.float32
    assert coverage == pytest.approx(GRADIENT / 255, abs=1e-6)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_masks_of_zero_and_one(tmp_path, mode):
    """1-bit masks, and 8-bit masks with values 0 and 1, have coverage 0 and 1."""
    labels = (GRADIENT > 100).astype(np.uint8)
    image = Image.fromarray(labels * (255 if mode == "1" else 1)).convert(mode)
    image.save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png", SIZE) == labels).all()


def test_jpeg_masks(tmp_path):
    """The artifacts of JPEG beside an edge are removed."""
    mask = np.zeros((64, 64), np.uint8)
    mask[13:50, 21:39] = 255
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=90)
    coverage = read_mask(tmp_path / "m.jpg", (64, 64))
    assert ((coverage >= 0.5) == (mask > 0)).all()
    assert (np.isin(coverage, (0, 1))).mean() > 0.97


def test_values_in_full_depth(tmp_path):
    """Values are read as stored: 8 or 16 bits, gray or RGB."""
    deep = np.random.default_rng(0).integers(0, 65536, (4, 6, 3)).astype(np.uint16)
    for pixels in (deep, deep[..., :1]):
        (tmp_path / "deep.png").write_bytes(deep_png(pixels))
        assert (read_values(tmp_path / "deep.png", SIZE) == pixels / np.float32(65535)).all()
        flat = (pixels >> 8).astype(np.uint8)
        Image.fromarray(flat.squeeze()).save(tmp_path / "flat.png")
        assert (read_values(tmp_path / "flat.png", SIZE) == flat / np.float32(255)).all()


def test_other_color_files(tmp_path):
    """Gray, palette with a transparent entry, and CMYK are converted to RGB, with alpha if any."""
    Image.fromarray(GRADIENT).save(tmp_path / "gray.png")
    assert (read_color(tmp_path / "gray.png", SIZE)[0] == GRADIENT[..., None]).all()
    palette = Image.fromarray((GRADIENT > 100).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    colors, alpha = read_color(tmp_path / "palette.png", SIZE)
    assert (alpha == np.where(GRADIENT > 100, 255, 0)).all()
    assert colors[-1, -1].tolist() == [10, 20, 30]
    Image.new("CMYK", SIZE, (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=100)
    assert read_color(tmp_path / "print.jpg", SIZE)[0][0, 0] == pytest.approx([255, 0, 0], abs=3)


def test_progress_and_cancel(capture):
    """Every view is reported, and a cancelled job stops at the next one."""
    reports = []
    progress = Progress(lambda stage, fraction, message: reports.append((stage, fraction)))
    load_views(capture, progress)
    assert reports == [("views", i / 8) for i in range(8)]
    progress.cancel()
    with pytest.raises(Cancelled):
        load_views(capture, progress)


def test_photographs(shared):
    """The photographs of the tankard: 69 good views, 30 of which cut the object."""
    capture = read_capture(shared / "data" / "captures" / "maryrose_tankard")
    views = load_views(capture, max_size=256)
    assert len(views.views) == 69
    assert views.warnings == ()
    assert sum(bool(view.cut) for view in views.views) == 30
