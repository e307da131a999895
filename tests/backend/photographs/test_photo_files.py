# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs without cameras: which files they are, their orientation, lens and masks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.photographs.photo_files import MAX_SIZE, find_photos
from backend.shared.errors import BadCapture, TooFewViews


def put_photos(folder, count=8, size=(40, 30), orientation=1, focal=None):
    """Write photographs with EXIF values."""
    folder.mkdir(exist_ok=True)
    exif = Image.Exif()
    exif[274] = orientation
    exif[272] = "A camera"
    if focal:
        exif.get_ifd(0x8769)[0xA405] = focal
    for index in range(count):
        Image.new("RGB", size, (index, 9, 9)).save(folder / f"IMG_{index}.jpg", exif=exif)


def test_photos_and_masks(tmp_path):
    """Images are photographs, in their order by name, and the masks beside them are not."""
    put_photos(tmp_path)
    Image.new("L", (40, 30)).save(tmp_path / "IMG_3_mask.png")
    (tmp_path / "notes.txt").write_text("-")
    photos = find_photos(tmp_path)
    assert [photo.name for photo in photos] == [f"IMG_{index}" for index in range(8)]
    assert photos[3].mask.path == tmp_path / "IMG_3_mask.png"
    assert photos[0].mask is None
    assert photos[0].size == photos[0].small_size == (40, 30)
    assert photos[0].read_small().shape == (30, 40)


def test_exif(tmp_path):
    """The orientation turns a photograph, and the equivalent focal length is one in pixels."""
    put_photos(tmp_path, size=(3000, 2000), orientation=6, focal=50)
    photo = find_photos(tmp_path)[0]
    assert photo.size == (2000, 3000)
    assert photo.small_size == (round(2000 * MAX_SIZE / 3000), MAX_SIZE)
    assert photo.read_small().shape == (MAX_SIZE, photo.small_size[0])
    assert photo.focal == pytest.approx(50 * 3000 / 36)
    assert photo.lens == ("", "A camera", "50")


def test_no_folder_and_too_few(tmp_path):
    """A folder that is missing or nearly empty is an error that says so."""
    with pytest.raises(BadCapture, match="no folder"):
        find_photos(tmp_path / "none")
    put_photos(tmp_path, count=7)
    with pytest.raises(TooFewViews, match="has 7 photographs"):
        find_photos(tmp_path)


def test_deep_images_are_gray_values(tmp_path):
    """Images of 16 bits have the same gray values as those of 8."""
    put_photos(tmp_path, count=7)
    Image.fromarray(np.full((30, 40), 128 * 257, np.uint16)).save(tmp_path / "IMG_9.png")
    assert find_photos(tmp_path)[-1].read_small().max() == 128
