# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gated sum of two or three branches in Triton; the backward computes the gates again."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1024


@triton.jit
def elements(total, width, BRANCHES: tl.constexpr, BLOCK: tl.constexpr):
    """Offsets of this program's elements in [tokens, width] and in [tokens, BRANCHES, width]."""
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return element, element + element // width * (width * (BRANCHES - 1)), element < total


@triton.jit
def sum_kernel(
    logits_ptr,  # [tokens, BRANCHES * width]
    first_ptr,  # [tokens, width] each
    second_ptr,
    third_ptr,  # not read where there are two
    out_ptr,  # [tokens, width]
    total,
    width,
    BRANCHES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Weigh and sum in float32."""
    element, gate, inside = elements(total, width, BRANCHES, BLOCK)
    result = tl.zeros([BLOCK], tl.float32)
    for branch in tl.static_range(BRANCHES):
        pointer = (first_ptr, second_ptr, third_ptr)[branch]
        logit = tl.load(logits_ptr + gate + branch * width, mask=inside, other=0.0)
        value = tl.load(pointer + element, mask=inside, other=0.0)
        result += tl.sigmoid(logit.to(tl.float32)) * value.to(tl.float32)
    tl.store(out_ptr + element, result.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def gradient_kernel(
    logits_ptr,  # [tokens, BRANCHES * width]
    first_ptr,  # [tokens, width] each
    second_ptr,
    third_ptr,
    grad_ptr,  # [tokens, width]
    logits_grad_ptr,  # like logits
    first_grad_ptr,  # like the branches
    second_grad_ptr,
    third_grad_ptr,
    total,
    width,
    BRANCHES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """With g the gate: db = g dy, dl = g (1 - g) b dy."""
    element, gate, inside = elements(total, width, BRANCHES, BLOCK)
    grad = tl.load(grad_ptr + element, mask=inside, other=0.0).to(tl.float32)
    for branch in tl.static_range(BRANCHES):
        pointer = (first_ptr, second_ptr, third_ptr)[branch]
        grad_pointer = (first_grad_ptr, second_grad_ptr, third_grad_ptr)[branch]
        logit = tl.load(logits_ptr + gate + branch * width, mask=inside, other=0.0)
        value = tl.load(pointer + element, mask=inside, other=0.0).to(tl.float32)
        opened = tl.sigmoid(logit.to(tl.float32))
        through = (grad * opened).to(grad_pointer.dtype.element_ty)
        tl.store(grad_pointer + element, through, mask=inside)
        steep = (grad * value * opened * (1.0 - opened)).to(logits_grad_ptr.dtype.element_ty)
        tl.store(logits_grad_ptr + gate + branch * width, steep, mask=inside)


class FusedGatedSum(torch.autograd.Function):
    """`gating.gated_sum`."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, *branches: Tensor) -> Tensor:
        logits = logits.contiguous()
        branches = tuple(branch.contiguous() for branch in branches)
        ctx.save_for_backward(logits, *branches)
        out = torch.empty_like(branches[0])
        _launch(sum_kernel, (logits, *_three(branches), out), branches)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        logits, *branches = ctx.saved_tensors
        grads = torch.empty_like(logits), *(torch.empty_like(branch) for branch in branches)
        given = logits, *_three(tuple(branches)), grad.contiguous()
        _launch(gradient_kernel, (*given, grads[0], *_three(grads[1:])), tuple(branches))
        return grads


def _launch(kernel: Any, tensors: tuple[Tensor, ...], branches: tuple[Tensor, ...]) -> None:
    total, width = branches[0].numel(), branches[0].shape[-1]
    if total:
        programs = triton.cdiv(total, BLOCK)
        kernel[(programs,)](*tensors, total, width, BRANCHES=len(branches), BLOCK=BLOCK)


def _three(branches: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Kernels take three pointers; with two branches the last is not read."""
    if len(branches) not in (2, 3):
        raise ValueError(f"{len(branches)} branches; a gated sum has two or three")
    return (*branches, branches[-1])[:3]
