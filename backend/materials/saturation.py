# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels that the views show only at their end: what they are is taken from like surfaces.

A picture ends at 1. Base color solved from a saturated channel is a lower bound, and under warm
light red ends first, which leaves a green tint. Surfaces elsewhere that are like it in the channels
that are known, and no darker in the others, say what these are; else the surface around.
"""

from __future__ import annotations

from itertools import product
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

SURE_SHARE = 0.95
"""The same where other vertices are completed from it."""

LEAST_EVIDENCE = 0.3
MOST_SOURCES = 1500
ROWS_PER_CHUNK = 2048

# Chosen on the mug of the quality benchmark, whose mean error of red falls from .106 to .033 where
# red alone is saturated and from .217 to .064 where all are; on its airplane from .119 to .066 and
# from .269 to .062.
LIKE_HUE = 0.1
"""Difference of the logarithm of the ratio of two channels at which surfaces are less alike; also
by how much a surface may be darker than a lower bound."""

LIKE_BRIGHTNESS = 0.25
"""The same of the brightest known channel: red and white can have one ratio of green to blue."""

UNLIKE = 3.0
"""Difference, in both units above, beyond which no surface is like another."""

DARKEST = 0.02
"""Added to a base color before its logarithm is taken."""

LARGEST_RATIO = 4.0
"""Of brightness between a vertex and the surface around it."""


def complete_saturated(graph: SurfaceGraph, base_color: Floats, seen: Observations) -> Floats:
    """Raise saturated channels to what surfaces show where all channels are known.

    Args:
        graph: of the surface.
        base_color: linear, [vertices, 3].
        seen: what it was solved from.
    """
    share = _clear_share(seen)
    clear = (share >= CLEAR_SHARE) & seen.seen[:, None]
    if clear[seen.seen].all() or not clear.all(axis=1).any():
        return base_color
    sure = (share >= SURE_SHARE).all(axis=1) & (seen.evidence > LEAST_EVIDENCE)
    sources = base_color[sure]
    sources = sources[:: max(1, len(sources) // MOST_SOURCES)]
    completed = base_color.copy()
    known = clear.sum(axis=1) == 3
    for channels in product((False, True), repeat=3):
        lacking = np.flatnonzero((clear == channels).all(axis=1) & seen.seen)
        if all(channels) or len(sources) == 0:
            continue
        for rows in np.split(lacking, range(ROWS_PER_CHUNK, len(lacking), ROWS_PER_CHUNK)):
            found, alike = _like_colors(base_color[rows], sources, np.array(channels))
            completed[rows[alike]] = np.maximum(base_color[rows], found)[alike]
            known[rows[alike]] = True
    return _from_around(graph, completed, clear, known)


def _like_colors(
    colors: Floats, sources: Floats, clear: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Colors completed from known ones that are alike in clear channels and no darker in others.

    Args:
        colors: of which channels that are not clear are lower bounds, linear, [n, 3].
        sources: known colors, [m, 3].
        clear: which channels are, [3].

    Returns:
        The completed colors [n, 3], and which of them are like any source, [n].
    """
    of_colors, of_sources = (np.log(each + DARKEST) for each in (colors, sources))
    higher = of_colors[:, None] - of_sources
    darker = (higher.clip(0.0)[..., ~clear] / LIKE_HUE) ** 2
    distance = darker.sum(axis=-1)
    brightness = np.zeros(distance.shape)
    if clear.any():
        # The brightest channel is the one with the least relative error.
        brightest = np.where(clear, of_colors, -np.inf).argmax(axis=1)
        brightness = np.take_along_axis(higher, brightest[:, None, None], axis=2)[..., 0]
        hue = (higher[..., clear] - brightness[..., None]) / LIKE_HUE
        distance += (hue**2).sum(axis=-1) + (brightness / LIKE_BRIGHTNESS) ** 2
    nearest = distance.min(axis=1)
    weight = np.exp(0.5 * (nearest[:, None] - distance))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ of_sources + (weight * brightness).sum(axis=1)[:, None]
    found: Floats = np.where(clear, colors, np.exp(mean) - DARKEST)
    return found.clip(0.0, 1.0), nearest < UNLIKE**2


def _from_around(
    graph: SurfaceGraph,
    base_color: Floats,
    clear: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> Floats:
    """Raise channels that are not clear [vertices, 3] to the hue of the nearest known surface.

    Args:
        graph: of the surface.
        base_color: linear, [vertices, 3].
        clear: channels that are not lower bounds, [vertices, 3].
        known: vertices whose color is, [vertices].
    """
    if known.all():
        return base_color
    around = graph.filled(base_color, known)
    ratio = np.where(clear, base_color / np.maximum(around, 1e-3), 0.0).sum(axis=1)
    counted = clear.sum(axis=1)
    scale = np.where(counted > 0, ratio / np.maximum(counted, 1), 1.0)
    expected = scale.clip(1.0 / LARGEST_RATIO, LARGEST_RATIO)[:, None] * around
    raised = np.where(clear, base_color, np.maximum(base_color, expected))
    completed: Floats = np.where(known[:, None], base_color, raised)
    return completed.clip(0.0, 1.0)


def _clear_share(seen: Observations) -> Floats:
    """The share of the evidence in which a channel is below the end, [vertices, 3]."""
    end = float(srgb_to_linear(np.array(SATURATED)))
    below = (seen.weight[..., None] * (seen.radiance < end)).sum(axis=1)
    share: Floats = below / np.maximum(seen.weight.sum(axis=1, keepdims=True), 1e-12)
    return share
