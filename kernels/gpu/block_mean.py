# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mean over the tokens of each block in Triton: summed in order, not by atomics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from ..core.blocks import Blocks

CHANNELS = 64
TOKENS = 32


@triton.jit
def mean_kernel(
    values_ptr,  # [tokens, channels]
    mean_ptr,  # [blocks, channels]
    offsets_ptr,  # [blocks + 1]
    channels,
    CHANNELS: tl.constexpr,
    TOKENS: tl.constexpr,
):
    """One block, some of its channels, summed in float32."""
    block = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = (channel < channels)[None, :]
    first, last = tl.load(offsets_ptr + block), tl.load(offsets_ptr + block + 1)
    total = tl.zeros([TOKENS, CHANNELS], tl.float32)
    for begin in range(first, last, TOKENS):
        token = begin + tl.arange(0, TOKENS)
        offset = token.to(tl.int64)[:, None] * channels + channel[None, :]
        real = (token < last)[:, None] & inside
        total += tl.load(values_ptr + offset, mask=real, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / (last - first).to(tl.float32)
    pointer = mean_ptr + block.to(tl.int64) * channels + channel
    tl.store(pointer, mean.to(mean_ptr.dtype.element_ty), mask=channel < channels)


class FusedBlockMean(torch.autograd.Function):
    """`block_mean.block_mean`; in the backward every token gets its share of its block."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, blocks: Blocks) -> Tensor:
        values = values.contiguous()
        channels = values.shape[1]
        mean = values.new_empty(blocks.count, channels)
        if blocks.count:
            mean_kernel[(blocks.count, triton.cdiv(channels, CHANNELS))](
                values, mean, blocks.token_offsets, channels, CHANNELS=CHANNELS, TOKENS=TOKENS
            )
        ctx.blocks = blocks
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        share = grad.float() / ctx.blocks.token_offsets.diff()[:, None]  # 511 is no bfloat16
        return share.to(grad.dtype)[ctx.blocks.owners()], None
