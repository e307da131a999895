# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain backdrop that an object is photographed before: how its color is stated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from .errors import BadRequest

Color: TypeAlias = tuple[float, float, float]
"""Red, green and blue in 0..255, display-referred sRGB."""

AUTO = "auto"
NAMED = ("white", "black", "green", "blue")
REMEDY = f"Use {AUTO}, {', '.join(NAMED)}, or a color such as #00b140."

# A photographed backdrop is seldom the color that it is called by: white paper is light gray.
DARKEST_WHITE, LIGHTEST_BLACK, LARGEST_TINT = 150.0, 90.0, 45.0
LEAST_CHROMA = 40.0
# Between a color given as a number and that of the picture, in each channel.
MOST_OFF = 40.0


@dataclass(frozen=True)
class Backdrop:
    """A plain backdrop.

    Attributes:
        text: `auto`, one of `NAMED`, or `#rrggbb`.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Backdrop:
        """A backdrop as an option states it.

        Raises:
            BadRequest: if it is none of these.
        """
        lower = text.strip().lower()
        if lower in (AUTO, *NAMED) or re.fullmatch("#[0-9a-f]{6}", lower):
            return cls(lower)
        raise BadRequest(f"The backdrop cannot be {text}.", REMEDY)

    def can_be(self, color: Color) -> bool:
        """Whether a picture of it may show this color."""
        red, green, blue = color
        tint = max(color) - min(color)
        if self.text == AUTO:
            return True
        if self.text == "white":
            return min(color) >= DARKEST_WHITE and tint <= LARGEST_TINT
        if self.text == "black":
            return max(color) <= LIGHTEST_BLACK
        if self.text == "green":
            return green - max(red, blue) >= LEAST_CHROMA
        if self.text == "blue":
            return blue - max(red, green) >= LEAST_CHROMA
        stated = bytes.fromhex(self.text[1:])
        return all(abs(a - b) <= MOST_OFF for a, b in zip(stated, color, strict=True))
