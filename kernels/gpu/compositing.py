# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light along rays in Triton: one ray per program, from the camera until no light is left."""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

SAMPLES = 64  # of a ray in one step
DARK = 24 * math.log(2)  # optical thickness beyond which 1 - light is 1 in float32
CHANNELS = 32  # of a program that sums
WARPS = 1


@triton.jit
def load_part(ptr, sample, last):
    """Some samples of a ray in float32; zeros after its end."""
    return tl.load(ptr + sample, mask=sample < last, other=0.0).to(tl.float32)


@triton.jit
def weights_kernel(
    thickness_ptr,  # [samples]
    offsets_ptr,  # [rays + 1] int64
    weights_ptr,  # [samples], zeros
    dark,
    SAMPLES: tl.constexpr,
):
    """(1 - exp(-t)) times the remaining light; zero beyond a thickness of `dark`."""
    ray = tl.program_id(0)
    first, last = tl.load(offsets_ptr + ray), tl.load(offsets_ptr + ray + 1)
    passed = tl.full([], 0.0, tl.float32)
    while (first < last) & (passed < dark):
        sample = first + tl.arange(0, SAMPLES)
        thickness = load_part(thickness_ptr, sample, last)
        before = passed + tl.cumsum(thickness, 0) - thickness
        weight = (1.0 - tl.exp(-thickness)) * tl.exp(-before)
        kind = weights_ptr.dtype.element_ty
        tl.store(weights_ptr + sample, weight.to(kind), mask=sample < last)
        passed += tl.sum(thickness, 0)
        first += SAMPLES


@triton.jit
def gradient_kernel(
    thickness_ptr,  # [samples]
    weights_ptr,  # [samples]
    grad_ptr,  # [samples], of the weights
    offsets_ptr,  # [rays + 1] int64
    thickness_grad_ptr,  # [samples], zeros
    dark,
    SAMPLES: tl.constexpr,
):
    """dt_k = dw_k (light after k) - sum_{j>k} dw_j w_j: sample k hides those after it."""
    ray = tl.program_id(0)
    first, last = tl.load(offsets_ptr + ray), tl.load(offsets_ptr + ray + 1)
    hidden = tl.full([], 0.0, tl.float32)
    for begin in range(first, last, SAMPLES):
        sample = begin + tl.arange(0, SAMPLES)
        weight, grad = load_part(weights_ptr, sample, last), load_part(grad_ptr, sample, last)
        hidden += tl.sum(weight * grad, 0)
    passed = tl.full([], 0.0, tl.float32)
    while (first < last) & (passed < dark):
        sample = first + tl.arange(0, SAMPLES)
        thickness = load_part(thickness_ptr, sample, last)
        weight, grad = load_part(weights_ptr, sample, last), load_part(grad_ptr, sample, last)
        light = tl.exp(-(passed + tl.cumsum(thickness, 0)))
        slope = grad * light - (hidden - tl.cumsum(grad * weight, 0))
        kind = thickness_grad_ptr.dtype.element_ty
        tl.store(thickness_grad_ptr + sample, slope.to(kind), mask=sample < last)
        hidden -= tl.sum(grad * weight, 0)
        passed += tl.sum(thickness, 0)
        first += SAMPLES


@triton.jit
def sums_kernel(
    values_ptr,  # [samples, channels]
    offsets_ptr,  # [rays + 1] int64
    sums_ptr,  # [rays, channels]
    channels,
    SAMPLES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """One ray, some of its channels, summed in float32."""
    ray = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    first, last = tl.load(offsets_ptr + ray), tl.load(offsets_ptr + ray + 1)
    total = tl.zeros([CHANNELS], tl.float32)
    for begin in range(first, last, SAMPLES):
        sample = begin + tl.arange(0, SAMPLES)
        inside = (sample < last)[:, None] & (channel < channels)[None, :]
        offset = sample[:, None] * channels + channel[None, :]
        total += tl.sum(tl.load(values_ptr + offset, mask=inside, other=0.0).to(tl.float32), 0)
    pointer = sums_ptr + ray.to(tl.int64) * channels + channel
    tl.store(pointer, total.to(sums_ptr.dtype.element_ty), mask=channel < channels)


class FusedRayWeights(torch.autograd.Function):
    """`compositing.ray_weights`."""

    @staticmethod
    def forward(ctx: Any, thickness: Tensor, offsets: Tensor) -> Tensor:
        thickness = thickness.contiguous()
        weights = torch.zeros_like(thickness)
        if len(offsets) > 1:
            weights_kernel[(len(offsets) - 1,)](
                thickness, offsets, weights, DARK, SAMPLES=SAMPLES, num_warps=WARPS
            )
        ctx.save_for_backward(thickness, weights, offsets)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        thickness, weights, offsets = ctx.saved_tensors
        result = torch.zeros_like(thickness)
        if len(offsets) > 1:
            gradient_kernel[(len(offsets) - 1,)](
                thickness, weights, grad.contiguous(), offsets, result, DARK,
                SAMPLES=SAMPLES, num_warps=WARPS,
            )  # fmt: skip
        return result, None


class FusedRaySums(torch.autograd.Function):
    """`compositing.ray_sums`; in the backward every sample gets its ray's gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ray: Tensor, offsets: Tensor) -> Tensor:
        values = values.contiguous()
        rays, channels = len(offsets) - 1, values.shape[1]
        sums = values.new_empty((rays, channels))
        if sums.numel():
            sums_kernel[(rays, triton.cdiv(channels, CHANNELS))](
                values, offsets, sums, channels,
                SAMPLES=SAMPLES, CHANNELS=CHANNELS, num_warps=WARPS,
            )  # fmt: skip
        ctx.save_for_backward(ray)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (ray,) = ctx.saved_tensors
        return grad[ray], None, None
