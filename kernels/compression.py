# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and values of the compressed branch: the residual module, then the mean of each block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional as F

from .block_mean import block_mean
from .core.dispatch import run_triton, uses_triton
from .layer_norm import layer_norm

if TYPE_CHECKING:
    from torch import Tensor

    from .core.blocks import Blocks
    from .reference.definitions import Perceptron

WIDEST = 128  # most channels of a program of the kernel


def residual_module(stream: Tensor, perceptron: Perceptron) -> Tensor:
    """norm(x + W2 silu(W1 x + b1) + b2), [tokens, width] to the same."""
    hidden = F.silu(F.linear(stream, perceptron.first, perceptron.first_bias))
    return layer_norm(stream, F.linear(hidden, perceptron.second, perceptron.second_bias))


def compress(stream: Tensor, perceptron: Perceptron, blocks: Blocks) -> Tensor:
    """The mean of `residual_module` over each block; the kernel never stores it token by token.

    The backward runs the residual module again.

    Args:
        stream: [tokens, width], block after block.
        perceptron: of the residual module.
        blocks: of these tokens.

    Returns:
        [blocks, width].

    Raises:
        ValueError: if the blocks hold more or fewer tokens.
    """
    blocks.check(stream)
    if stream.shape[1] <= WIDEST and uses_triton(stream):
        from .gpu.compression import FusedCompression

        fused: Tensor = run_triton(FusedCompression.apply, stream, blocks, _unfused, *perceptron)
        return fused
    return _unfused(stream, perceptron, blocks)


def _unfused(stream: Tensor, perceptron: Perceptron, blocks: Blocks) -> Tensor:
    """`compress` with the module's output stored for every token."""
    return block_mean(residual_module(stream, perceptron), blocks)
