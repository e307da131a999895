# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks that transforms.json does not mention are found under the names that tools give them."""

from __future__ import annotations

import pytest

from backend.shared.capture.mask_files import expected_masks, find_mask
from backend.shared.capture.reader import read_capture

NAMES = {
    "COLMAP": ("images/0000.jpg", "masks/0000.jpg.png"),
    "COLMAP with folders": ("images/cam1/0000.jpg", "masks/cam1/0000.jpg.png"),
    "COLMAP with capitals": ("images/IMG_1.JPG", "masks/IMG_1.JPG.png"),
    "suffix beside the image": ("images/0000.jpg", "images/0000_mask.png"),
    "suffix at the top": ("r_0.5.png", "r_0.5_mask.png"),
    "suffix in a folder of masks": ("images/a/0.png", "masks/a/0_mask.png"),
    "suffix with a dot": ("photos/0.jpg", "photos/0.jpg.mask.png"),
    "folder at the top": ("0000.jpg", "masks/0000.png"),
    "another folder of images": ("rgb/0000.jpg", "masks/0000.png"),
    "folder within the images": ("images/0000.jpg", "images/mask/0000.png"),
    "JPEG mask": ("images/0000.jpg", "masks/0000.jpg"),
    "Stanford-ORB": ("train/0000.png", "train_mask/0000.png"),
    "the LSRM release": ("input/0000.png", "mask/0000.png"),
    "nerfstudio, smaller": ("images_4/0000.png", "masks_4/0000.png"),
}
INVERTED_NAMES = {
    "instant-ngp": ("images/0000.jpg", "images/dynamic_mask_0000.png"),
    "instant-ngp at the top": ("0000.png", "dynamic_mask_0000.png"),
    "instant-ngp with folders": ("images/left/a.jpeg", "images/left/dynamic_mask_a.png"),
}


@pytest.mark.parametrize(
    ("image", "mask", "inverted"),
    [
        *((*paths, False) for paths in NAMES.values()),
        *((*paths, True) for paths in INVERTED_NAMES.values()),
    ],
    ids=[*NAMES, *INVERTED_NAMES],
)
def test_masks_by_name(tmp_path, put_image, put_capture, image, mask, inverted):
    """A mask is found by its name alone; those of instant-ngp show what is not the object."""
    put_image(tmp_path / image)
    put_image(tmp_path / mask)
    put_capture(tmp_path, {"fl_x": 50}, [{"file_path": image}])
    (frame,) = read_capture(tmp_path).frames
    assert frame.mask_path == tmp_path / mask
    assert frame.mask_inverted is inverted


def test_stated_path_comes_first(tmp_path, put_image, put_capture):
    """mask_path wins over a file that is found by name; its name may say that it is inverted."""
    for path in ("images/0.jpg", "images/0_mask.png", "m/dynamic_mask_0.png"):
        put_image(tmp_path / path)
    frames = [{"file_path": "images/0.jpg", "mask_path": "m/dynamic_mask_0.png"}]
    (frame,) = read_capture(put_capture(tmp_path, {"fl_x": 50}, frames)).frames
    assert frame.mask_path == tmp_path / "m" / "dynamic_mask_0.png"
    assert frame.mask_inverted


def test_one_file_is_not_the_mask_of_two_images(tmp_path, put_image, put_capture):
    """Images of the same name in two folders do not share a mask of that name."""
    paths = ["images/left/0.jpg", "images/right/0.jpg"]
    put_image(tmp_path / "masks" / "0.png")
    put_image(tmp_path / "masks" / "left" / "0.png")
    frames = put_capture(tmp_path, {"fl_x": 50}, [{"file_path": path} for path in paths])
    left, right = read_capture(frames).frames
    assert left.mask_path == tmp_path / "masks" / "left" / "0.png"
    assert right.mask_path == tmp_path / "masks" / "0.png"
    (tmp_path / "masks" / "left" / "0.png").unlink()
    assert [frame.mask_path for frame in read_capture(frames).frames] == [None, None]


def test_an_image_is_not_its_own_mask(tmp_path, put_image):
    """Images in a folder with the name of masks have none by that."""
    put_image(tmp_path / "mask" / "0.png")
    assert find_mask(tmp_path / "mask" / "0.png", tmp_path) is None


def test_expected_names(tmp_path):
    """The text for the artist names the places."""
    text = expected_masks(tmp_path / "images" / "a.jpg")
    for name in ("mask_path", "a.png", "a.jpg.png", "masks", "images_mask", "a_mask.png"):
        assert name in text
    assert "dynamic_mask_a.png" in text
