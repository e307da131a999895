# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light along rays: how much of it ends at each sample, and sums over the samples of a ray.

Samples are packed ray after ray, near to far. Every sum runs along its ray in order,
so two runs give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .core.dispatch import run_triton, uses_triton
from .core.precision import widened
from .core.segments import positions

if TYPE_CHECKING:
    from torch import Tensor


def ray_weights(thickness: Tensor, ray: Tensor, rays: int) -> Tensor:
    """The share of a ray's light that ends at each of its samples.

    With t the optical thickness of the samples: w_k = (1 - exp(-t_k)) exp(-sum_{j<k} t_j).
    The kernel stops where the remaining light is below half the float32 spacing at 1, and gives
    zero beyond.

    Args:
        thickness: [samples], not negative.
        ray: [samples] int64, ascending.
        rays: the number of rays.

    Returns:
        [samples].
    """
    if uses_triton(thickness):
        from .gpu.compositing import FusedRayWeights

        fused: Tensor = run_triton(FusedRayWeights.apply, thickness, ray_offsets(ray, rays))
        return fused
    wide = widened(thickness)
    weights = (1 - torch.exp(-wide)) * torch.exp(-_before(wide, ray, rays))
    return weights.to(thickness.dtype)


def ray_sums(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    """Sums over the samples of each ray.

    Args:
        values: [samples, channels].
        ray: [samples] int64, ascending.
        rays: the number of rays.

    Returns:
        [rays, channels]; zeros for a ray without samples.
    """
    offsets = ray_offsets(ray, rays)
    if uses_triton(values):
        from .gpu.compositing import FusedRaySums

        fused: Tensor = run_triton(FusedRaySums.apply, values, ray, offsets)
        return fused
    sums = torch.segment_reduce(widened(values), "sum", offsets=offsets, initial=0)
    return sums.to(values.dtype)


def ray_offsets(ray: Tensor, rays: int) -> Tensor:
    """Samples before each ray, [rays + 1] int64."""
    return torch.searchsorted(ray, torch.arange(rays + 1, device=ray.device))


def _before(thickness: Tensor, ray: Tensor, rays: int) -> Tensor:
    """The optical thickness in front of each sample of its ray, [samples]."""
    offsets = ray_offsets(ray, rays)
    sample = positions(ray, offsets)
    width = int(offsets.diff().max()) if rays else 0
    slot = ray * width + sample
    padded = thickness.new_zeros(rays * width).index_copy(0, slot, thickness)
    return padded.view(rays, width).cumsum(1).flatten().index_select(0, slot) - thickness
