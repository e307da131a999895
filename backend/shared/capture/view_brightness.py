# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Are views bright enough, not too bright, and lit from all sides? Measured on the object's pixels.

Both the capture in Blender and the reading of views warn by it, before anything is reconstructed.

The thresholds were chosen on four objects of the tuning half of the quality benchmark, twelve views
of each in twelve environment lights, and with lamps in gray worlds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..srgb import srgb_to_linear

if TYPE_CHECKING:
    from collections.abc import Sequence

NEARLY_BLACK = 0.12
"""sRGB value that 95 % of the pixels of a view do not exceed, below which it is dark. Black objects
in usual light have 0.35 and more, in a dim night 0.2; what no light reaches has 0.09 at most."""

CLIPPED_SHARE = 0.2
"""Share of the object's pixels at the upper end that is warned of; highlights have less."""

ONE_SIDED, DIM = 0.75, 0.3
"""Contrast of the brightness along the light above which it is one-sided, if the darkest view does
not exceed the second value. A single lamp in a dark gray world gives 0.8 to 1 and views of 0.14 to
0.23; environment lights stay below 0.75, or their darkest views above 0.3, but for a low sun."""

EXPLAINED = 0.5
"""Share of the differences between views that such a light must explain: the rest is paint."""

FEWEST_VIEWS = 6
"""Of which the side of the light is sought."""

HIGHEST = 254.5 / 255.0
"""sRGB value from which on 8 bits store the highest number."""

OPAQUE = 0.5
LUMINANCE = np.array((0.2126, 0.7152, 0.0722))
REMEDY = "Choose a studio light that reaches all sides."


@dataclass
class ViewBrightness:
    """The brightness of an object over its views.

    Attributes:
        clipped: for every view, the share of its pixels of which a channel is at the upper end.
        highest: for every view, the value that 95 % of its pixels do not exceed.
        levels: for every view, the mean luminance of its pixels, linear.
        towards: for every view, the unit vector [3] from the object to the camera.
    """

    clipped: list[float] = field(default_factory=list)
    highest: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    towards: list[np.ndarray] = field(default_factory=list)

    def add(self, shown: np.ndarray, alpha: np.ndarray, camera_to_world: np.ndarray) -> None:
        """Count a view.

        Args:
            shown: [height, width, 3], sRGB in 0..1.
            alpha: [height, width], coverage by the object.
            camera_to_world: [4, 4], OpenGL axes.
        """
        pixels = shown[alpha > OPAQUE]
        if len(pixels) == 0:
            return
        brightest = pixels.max(axis=-1)
        self.clipped.append(float((brightest >= HIGHEST).mean()))
        self.highest.append(float(np.quantile(brightest, 0.95)))
        self.levels.append(float((srgb_to_linear(pixels) @ LUMINANCE).mean()))
        self.towards.append(camera_to_world[:3, 2])

    def warnings(self) -> list[str]:
        """Light that spoils a result, in sentences that begin with what is wrong, and a colon."""
        if not self.highest:
            return []
        dark = sum(highest < NEARLY_BLACK for highest in self.highest)
        clipped = float(np.mean(self.clipped))
        if dark:
            warning = f"Dark views: {dark} of {len(self.highest)} are nearly black. {REMEDY}"
        elif min(self.highest) < DIM and self._contrast() > ONE_SIDED:
            times = f"{self._brighter():.0f} times as bright"
            warning = f"One-sided light: views from there are {times} as the others. {REMEDY}"
        elif clipped > CLIPPED_SHARE:
            share = f"{100.0 * clipped:.0f} % of the object's pixels"
            warning = f"Bright views: {share} are overexposed. Lower the exposure or the light."
        else:
            return []
        return [warning]

    def _contrast(self) -> float:
        """How much the brightness changes along the light, 0..1; 0 if there is no such light.

        The levels are fitted by level = mean + gradient . direction. The contrast is that of the
        fit over the directions of the views.
        """
        levels = np.array(self.levels)
        if len(levels) < FEWEST_VIEWS or levels.var() == 0.0:
            return 0.0
        terms = np.concatenate([np.ones((len(levels), 1)), np.array(self.towards)], axis=1)
        fitted = terms @ np.linalg.lstsq(terms, levels, rcond=None)[0]
        if 1.0 - (levels - fitted).var() / levels.var() < EXPLAINED:
            return 0.0
        low, high = max(float(fitted.min()), 0.0), float(fitted.max())
        return (high - low) / (high + low)

    def _brighter(self) -> float:
        """How much brighter the brightest quarter of the views is than the darkest."""
        ordered = np.sort(self.levels)
        quarter = max(1, len(ordered) // 4)
        return float(ordered[-quarter:].mean() / max(ordered[:quarter].mean(), 1e-3))


def not_said_yet(warnings: Sequence[str], said: Sequence[str]) -> list[str]:
    """Those warnings whose kind, which is the text before the colon, is not among those said."""
    kinds = {text.partition(":")[0] for text in said}
    return [text for text in warnings if text.partition(":")[0] not in kinds]
