# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is varied from step to step: brightness, the part of a target that is rendered, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ...shared.srgb import linear_to_srgb, srgb_to_linear

if TYPE_CHECKING:
    from ..datasets.sample import Sample

COMMON_BRIGHTNESS = 0.08
"""Mean linear light of the object to which dark samples are brightened."""

LARGEST_GAIN = 10.0
EXPOSURE_RANGE = 0.3
"""Stops by which the light of a sample is varied, up and down."""

IMPORTANCE_OF_NOTHING = 1e-3
"""Of a pixel without the object, where one with it counts 1, for the place of a crop."""

BOXES = 2
LARGEST_BOX = 3
"""Half the side of the boxes of needless volume tokens, in tokens."""


def vary_exposure(sample: Sample, generator: torch.Generator) -> Tensor:
    """The images [views, 3, height, width] of a sample in another light, sRGB in 0..1.

    All views are multiplied by the same factor, in linear light.
    """
    linear = torch.from_numpy(srgb_to_linear(sample.images.numpy()))
    weight = sample.masks[:, None]
    mean = (linear * weight).sum() / (3 * weight.sum()).clamp(min=1)
    gain = (COMMON_BRIGHTNESS / mean.clamp(min=1e-6)).clamp(1.0, LARGEST_GAIN)
    stops = EXPOSURE_RANGE * (2 * torch.rand((), generator=generator) - 1)
    light = (linear * gain * 2**stops).clamp(0, 1)
    return torch.from_numpy(linear_to_srgb(light.numpy())).to(sample.images)


def choose_corner(mask: Tensor, crop: int, generator: torch.Generator) -> tuple[int, int]:
    """Row and column at which a square part of a view begins, likely where the object is.

    Args:
        mask: [height, width] coverage.
        crop: side of the part.
        generator: of what is random.
    """
    height, width = mask.shape
    importance = (mask + IMPORTANCE_OF_NOTHING).flatten()
    center = int(torch.multinomial(importance, 1, generator=generator))
    row, column = center // width - crop // 2, center % width - crop // 2
    return min(max(row, 0), height - crop), min(max(column, 0), width - crop)


def add_boxes(near: Tensor, generator: torch.Generator) -> Tensor:
    """Volume tokens and two boxes of needless ones, so that the network learns to leave some empty.

    Args:
        near: [instances, n, n, n] bool, the tokens near the surface.
        generator: of what is random.
    """
    kept = near.clone()
    for grid, own in zip(near, kept, strict=True):
        empty = torch.nonzero(~grid)
        if len(empty) == 0:
            continue
        half = torch.randint(1, LARGEST_BOX + 1, (3,), generator=generator).tolist()
        seeds = torch.randint(len(empty), (BOXES,), generator=generator)
        for seed in empty[seeds.to(empty.device)].tolist():
            box = [slice(max(0, s - h), s + h + 1) for s, h in zip(seed, half, strict=True)]
            own[tuple(box)] = True
    return kept


def limit_tokens(kept: Tensor, alpha: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """No more than so many volume tokens, the opaque ones more likely; the first one always stays.

    Weighted sampling without replacement by random keys (Efraimidis and Spirakis 2006).

    Args:
        kept: [instances, n, n, n] bool.
        alpha: [instances, N, N, N] opacity samples, N a multiple of n.
        most: tokens of all instances.
        generator: of what is random.
    """
    index = torch.nonzero(kept)
    if len(index) <= most:
        return kept
    size = alpha.shape[-1] // kept.shape[-1]
    weight = size**3 * F.avg_pool3d(alpha[:, None], size)[:, 0][kept]
    random = torch.rand(len(index), generator=generator).to(weight)
    key = random ** (1 / weight.clamp(min=0.01))
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = index[1:, 0] != index[:-1, 0]
    chosen = key.masked_fill(first, 2.0).topk(most).indices
    limited = torch.zeros_like(kept)
    limited[tuple(index[chosen].T)] = True
    return limited
