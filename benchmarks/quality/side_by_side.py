# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""True views and those of results under other lights in one picture, a row for each view.

python -m benchmarks.quality.side_by_side OUT TITLE=COMPARISON...      (in the backend environment)

Comparisons are those of `evaluate`: a true view left of a render, view below view.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROWS = 4
"""Views that are shown, evenly chosen."""

CAPTION = 24
"""Height of the titles in pixels."""


def compose(columns: list[tuple[str, Image.Image]]) -> Image.Image:
    """Comparisons side by side; the truth is repeated where a title occurs again.

    Args:
        columns: title and comparison, in order; those with the same titles are of other lights.
    """
    panels: list[tuple[str, Image.Image]] = []
    for title, comparison in columns:
        size = comparison.width // 2
        if title == columns[0][0]:
            panels.append(("truth", comparison.crop((0, 0, size, comparison.height))))
        panels.append((title, comparison.crop((size, 0, 2 * size, comparison.height))))
    size = panels[0][1].width
    count = panels[0][1].height // size
    shown = [row * count // min(ROWS, count) for row in range(min(ROWS, count))]
    picture = Image.new("RGB", (size * len(panels), size * len(shown) + CAPTION), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(CAPTION * 2 // 3)
    for column, (title, panel) in enumerate(panels):
        draw.text((column * size + size // 2, CAPTION // 2), title, "black", font, "mm")
        for row, view in enumerate(shown):
            crop = panel.crop((0, view * size, size, (view + 1) * size))
            picture.paste(crop, (column * size, row * size + CAPTION))
    return picture


def main(output: Path, columns: list[str]) -> None:
    """Compose files given as TITLE=COMPARISON."""
    named = [column.split("=", 1) for column in columns]
    compose([(title, Image.open(path).convert("RGB")) for title, path in named]).save(output)
    sys.stdout.write(json.dumps({"picture": str(output)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
