# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random paints: palettes as objects have them, patterns, labels, wear."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ....shared.srgb import srgb_to_linear
from .lettering import Label
from .noise import Noise
from .paint import Coat, Paint, Wear
from .patterns import (
    Band,
    Blotches,
    Bricks,
    Checks,
    Dots,
    Placement,
    Print,
    Sticker,
    Stripes,
)

if TYPE_CHECKING:
    from .paint import Color
    from .patterns import Pattern

METALS: tuple[Color, ...] = (
    (1.00, 0.71, 0.29), (0.93, 0.48, 0.33), (0.90, 0.89, 0.87), (0.56, 0.57, 0.58),
    (0.91, 0.92, 0.92), (0.75, 0.61, 0.35), (0.30, 0.29, 0.28),
)  # fmt: skip
"""Gold, copper, silver, iron, aluminum, brass and a dark steel; linear."""


@dataclass(frozen=True)
class Extent:
    """How large a part is in its own coordinates, for patterns that fit it.

    Attributes:
        radius: around z, or of the smallest sphere.
        low: where it begins along z.
        high: where it ends.
        is_round: whether it is about round around z, so that labels follow it.
    """

    radius: float
    low: float
    high: float
    is_round: bool


class Painter:
    """Makes the paints of one object, from one palette.

    Args:
        random: of the object.
        device: of the paints.
    """

    def __init__(self, random: np.random.Generator, device: torch.device) -> None:
        self._random, self._device = random, device
        self._noise = Noise.random(random, device)
        self._coats = [self._coat() for _ in range(int(random.integers(2, 6)))]
        self._is_plain = random.random() < 0.12

    def paint(self, extent: Extent) -> Paint:
        """The paint of one part."""
        random = self._random
        ground = self._pick()
        if self._is_plain:
            return Paint(self._coats[0], (), self._wear(extent))
        layers: list[tuple[Pattern, Coat]] = [
            (self._pattern(extent), self._other(ground))
            for chance in (0.75, 0.3)
            if random.random() < chance
        ]
        if random.random() < 0.3:
            layers.append((self._band(extent), self._other(ground)))
        for _ in range(int(random.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
            layers += self._label(extent)
        return Paint(ground, tuple(layers), self._wear(extent))

    def axis(self, number: int) -> torch.Tensor:
        """A coordinate axis, [3]."""
        return torch.eye(3, device=self._device)[number]

    def lining(self, paint: Paint) -> Paint:
        """The paint of the inside of a part: its ground, or another material."""
        return Paint(paint.ground if self._random.random() < 0.5 else self._pick(), (), paint.wear)

    def _coat(self) -> Coat:
        """A random material: mostly plastic, wood, cloth, ceramics or paint; sometimes metal."""
        random = self._random
        if random.random() < 0.18:
            metal = METALS[int(random.integers(len(METALS)))]
            return Coat(metal, float(random.uniform(0.12, 0.55)), 1.0)
        hue, value = random.random(), random.beta(1.8, 1.2)
        kind = random.random()
        if kind < 0.4:
            saturation = random.uniform(0.45, 0.95)
        elif kind < 0.78:
            saturation = random.uniform(0.1, 0.45)
            hue = hue if random.random() < 0.5 else random.uniform(0.03, 0.14)  # wood, skin, clay
        else:
            saturation = random.uniform(0.0, 0.06)
        display = colorsys.hsv_to_rgb(hue, saturation, 0.15 + 0.82 * value)
        red, green, blue = srgb_to_linear(np.array(display)).tolist()
        glossy = random.random() < 0.45
        roughness = random.uniform(0.08, 0.4) if glossy else random.uniform(0.4, 1.0)
        return Coat((red, green, blue), float(roughness), 0.0)

    def _pick(self) -> Coat:
        return self._coats[int(self._random.integers(len(self._coats)))]

    def _other(self, ground: Coat) -> Coat:
        """A material that differs from the ground: of the palette, or the ground shaded."""
        coat = self._pick()
        if coat != ground:
            return coat
        factor = self._random.choice([0.3, 0.5, 1.8])
        red, green, blue = (min(factor * each, 0.95) for each in ground.base_color)
        return replace(ground, base_color=(red, green, blue))

    def _pattern(self, extent: Extent) -> Pattern:
        """A pattern of a size that the part shows several times."""
        random = self._random
        size = max(extent.radius, 0.5 * (extent.high - extent.low))
        spacing = float(size * random.uniform(0.15, 0.6))
        kind = int(random.integers(8))
        if kind <= 1:
            return self._stripes(spacing)
        if kind == 2:
            return Stripes(self._axis(), spacing, 0.5, self._noise, float(random.uniform(0.6, 1.6)))
        if kind == 3:
            around = int(random.integers(3, 12)) * 2 if extent.is_round else 0
            return Checks(spacing, around)
        if kind == 4:
            return Dots(spacing, float(random.uniform(0.25, 0.42)))
        if kind == 5:
            return Bricks(0.7 * spacing, float(0.06 * spacing))
        octaves = int(random.integers(1, 5))
        return Blotches(self._noise, spacing, float(random.uniform(-0.05, 0.25)), octaves)

    def _stripes(self, spacing: float) -> Stripes:
        share = float(self._random.uniform(0.15, 0.6))
        return Stripes(self._axis(), spacing, share)

    def _axis(self) -> torch.Tensor:
        """A coordinate axis, or any."""
        axis = np.eye(3)[int(self._random.integers(3))]
        if self._random.random() < 0.3:
            axis = self._random.normal(size=3)
        return torch.from_numpy(axis / np.linalg.norm(axis)).float().to(self._device)

    def _band(self, extent: Extent) -> Band:
        height = extent.high - extent.low
        low = extent.low + height * self._random.uniform(0.0, 0.8)
        return Band(2, float(low), float(low + height * self._random.uniform(0.05, 0.25)))

    def _label(self, extent: Extent) -> list[tuple[Pattern, Coat]]:
        """A sticker with print, or print alone."""
        random = self._random
        height = extent.high - extent.low
        width = extent.radius * random.uniform(0.9, 1.7)
        size = (float(width), float(min(0.6 * width, 0.9 * height)))
        placement = Placement(
            around=extent.is_round,
            radius=extent.radius,
            turn=float(random.integers(4) * 0.5 * math.pi),
            middle=float(0.5 * (extent.low + extent.high) + height * random.uniform(-0.25, 0.25)),
            size=size,
            repeated=bool(extent.is_round and random.random() < 0.5),
        )
        ink, ground = self._pick(), self._pick()
        if ink == ground:
            ink = Coat((0.02, 0.02, 0.025), 0.5, 0.0)
        text = (Print(placement, Label.random(random, self._device)), ink)
        if random.random() < 0.75:
            return [(Sticker(placement), ground), text]
        return [text]

    def _wear(self, extent: Extent) -> Wear | None:
        random = self._random
        if random.random() < 0.4:
            return None
        spacing = float(extent.radius * random.uniform(0.1, 0.8))
        shade, roughness = random.uniform(0.03, 0.3), random.uniform(0.0, 0.15)
        return Wear(self._noise, spacing, float(shade), float(roughness))
