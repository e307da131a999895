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
import torch

from kernels.core.chunk_size import rows_per_chunk

from ..shared.srgb import srgb_to_linear
from .observations import SATURATED

if TYPE_CHECKING:
    from torch import Tensor

    from .observations import Observations
    from .surface_graph import SurfaceGraph

CLEAR_SHARE = 0.5
"""Share of the evidence below the end that makes a channel known."""

SURE_SHARE = 0.95
"""The same where other vertices are completed from it."""

LEAST_EVIDENCE = 0.3
MOST_SOURCES = 1500
ROWS_PER_CHUNK = 2048
"""Vertices that are compared with all sources together on the CPU."""

BYTES_PER_PAIR = 40
"""Of a vertex and a source: differences of three channels, distance, brightness, weight."""

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


def complete_saturated(graph: SurfaceGraph, base_color: Tensor, seen: Observations) -> Tensor:
    """Raise saturated channels to what surfaces show where all channels are known.

    Args:
        graph: of the surface.
        base_color: linear, [vertices, 3].
        seen: what it was solved from.
    """
    share = _clear_share(seen)
    clear = (share >= CLEAR_SHARE) & seen.seen[:, None]
    if clear[seen.seen].all() or not clear.all(dim=1).any():
        return base_color
    sure = (share >= SURE_SHARE).all(dim=1) & (seen.evidence > LEAST_EVIDENCE)
    sources = base_color[sure]
    sources = sources[:: max(1, len(sources) // MOST_SOURCES)]
    if len(sources) == 0:
        return _from_around(graph, base_color, clear, clear.all(dim=1))
    completed, known = base_color.clone(), clear.all(dim=1)
    per_chunk = rows_per_chunk(clear.device, BYTES_PER_PAIR * len(sources), ROWS_PER_CHUNK)
    for channels in product((False, True), repeat=3):
        if all(channels):
            continue
        lacking = seen.seen
        for channel, is_clear in enumerate(channels):
            lacking = lacking & (clear[:, channel] == is_clear)
        for rows in lacking.nonzero()[:, 0].split(per_chunk):
            found, alike = _like_colors(base_color[rows], sources, channels)
            raised = torch.maximum(base_color[rows], found)
            completed[rows] = torch.where(alike[:, None], raised, base_color[rows])
            known[rows] = alike
    return _from_around(graph, completed, clear, known)


def _like_colors(colors: Tensor, sources: Tensor, clear: tuple[bool, ...]) -> tuple[Tensor, Tensor]:
    """Colors completed from known ones that are alike in clear channels and no darker in others.

    Args:
        colors: of which channels that are not clear are lower bounds, linear, [n, 3].
        sources: known colors, [m, 3].
        clear: which channels are, [3].

    Returns:
        The completed colors [n, 3], and which of them are like any source, [n].
    """
    of_colors, of_sources = (torch.log(each + DARKEST) for each in (colors, sources))
    higher = [of_colors[:, channel, None] - of_sources[:, channel] for channel in range(3)]
    known = [channel for channel in range(3) if clear[channel]]
    distance, brightness = torch.zeros_like(higher[0]), torch.zeros_like(higher[0])
    if known:
        # The brightest channel is the one with the least relative error.
        logarithms = torch.stack([of_colors[:, channel] for channel in known])
        brightest = logarithms.argmax(dim=0)[:, None]
        for number, channel in enumerate(known):
            brightness = torch.where(brightest == number, higher[channel], brightness)
        distance += (brightness / LIKE_BRIGHTNESS).square()
    for channel in range(3):
        is_known = channel in known
        off = higher[channel] - brightness if is_known else higher[channel].clamp_min(0.0)
        distance += (off / LIKE_HUE).square()
    nearest = distance.amin(dim=1)
    weight = torch.softmax(-0.5 * distance, dim=1)
    mean = weight @ of_sources + (weight * brightness).sum(dim=1, keepdim=True)
    found = torch.exp(mean) - DARKEST
    for channel in known:
        found[:, channel] = colors[:, channel]
    return found.clamp(0.0, 1.0), nearest < UNLIKE**2


def _from_around(graph: SurfaceGraph, base_color: Tensor, clear: Tensor, known: Tensor) -> Tensor:
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
    ratio = torch.where(clear, base_color / around.clamp_min(1e-3), 0.0).sum(dim=1)
    counted = clear.sum(dim=1)
    scale = torch.where(counted > 0, ratio / counted.clamp_min(1), 1.0)
    expected = scale.clamp(1.0 / LARGEST_RATIO, LARGEST_RATIO)[:, None] * around
    raised = torch.where(clear, base_color, torch.maximum(base_color, expected))
    return torch.where(known[:, None], base_color, raised).clamp(0.0, 1.0)


def _clear_share(seen: Observations) -> Tensor:
    """The share of the evidence in which a channel is below the end, [vertices, 3]."""
    end = float(srgb_to_linear(np.array(SATURATED)))
    below = (seen.weight[..., None] * (seen.radiance < end)).sum(dim=1)
    return below / seen.weight.sum(dim=1, keepdim=True).clamp_min(1e-12)
