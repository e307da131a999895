# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light along rays: how much of it ends at each sample, and sums over the samples of a ray.

Samples are packed ray after ray, near to far. Every sum runs along its ray in order,
so two runs give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .core.dispatch import run_triton, uses_triton
from .core.precision import widened

if TYPE_CHECKING:
    from torch import Tensor


def ray_weights(thickness: Tensor, ray: Tensor, offsets: Tensor) -> Tensor:
    """The share of a ray's light that ends at each of its samples.

    With t the optical thickness of the samples: w_k = (1 - exp(-t_k)) exp(-sum_{j<k} t_j).
    The kernel stops where the remaining light is below half the float32 spacing at 1, and gives
    zero beyond.

    Args:
        thickness: [samples], not negative.
        ray: [samples] int64, ascending.
        offsets: samples before each ray, [rays + 1] int64; see `ray_offsets`.

    Returns:
        [samples].
    """
    if uses_triton(thickness):
        from .gpu.compositing import FusedRayWeights

        fused: Tensor = run_triton(FusedRayWeights.apply, thickness, offsets)
        return fused
    weights: Tensor = _RayWeights.apply(thickness, ray, offsets)  # type: ignore[no-untyped-call]
    return weights


def ray_sums(values: Tensor, ray: Tensor, offsets: Tensor) -> Tensor:
    """Sums over the samples of each ray.

    Args:
        values: [samples, channels].
        ray: [samples] int64, ascending.
        offsets: samples before each ray, [rays + 1] int64; see `ray_offsets`.

    Returns:
        [rays, channels]; zeros for a ray without samples.
    """
    if uses_triton(values):
        from .gpu.compositing import FusedRaySums

        fused: Tensor = run_triton(FusedRaySums.apply, values, ray, offsets)
        return fused
    sums: Tensor = _RaySums.apply(values, ray, offsets)  # type: ignore[no-untyped-call]
    return sums


def ray_offsets(ray: Tensor, rays: int) -> Tensor:
    """Samples before each ray, [rays + 1] int64."""
    return torch.searchsorted(ray, torch.arange(rays + 1, device=ray.device))


class _RayWeights(torch.autograd.Function):
    """`ray_weights` in PyTorch; running sums over all rays are kept in float64."""

    @staticmethod
    def forward(ctx: Any, thickness: Tensor, ray: Tensor, offsets: Tensor) -> Tensor:
        wide = widened(thickness)
        total = wide.cumsum(0, dtype=torch.float64)
        before = total - wide - _at(total, offsets[:-1]).index_select(0, ray)
        light, passed = torch.exp(-before.to(wide.dtype)), torch.exp(-wide)
        weights = (1 - passed) * light
        ctx.save_for_backward(ray, offsets, weights, passed * light)
        return weights.to(thickness.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        ray, offsets, weights, left = ctx.saved_tensors
        (gradient,) = gradients
        wide = gradient.to(weights.dtype)
        total = (wide * weights).cumsum(0, dtype=torch.float64)
        behind = _at(total, offsets[1:]).index_select(0, ray) - total
        return (wide * left - behind.to(wide.dtype)).to(gradient.dtype), None, None


class _RaySums(torch.autograd.Function):
    """`ray_sums` in PyTorch; in the backward every sample gets its ray's gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ray: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(ray)
        sums = torch.segment_reduce(widened(values), "sum", offsets=offsets, initial=0)
        return sums.to(values.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (ray,), (gradient,) = ctx.saved_tensors, gradients
        return gradient.index_select(0, ray), None, None


def _at(total: Tensor, offsets: Tensor) -> Tensor:
    """Running sums [samples] before each of some samples, [offsets]."""
    return F.pad(total, (1, 0)).index_select(0, offsets)
