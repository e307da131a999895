# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels with what looks like print: rows of glyphs in several sizes, bars, rules and frames.

The glyphs are strokes between the points of a small lattice, an alphabet of its own for every
label: detail as fine and as irregular as that of letters, in no language.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import zoom
from torch.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Ink = NDArray[np.float64]

WIDTH, HEIGHT = 320, 192
"""Of a label, in texels."""

GLYPHS = 18
LATTICE = np.stack(np.meshgrid([0.12, 0.5, 0.88], [0.08, 0.36, 0.64, 0.92]), -1).reshape(-1, 2)
"""Ends of the strokes of a glyph, (x, y) in a cell of 0.6 x 1."""

CELL = (24, 40)
"""Of a glyph as it is drawn first: width and height in texels."""


@dataclass(frozen=True)
class Label:
    """The print on a label.

    Attributes:
        ink: coverage, [1, 1, HEIGHT, WIDTH], row 0 on top.
    """

    ink: Tensor

    @classmethod
    def random(cls, random: np.random.Generator, device: torch.device) -> Label:
        """A label of its own: a title, rows of text, and sometimes bars or a frame."""
        ink = np.zeros((HEIGHT, WIDTH))
        glyphs = _alphabet(random)
        row = int(random.integers(8, 20))
        sizes = [int(random.integers(36, 72)), *random.integers(11, 26, 8).tolist()]
        for size in sizes:
            if row + size > HEIGHT - 8:
                break
            kind = random.random() if row > 40 else 1.0
            if kind < 0.12:
                ink[row : row + 3, 12:-12] = 1.0
            elif kind < 0.25:
                _draw_bars(ink[row : row + size, 12:-12], random)
            else:
                _write(ink[row : row + size, 12:-12], glyphs, random)
            row += int(size * random.uniform(1.15, 1.5))
        if random.random() < 0.4:
            edge = int(random.integers(2, 5))
            ink[2 : 2 + edge], ink[-2 - edge : -2] = 1.0, 1.0
            ink[:, 2 : 2 + edge], ink[:, -2 - edge : -2] = 1.0, 1.0
        return cls(torch.from_numpy(ink)[None, None].float().to(device))

    def at(self, u: Tensor, v: Tensor) -> Tensor:
        """Ink at places of the label, [n]; u to the right and v up, both in 0..1."""
        grid = torch.stack([2.0 * u - 1.0, 1.0 - 2.0 * v], dim=1)
        return F.grid_sample(self.ink, grid[None, None], align_corners=False)[0, 0, 0]


def _alphabet(random: np.random.Generator) -> Ink:
    """Random glyphs [GLYPHS, height, width], coverage."""
    width, height = CELL
    x, y = np.meshgrid((np.arange(width) + 0.5) / height, (np.arange(height) + 0.5) / height)
    ends = LATTICE * (0.6, 1.0)
    thickness = random.uniform(0.045, 0.085)
    glyphs = np.zeros((GLYPHS, height, width))
    for glyph in glyphs:
        path = random.choice(len(ends), int(random.integers(3, 6)), replace=False)
        for first, second in pairwise(path):
            start, axis = ends[first], ends[second] - ends[first]
            along = ((x - start[0]) * axis[0] + (y - start[1]) * axis[1]) / (axis @ axis)
            along = along.clip(0.0, 1.0)
            away = np.hypot(x - start[0] - along * axis[0], y - start[1] - along * axis[1])
            np.maximum(glyph, (0.5 + (thickness - away) * height).clip(0.0, 1.0), out=glyph)
    return glyphs


def _write(place: Ink, glyphs: Ink, random: np.random.Generator) -> None:
    """Write a row of words, as long as there is room."""
    size, width = place.shape
    small = zoom(glyphs, (1.0, size / CELL[1], size / CELL[1]), order=1).clip(0.0, 1.0)
    step = small.shape[2] + max(1, size // 10)
    end = width if random.random() < 0.7 else int(width * random.uniform(0.4, 0.9))
    left = 0
    while left + step < end:
        for _ in range(int(random.integers(2, 8))):
            if left + step >= end:
                return
            place[:, left : left + small.shape[2]] = small[random.integers(GLYPHS)]
            left += step
        left += step // 2


def _draw_bars(place: Ink, random: np.random.Generator) -> None:
    """Draw upright bars of several widths."""
    left = 0
    while left < place.shape[1] // 2:
        wide = int(random.integers(1, 6))
        place[:, left : left + wide] = 1.0
        left += wide + int(random.integers(1, 6))
