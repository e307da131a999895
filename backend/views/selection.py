# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large views are in memory, and which of many are fitted, so that memory stays bounded.

Textures are made from the views as they were taken, of which one is read at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.capture.capture import Frame
    from .views import View

Posed = TypeVar("Posed", "View", "Frame")

MAX_IMAGE_SIZE = 1024
"""Longest side in pixels of a view in memory; larger photographs are averaged down."""

MAX_PIXELS_IN_MEMORY = 64_000_000
"""Of all views together, with 20 bytes each: 61 square views of the largest size. The largest
texture, with the views that are projected onto it, needs three times as much."""

MAX_FIT_VIEWS = 96
"""The shape is fitted to so many views at most. All carve the hull and color the texture."""


def size_in_memory(frames: Sequence[Frame]) -> int:
    """The longest side in pixels to which the views of a capture are averaged down.

    It is `MAX_IMAGE_SIZE`, or less where the views are so many that they need too much memory.
    """
    sides = np.array([(frame.intrinsics.width, frame.intrinsics.height) for frame in frames])
    longest = sides.max(axis=1)
    size = MAX_IMAGE_SIZE
    while size > 1:
        scale = np.minimum(size / longest, 1.0)
        pixels = float((sides.prod(axis=1) * scale**2).sum())
        if pixels <= MAX_PIXELS_IN_MEMORY:
            break
        size = min(size - 1, round(size * math.sqrt(MAX_PIXELS_IN_MEMORY / pixels)))
    return max(size, 1)


def evenly(total: int, count: int) -> list[int]:
    """So many numbers below `total`, at equal distances, rising."""
    return [int((number + 0.5) * total / count) for number in range(count)]


def spread_views(views: Sequence[Posed], count: int) -> list[Posed]:
    """At most `count` views from directions that differ as much as possible, in their order."""
    if len(views) <= count:
        return list(views)
    positions = np.stack([view.camera_to_world[:3, 3] for view in views])
    center = positions.mean(0)
    directions = positions - center
    directions /= np.linalg.norm(directions, axis=1, keepdims=True).clip(1e-9)
    chosen = [0]
    alike = directions @ directions[0]
    while len(chosen) < count:
        chosen.append(int(np.argmin(alike)))
        alike = np.maximum(alike, directions @ directions[chosen[-1]])
    return [views[number] for number in sorted(chosen)]
