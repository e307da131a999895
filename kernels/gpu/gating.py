# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gated sums in one Triton pass, of branches or of two sums of branches.

With s the gate of a branch and G that of a sum: y = sum of G * (sum of s * b). The inner sums are
never stored; the backward computes gates and sums again. A program has whole rows, whose width it
is compiled for: a thread reads 16 bytes at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK_ELEMENTS = 1024  # of the short rows of one program


class Gates(NamedTuple):
    """Pointers to logits.

    Attributes:
        first: [tokens, FIRST * WIDTH], of the branches of the first sum.
        second: [tokens, SECOND * WIDTH], of those of the second; not read if there is none.
        outer: [tokens, 2 * WIDTH], of the two sums; not read if there is one.
    """

    first: Any
    second: Any
    outer: Any


class Branches(NamedTuple):
    """Pointers to branches [tokens, WIDTH]: FIRST, then SECOND of them; others are not read."""

    b0: Any
    b1: Any
    b2: Any
    b3: Any
    b4: Any


@triton.jit
def rows_of_program(rows, WIDTH: tl.constexpr, PADDED: tl.constexpr, ROWS: tl.constexpr):
    """Row [ROWS, 1], column [1, PADDED] and validity of this program's elements."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, PADDED)
    return row[:, None], column[None, :], (row < rows)[:, None] & (column < WIDTH)[None, :]


@triton.jit
def load(ptr, place, part, PARTS: tl.constexpr, WIDTH: tl.constexpr):
    """One of PARTS parts of the rows, as float32."""
    row, column, inside = place
    offset = row * (PARTS * WIDTH) + (part * WIDTH + column)
    return tl.load(ptr + offset, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def store(ptr, value, place, part, PARTS: tl.constexpr, WIDTH: tl.constexpr):
    """The inverse of `load`."""
    row, column, inside = place
    offset = row * (PARTS * WIDTH) + (part * WIDTH + column)
    tl.store(ptr + offset, value.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def weighed(
    gates_ptr, branches, place, BEGIN: tl.constexpr, COUNT: tl.constexpr, WIDTH: tl.constexpr
):
    """The gated sum of COUNT branches from BEGIN on."""
    opened = tl.sigmoid(load(gates_ptr, place, 0, COUNT, WIDTH))
    total = opened * load(branches[BEGIN], place, 0, 1, WIDTH)
    for branch in tl.static_range(1, COUNT):
        opened = tl.sigmoid(load(gates_ptr, place, branch, COUNT, WIDTH))
        total += opened * load(branches[BEGIN + branch], place, 0, 1, WIDTH)
    return total


@triton.jit
def weighed_gradient(
    gates, branches, grad, place, BEGIN: tl.constexpr, COUNT: tl.constexpr, WIDTH: tl.constexpr
):
    """With g a gate: db = g dy, dl = g (1 - g) b dy.

    `gates` and `branches` are pairs of what is given and of its gradients.
    """
    for branch in tl.static_range(COUNT):
        opened = tl.sigmoid(load(gates[0], place, branch, COUNT, WIDTH))
        value = load(branches[0][BEGIN + branch], place, 0, 1, WIDTH)
        store(branches[1][BEGIN + branch], grad * opened, place, 0, 1, WIDTH)
        steep = grad * value * opened * (1.0 - opened)
        store(gates[1], steep, place, branch, COUNT, WIDTH)


@triton.jit
def gated_sum_kernel(
    gates,
    branches,
    out_ptr,  # [tokens, WIDTH]
    rows,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
):
    """Weigh and sum in float32."""
    place = rows_of_program(rows, WIDTH, PADDED, ROWS)
    total = weighed(gates.first, branches, place, 0, FIRST, WIDTH)
    if SECOND > 0:
        other = weighed(gates.second, branches, place, FIRST, SECOND, WIDTH)
        total = tl.sigmoid(load(gates.outer, place, 0, 2, WIDTH)) * total
        total += tl.sigmoid(load(gates.outer, place, 1, 2, WIDTH)) * other
    store(out_ptr, total, place, 0, 1, WIDTH)


@triton.jit
def gated_gradient_kernel(
    gates,
    branches,
    grad_ptr,  # [tokens, WIDTH]
    gates_grads,  # like gates
    branches_grads,  # like branches
    rows,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
):
    """The gradients of all gates and branches."""
    place = rows_of_program(rows, WIDTH, PADDED, ROWS)
    grad = load(grad_ptr, place, 0, 1, WIDTH)
    both = (branches, branches_grads)
    if SECOND > 0:
        opened = tl.sigmoid(load(gates.outer, place, 1, 2, WIDTH))
        value = weighed(gates.second, branches, place, FIRST, SECOND, WIDTH)
        steep = grad * value * opened * (1.0 - opened)
        store(gates_grads.outer, steep, place, 1, 2, WIDTH)
        pair = (gates.second, gates_grads.second)
        weighed_gradient(pair, both, grad * opened, place, FIRST, SECOND, WIDTH)
        opened = tl.sigmoid(load(gates.outer, place, 0, 2, WIDTH))
        value = weighed(gates.first, branches, place, 0, FIRST, WIDTH)
        steep = grad * value * opened * (1.0 - opened)
        store(gates_grads.outer, steep, place, 0, 2, WIDTH)
        grad = grad * opened
    weighed_gradient((gates.first, gates_grads.first), both, grad, place, 0, FIRST, WIDTH)


class FusedGatedSum(torch.autograd.Function):
    """`gating.gated_sum` of logits and branches; `gating.gated_merge`.

    The latter takes the logits of the first sum, of the second, of the two, then the branches. The
    last argument is how many branches each sum has.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        *tensors, counts = arguments
        given = [tensor.contiguous() for tensor in tensors]
        ctx.save_for_backward(*given)
        ctx.counts = counts
        out = torch.empty_like(given[-1])
        _launch(gated_sum_kernel, counts, _pointers(given, counts), out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        given, counts = ctx.saved_tensors, ctx.counts
        grads = [torch.empty_like(tensor) for tensor in given]
        grad = grad.contiguous()
        found = _pointers(grads, counts)
        _launch(gated_gradient_kernel, counts, _pointers(given, counts), grad, *found)
        return *grads, None


def sizes(width: int) -> dict[str, int]:
    """What a kernel is compiled for: the width of rows, and how many a program has."""
    padded = triton.next_power_of_2(width)
    return {"WIDTH": width, "PADDED": padded, "ROWS": max(1, _BLOCK_ELEMENTS // padded)}


def _pointers(tensors: Sequence[Tensor], counts: tuple[int, int]) -> tuple[Gates, Branches]:
    """The tensors by what the kernels call them; where there is none, one that is not read."""
    branches = tensors[-sum(counts) :]
    logits = tensors[: -sum(counts)]
    padded = [*branches, *[branches[-1]] * (len(Branches._fields) - len(branches))]
    return Gates(*(logits if counts[1] else [*logits] * 3)), Branches(*padded)


def _launch(
    kernel: Any, counts: tuple[int, int], given: tuple[Gates, Branches], *others: Any
) -> None:
    rows, width = given[1].b0.shape
    if rows:
        fixed = sizes(width)
        first, second = counts
        kernel[(triton.cdiv(rows, fixed["ROWS"]),)](
            *given, *others, rows, FIRST=first, SECOND=second, **fixed
        )
