# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: size, pictures of different shapes, outlines."""

from __future__ import annotations

import numpy as np
from PIL import Image

from backend.views.contact_sheet import (
    OUTLINE,
    SHEET_SIZE,
    SURROUNDINGS,
    THUMBNAIL,
    Picture,
    picture_side,
    write_contact_sheet,
)


def picture(height, width, *, masked):
    """A white picture, with a square mask in its middle or without one."""
    mask = np.zeros((height, width), bool)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return Picture(np.full((height, width, 3), 255, np.uint8), mask if masked else None)


def test_pictures_are_in_rows_about_a_square(tmp_path):
    """Pictures of different shapes are centered in equal cells; empty cells are gray."""
    pictures = [picture(20, 40, masked=False)] * 4 + [picture(40, 20, masked=False)]
    write_contact_sheet(pictures, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 40, 3 * 40, 3)
    wide = [picture(10, 40, masked=False)] * 8
    write_contact_sheet(wide, tmp_path / "wide.png")
    assert Image.open(tmp_path / "wide.png").size == (2 * 40, 4 * 10)
    assert (sheet[10:30, :40] == 255).all()
    assert (sheet[:10, :40] == SURROUNDINGS).all()
    assert (sheet[40:, 80:] == SURROUNDINGS).all()


def test_masks_are_outlined_and_their_surroundings_dimmed():
    """Pixels of the object keep their color."""
    drawn = np.asarray(picture(40, 40, masked=True).drawn())
    assert (drawn[15:25, 15:25] == 255).all()
    assert tuple(drawn[9, 20]) == OUTLINE
    assert 0 < drawn[0, 0].max() < 255


def test_sheet_for_a_glance_has_a_bounded_size():
    """Many pictures are smaller ones."""
    assert picture_side(1) == THUMBNAIL
    assert all(picture_side(n) * np.ceil(np.sqrt(n)) <= SHEET_SIZE for n in range(4, 37))
