# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual module of the compressed branch and the mean of a block in one Triton kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..reference.definitions import LAYER_NORM_EPS, Perceptron
from .launch import LEAST_ROWS
from .tile_memory import load_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.blocks import Blocks

TOKENS = 64
WARPS = 4


@triton.jit
def load_matrix(ptr, width, WIDTH: tl.constexpr):
    """A [outputs, inputs] matrix as [inputs, outputs], padded with zeros."""
    line = tl.arange(0, WIDTH)
    real = line < width
    offset = line[None, :] * width + line[:, None]
    return tl.load(ptr + offset, mask=real[None, :] & real[:, None], other=0.0)


@triton.jit
def compress_kernel(
    stream_ptr,  # [tokens, width]
    network,  # a Perceptron of pointers
    mean_ptr,  # [blocks, width]
    offsets_ptr,  # [blocks + 1]
    width,
    eps,
    WIDTH: tl.constexpr,
    TOKENS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One block: its tokens pass through the network, are normed and summed in float32."""
    block = tl.program_id(0)
    channel = tl.arange(0, WIDTH)
    real = channel < width
    first = load_matrix(network.first, width, WIDTH)
    second = load_matrix(network.second, width, WIDTH)
    first_bias = tl.load(network.first_bias + channel, mask=real, other=0.0).to(tl.float32)
    second_bias = tl.load(network.second_bias + channel, mask=real, other=0.0).to(tl.float32)
    begin, end = tl.load(offsets_ptr + block), tl.load(offsets_ptr + block + 1)
    total = tl.zeros([WIDTH], tl.float32)
    for start in range(begin, end, TOKENS):
        token = start + tl.arange(0, TOKENS)
        inside = token < end
        values = load_rows(stream_ptr, token, width, 0, inside, width, WIDTH)
        hidden = tl.dot(values, first, input_precision=PRECISION) + first_bias[None, :]
        hidden = (hidden * tl.sigmoid(hidden)).to(values.dtype)
        update = tl.dot(hidden, second, input_precision=PRECISION) + second_bias[None, :]
        result = values.to(tl.float32) + update
        centered = tl.where(real[None, :], result - (tl.sum(result, 1) / width)[:, None], 0.0)
        deviation = 1.0 / tl.sqrt(tl.sum(centered * centered, 1) / width + eps)
        total += tl.sum(tl.where(inside, deviation, 0.0)[:, None] * centered, 0)
    mean = (total / (end - begin).to(tl.float32)).to(mean_ptr.dtype.element_ty)
    tl.store(mean_ptr + block.to(tl.int64) * width + channel, mean, mask=real)


class FusedCompression(torch.autograd.Function):
    """`compression.compress`; the backward runs the network again, as the unfused function."""

    @staticmethod
    def forward(
        ctx: Any,
        stream: Tensor,
        blocks: Blocks,
        unfused: Callable[[Tensor, Perceptron, Blocks], Tensor],
        *network: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(stream, *network)
        ctx.blocks, ctx.unfused = blocks, unfused
        stream, width = stream.contiguous(), stream.shape[1]
        pointers = Perceptron(*(each.contiguous() for each in network))
        mean = stream.new_empty((blocks.count, width))
        if blocks.count:
            compress_kernel[(blocks.count,)](
                stream, pointers, mean, blocks.token_offsets, width, LAYER_NORM_EPS,
                **sizes(width, stream.dtype),
            )  # fmt: skip
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            stream, *network = (each.detach().requires_grad_() for each in ctx.saved_tensors)
            mean = ctx.unfused(stream, Perceptron(*network), ctx.blocks)
        of_stream, *others = torch.autograd.grad(mean, (stream, *network), grad)
        return of_stream, None, None, *others


def sizes(width: int, dtype: torch.dtype) -> dict[str, Any]:
    """What the kernel is compiled for."""
    return {
        "WIDTH": max(LEAST_ROWS, triton.next_power_of_2(width)),
        "TOKENS": TOKENS if dtype.itemsize == 2 else LEAST_ROWS,
        "PRECISION": "tf32x3" if dtype == torch.float32 else "tf32",
        "num_warps": WARPS,
    }
