# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of pictures with captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PANEL = 512
"""Height and width of one picture in pixels."""
CAPTION = 48
"""Height of the captions in pixels."""
TEXT_COLOR = (90, 90, 90)


def side_by_side(pictures: Mapping[str, tuple[Path, Path | None]], path: Path) -> None:
    """Write pictures in a row as one picture, over white.

    Args:
        pictures: by caption: a file, and its mask if the file has no alpha.
        path: the file to write.
    """
    row = Image.new("RGB", (PANEL * len(pictures), PANEL + CAPTION), "white")
    draw = ImageDraw.Draw(row)
    font = ImageFont.load_default(CAPTION // 2)
    for column, (caption, (picture, mask)) in enumerate(pictures.items()):
        panel = _panel(picture, mask)
        corner = (column * PANEL + (PANEL - panel.width) // 2, (PANEL - panel.height) // 2)
        row.paste(panel, corner, panel)
        middle = (column * PANEL + PANEL // 2, PANEL + CAPTION // 2)
        draw.text(middle, caption, fill=TEXT_COLOR, font=font, anchor="mm")
    row.save(path)


def _panel(picture: Path, mask: Path | None) -> Image.Image:
    """A picture with alpha, scaled to fit a panel."""
    with Image.open(picture) as image:
        panel = image.convert("RGBA")
    if mask is not None:
        with Image.open(mask) as coverage:
            panel.putalpha(coverage.convert("L"))
    scale = PANEL / max(panel.size)
    size = (round(panel.width * scale), round(panel.height * scale))
    return panel.resize(size, Image.Resampling.LANCZOS)
