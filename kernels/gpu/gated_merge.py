# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both levels of gates of a sparse layer in one Triton pass: five branches, seven gates, one sum.

With s the gate of a branch, G that of its direction: y = sum of G * (sum of s * b). The two inner
sums are never stored; the backward computes them again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 512


class Gates(NamedTuple):
    """Pointers to logits, [tokens, gates * width].

    Attributes:
        merge: two gates, of the directions.
        cross: two gates, of the branches of the other stream.
        own: three gates, of the branches of the own stream.
    """

    merge: Any
    cross: Any
    own: Any


class Branches(NamedTuple):
    """Pointers to the outputs of the branches, [tokens, width]."""

    cross_compressed: Any
    cross_selected: Any
    own_compressed: Any
    own_selected: Any
    own_window: Any


@triton.jit
def load(ptr, offset, inside):
    """Numbers as float32."""
    return tl.load(ptr + offset, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def store(ptr, offset, value, inside):
    """The inverse of `load`."""
    tl.store(ptr + offset, value.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def gate_offset(element, width, gate, GATES: tl.constexpr):
    """The offsets of the logits of one of several gates."""
    return element + element // width * (width * (GATES - 1)) + gate * width


@triton.jit
def inner_sum(logits_ptr, branches, element, width, inside, COUNT: tl.constexpr):
    """The gated sum of one direction."""
    total = tl.zeros(element.shape, tl.float32)
    for branch in tl.static_range(COUNT):
        logit = load(logits_ptr, gate_offset(element, width, branch, COUNT), inside)
        total += tl.sigmoid(logit) * load(branches[branch], element, inside)
    return total


@triton.jit
def inner_gradient(logits_ptr, branches, logits_grad_ptr, grads, grad, span, COUNT: tl.constexpr):
    """The gradients of one direction, whose sum has the gradient `grad`."""
    element, width, inside = span
    for branch in tl.static_range(COUNT):
        logit_offset = gate_offset(element, width, branch, COUNT)
        opened = tl.sigmoid(load(logits_ptr, logit_offset, inside))
        value = load(branches[branch], element, inside)
        store(grads[branch], element, grad * opened, inside)
        store(logits_grad_ptr, logit_offset, grad * value * opened * (1.0 - opened), inside)


@triton.jit
def merge_kernel(
    gates,
    branches,
    out_ptr,  # [tokens, width]
    total,
    width,
    BLOCK: tl.constexpr,
):
    """Weigh and sum in float32."""
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = element < total
    cross = inner_sum(gates.cross, (branches[0], branches[1]), element, width, inside, 2)
    three = (branches[2], branches[3], branches[4])
    own = inner_sum(gates.own, three, element, width, inside, 3)
    result = tl.sigmoid(load(gates.merge, gate_offset(element, width, 0, 2), inside)) * cross
    result += tl.sigmoid(load(gates.merge, gate_offset(element, width, 1, 2), inside)) * own
    store(out_ptr, element, result, inside)


@triton.jit
def gradient_kernel(
    gates,
    branches,
    grad_ptr,  # [tokens, width]
    gate_grads,  # like gates
    branch_grads,  # like branches
    total,
    width,
    BLOCK: tl.constexpr,
):
    """All twelve gradients."""
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = element < total
    span = (element, width, inside)
    grad = load(grad_ptr, element, inside)
    pair, pair_grads = (branches[0], branches[1]), (branch_grads[0], branch_grads[1])
    three = (branches[2], branches[3], branches[4])
    three_grads = (branch_grads[2], branch_grads[3], branch_grads[4])
    cross = inner_sum(gates.cross, pair, element, width, inside, 2)
    own = inner_sum(gates.own, three, element, width, inside, 3)
    first, second = gate_offset(element, width, 0, 2), gate_offset(element, width, 1, 2)
    of_cross = tl.sigmoid(load(gates.merge, first, inside))
    of_own = tl.sigmoid(load(gates.merge, second, inside))
    store(gate_grads.merge, first, grad * cross * of_cross * (1.0 - of_cross), inside)
    store(gate_grads.merge, second, grad * own * of_own * (1.0 - of_own), inside)
    inner_gradient(gates.cross, pair, gate_grads.cross, pair_grads, grad * of_cross, span, 2)
    inner_gradient(gates.own, three, gate_grads.own, three_grads, grad * of_own, span, 3)


class FusedGatedMerge(torch.autograd.Function):
    """`gating.gated_merge` of three logits and five branches."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        given = [tensor.contiguous() for tensor in tensors]
        ctx.save_for_backward(*given)
        out = torch.empty_like(given[3])
        _launch(merge_kernel, Gates(*given[:3]), Branches(*given[3:]), out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        given = ctx.saved_tensors
        grads = [torch.empty_like(tensor) for tensor in given]
        gates, branches = Gates(*given[:3]), Branches(*given[3:])
        found = grad.contiguous(), Gates(*grads[:3]), Branches(*grads[3:])
        _launch(gradient_kernel, gates, branches, *found)
        return tuple(grads)


def _launch(kernel: Any, gates: Gates, branches: Branches, *others: Any) -> None:
    total, width = branches[0].numel(), branches[0].shape[-1]
    if total:
        kernel[(triton.cdiv(total, BLOCK),)](gates, branches, *others, total, width, BLOCK=BLOCK)
