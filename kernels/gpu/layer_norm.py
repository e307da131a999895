# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer norm with residual in Triton: each row is read once and written once."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..reference.definitions import LAYER_NORM_EPS

_BLOCK_ELEMENTS = 2048  # of the short rows of one program


@triton.jit
def elements(rows, width, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """Offsets and validity [ROWS, WIDTH] of this program's elements; which columns are real."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, WIDTH)
    real = (column < width)[None, :]
    return row, row[:, None] * width + column[None, :], (row < rows)[:, None] & real, real


@triton.jit
def forward_kernel(
    stream_ptr,  # [rows, width]
    update_ptr,  # like stream; not read without UPDATED
    out_ptr,  # like stream
    deviation_ptr,  # [rows] float32, one over the standard deviation
    rows,
    width,
    eps,
    UPDATED: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """(x - mean) / sqrt(variance + eps)."""
    row, offset, inside, real = elements(rows, width, ROWS, WIDTH)
    total = tl.load(stream_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    if UPDATED:
        total += tl.load(update_ptr + offset, mask=inside, other=0.0).to(tl.float32)
        total = total.to(stream_ptr.dtype.element_ty).to(tl.float32)
    mean = tl.sum(total, 1) / width
    centered = tl.where(real, total - mean[:, None], 0.0)
    deviation = 1.0 / tl.sqrt(tl.sum(centered * centered, 1) / width + eps)
    result = centered * deviation[:, None]
    tl.store(out_ptr + offset, result.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(deviation_ptr + row, deviation, mask=row < rows)


@triton.jit
def backward_kernel(
    out_ptr,  # [rows, width], what the forward gave
    deviation_ptr,  # [rows] float32
    grad_ptr,  # like out
    stream_grad_ptr,  # like out
    rows,
    width,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Per row: dx = (dy - mean(dy) - y mean(dy y)) / deviation."""
    row, offset, inside, _ = elements(rows, width, ROWS, WIDTH)
    out = tl.load(out_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    grad = tl.load(grad_ptr + offset, mask=inside, other=0.0).to(tl.float32)
    deviation = tl.load(deviation_ptr + row, mask=row < rows, other=0.0)
    mean = tl.sum(grad, 1) / width
    along = tl.sum(grad * out, 1) / width
    result = (grad - mean[:, None] - out * along[:, None]) * deviation[:, None]
    tl.store(stream_grad_ptr + offset, result.to(stream_grad_ptr.dtype.element_ty), mask=inside)


class FusedLayerNorm(torch.autograd.Function):
    """`layer_norm.layer_norm`; stream and update share one gradient."""

    @staticmethod
    def forward(ctx: Any, stream: Tensor, update: Tensor | None) -> Tensor:
        stream = stream.contiguous()
        added = stream if update is None else update.contiguous()
        width = stream.shape[-1]
        rows = stream.numel() // max(1, width)
        out = torch.empty_like(stream)
        deviation = stream.new_empty(rows, dtype=torch.float32)
        if rows:
            sizes = _sizes(width)
            forward_kernel[(triton.cdiv(rows, sizes["ROWS"]),)](
                stream, added, out, deviation, rows, width, LAYER_NORM_EPS,
                UPDATED=update is not None, **sizes,
            )  # fmt: skip
        ctx.save_for_backward(out, deviation)
        ctx.updated = update is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        out, deviation = ctx.saved_tensors
        result, rows = torch.empty_like(out), len(deviation)
        if rows:
            sizes = _sizes(out.shape[-1])
            backward_kernel[(triton.cdiv(rows, sizes["ROWS"]),)](
                out, deviation, grad.contiguous(), result, rows, out.shape[-1], **sizes
            )
        return result, result if ctx.updated else None


def _sizes(width: int) -> dict[str, int]:
    padded = triton.next_power_of_2(width)
    return {"ROWS": max(1, _BLOCK_ELEMENTS // padded), "WIDTH": padded}
