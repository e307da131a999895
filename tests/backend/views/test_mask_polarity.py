# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks that are white on the surroundings are recognized by all views together."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backend.shared.capture.reader import read_capture
from backend.views.mask_polarity import INVERTED_NOTE
from backend.views.views import load_views


@pytest.fixture(params=["arch", "plate", "two_spheres"])
def folder(request, make_capture, tmp_path):
    """Ten views without a bounding sphere."""
    folder = make_capture(tmp_path / "views", 10, size=48, shape=request.param)
    (folder / "capture.json").unlink()
    return folder


def change_images(folder, change):
    """Apply a function to the pixels of all images and masks."""
    for path in folder.glob("*/*.png"):
        Image.fromarray(change(np.asarray(Image.open(path)), path.parent.name)).save(path)


def test_inverted_masks(folder):
    """Black objects on white give the same views as white ones on black, with a note."""
    before = load_views(read_capture(folder))
    change_images(folder, lambda pixels, kind: 255 - pixels if kind == "masks" else pixels)
    after = load_views(read_capture(folder))
    assert before.warnings == ()
    assert after.warnings == (INVERTED_NOTE,)
    for one, other in zip(before.views, after.views, strict=True):
        assert one.mask == pytest.approx(other.mask, abs=1e-6)
        assert other.full_size().mask == pytest.approx(one.mask, abs=1e-6)


@pytest.mark.parametrize("inverted", [False, True])
def test_objects_cut_by_the_frame(folder, inverted):
    """If the object covers much of the border, the common shape decides."""

    def crop(pixels, kind):
        inner = pixels[12:36, 12:36]
        return 255 - inner if inverted and kind == "masks" else inner

    change_images(folder, crop)
    path = folder / "transforms.json"
    document = json.loads(path.read_text())
    for frame in document["frames"]:
        frame |= {"w": 24, "h": 24, "cx": frame["cx"] - 12, "cy": frame["cy"] - 12}
    path.write_text(json.dumps(document))
    views = load_views(read_capture(folder))
    assert (INVERTED_NOTE in views.warnings) == inverted
    assert any(view.cut for view in views.views)


def test_a_single_view_does_not_decide(folder):
    """One mask of the other kind stays as it is."""
    path = folder / "masks" / "0003.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert INVERTED_NOTE not in load_views(read_capture(folder)).warnings


def test_inverted_by_name(folder):
    """The masks of instant-ngp are inverted without a note."""
    before = load_views(read_capture(folder))
    for path in sorted((folder / "masks").glob("*.png")):
        inverted = 255 - np.asarray(Image.open(path))
        Image.fromarray(inverted).save(folder / "images" / f"dynamic_mask_{path.name}")
    shutil.rmtree(folder / "masks")
    path = folder / "transforms.json"
    document = json.loads(path.read_text())
    for frame in document["frames"]:
        del frame["mask_path"]
    path.write_text(json.dumps(document))
    after = load_views(read_capture(folder))
    assert after.warnings == ()
    for one, other in zip(before.views, after.views, strict=True):
        assert one.mask == pytest.approx(other.mask, abs=1e-6)
