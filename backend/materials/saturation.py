# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels that the views show only at their end: what they are is taken from the surface around.

A picture ends at 1. Base color solved from a saturated channel is a lower bound, and under warm
light red ends first, which leaves a green tint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..shared.srgb import srgb_to_linear
from .observations import SATURATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .observations import Observations
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

CLEAR_SHARE = 0.5
"""Share of the evidence below the end that makes a channel known."""

LARGEST_RATIO = 4.0
"""Of brightness between a vertex and the surface around it."""


def complete_saturated(graph: SurfaceGraph, base_color: Floats, seen: Observations) -> Floats:
    """Raise saturated channels to the hue of the nearest surface where all channels are known.

    Args:
        graph: of the surface.
        base_color: linear, [vertices, 3].
        seen: what it was solved from.
    """
    clear = _clear_channels(seen)
    known = clear.all(axis=1) & seen.seen
    if known.all() or not known.any():
        return base_color
    around = graph.filled(base_color, known)
    ratio = np.where(clear, base_color / np.maximum(around, 1e-3), 0.0).sum(axis=1)
    counted = clear.sum(axis=1)
    scale = np.where(counted > 0, ratio / np.maximum(counted, 1), 1.0)
    expected = scale.clip(1.0 / LARGEST_RATIO, LARGEST_RATIO)[:, None] * around
    completed: Floats = np.where(clear, base_color, np.maximum(base_color, expected))
    return completed.clip(0.0, 1.0)


def _clear_channels(seen: Observations) -> NDArray[np.bool_]:
    """Which channels are known from views where they are not saturated, [vertices, 3]."""
    end = float(srgb_to_linear(np.array(SATURATED)))
    below = (seen.weight[..., None] * (seen.radiance < end)).sum(axis=1)
    clear: NDArray[np.bool_] = below >= CLEAR_SHARE * seen.weight.sum(axis=1, keepdims=True)
    return clear
