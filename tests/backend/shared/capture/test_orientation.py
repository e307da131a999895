# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether photographs and masks are turned follows from sizes and principal points."""

from __future__ import annotations

import pytest

from backend.shared.capture.image_header import ImageHeader
from backend.shared.capture.orientation import choose_orientation, orientation_warnings

LYING = ImageHeader("JPEG", 96, 64, 6)
SQUARE = ImageHeader("JPEG", 96, 96, 6)


def mask(width, height, orientation=1):
    return ImageHeader("PNG", width, height, orientation)


CHOICES = {
    # photograph, mask, stated size, principal point: orientations of both, certain
    "size of the turned picture": (LYING, None, (64, 96), None, (6, 1, True)),
    "size as stored": (LYING, None, (96, 64), None, (1, 1, True)),
    "resized, turned": (LYING, None, (640, 960), None, (6, 1, True)),
    "resized, as stored": (LYING, None, (192, 128), None, (1, 1, True)),
    "upright mask alone": (LYING, mask(64, 96), None, None, (6, 1, True)),
    "lying mask alone": (LYING, mask(96, 64), None, None, (1, 1, True)),
    "mask with EXIF": (LYING, mask(96, 64, 6), (64, 96), None, (6, 6, True)),
    "mask as stored of a turned picture": (LYING, mask(96, 64), (64, 96), None, (6, 6, True)),
    "upright mask of a picture as stored": (LYING, mask(64, 96), (96, 64), None, (1, 8, True)),
    "principal point, turned": (LYING, None, None, (33, 47), (6, 1, True)),
    "principal point, as stored": (LYING, None, None, (47, 33), (1, 1, True)),
    "nothing": (LYING, None, None, None, (6, 1, False)),
    "square": (SQUARE, mask(96, 96), (96, 96), (48, 48), (6, 1, False)),
    "square with EXIF in the mask": (SQUARE, mask(96, 96, 6), (96, 96), None, (6, 6, False)),
    "half turn": (ImageHeader("JPEG", 96, 64, 3), None, (96, 64), None, (3, 1, False)),
    "no EXIF": (ImageHeader("JPEG", 96, 64), mask(64, 96), (64, 96), None, (1, 1, True)),
}


@pytest.mark.parametrize(
    ("image", "of_mask", "stated", "center", "expected"), CHOICES.values(), ids=CHOICES.keys()
)
def test_choice(image, of_mask, stated, center, expected):
    """The orientations of a photograph and its mask, and whether anything but EXIF says so."""
    found = choose_orientation(image, of_mask, stated, center)
    assert (found.image, found.mask, found.certain) == expected


def test_warnings():
    """What was done is reported once for all photographs; nothing without EXIF."""
    turned = choose_orientation(LYING, None, (64, 96), None)
    stored = choose_orientation(LYING, None, (96, 64), None)
    unsure = choose_orientation(SQUARE, None, None, None)
    plain = choose_orientation(ImageHeader("PNG", 4, 4), None, None, None)
    assert orientation_warnings([plain, plain]) == []
    assert orientation_warnings([turned, turned, plain]) == [
        "2 photographs are turned as the EXIF orientation says."
    ]
    assert "the pictures as stored" in orientation_warnings([stored])[0]
    assert "nothing else says" in orientation_warnings([turned, unsure])[0]
