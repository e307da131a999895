# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and values of the compressed branch: a residual network, then the mean of each block."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .core.blocks import block_mean
from .core.dispatch import uses_triton
from .layer_norm import normalize

if TYPE_CHECKING:
    from .core.blocks import Blocks

WIDEST = 128  # channels that a program of the kernel can hold


class Perceptron(NamedTuple):
    """Two linear maps of [width] to itself, as of `torch.nn.Linear`."""

    first: Tensor  # [width, width]
    first_bias: Tensor  # [width]
    second: Tensor  # [width, width]
    second_bias: Tensor  # [width]


def residual(stream: Tensor, perceptron: Perceptron) -> Tensor:
    """norm(x + W2 silu(W1 x + b1) + b2), [tokens, width] to the same."""
    hidden = F.silu(F.linear(stream, perceptron.first, perceptron.first_bias))
    return normalize(stream, F.linear(hidden, perceptron.second, perceptron.second_bias))


def compress(stream: Tensor, perceptron: Perceptron, blocks: Blocks) -> Tensor:
    """The mean of `residual` over each block; the kernel never writes it token by token.

    Gradients go through the residual network once more.

    Args:
        stream: [tokens, width], block after block.
        perceptron: of the residual network.
        blocks: of these tokens.

    Returns:
        [blocks, width].

    Raises:
        ValueError: if the blocks hold more or fewer tokens.
    """
    blocks.check(stream)
    if stream.shape[1] > WIDEST or not uses_triton(stream):
        return block_mean(residual(stream, perceptron), blocks)
    from .gpu.compression import FusedCompression

    with torch.cuda.device_of(stream):  # Triton launches on the current card
        return FusedCompression.apply(stream, blocks, *perceptron)  # type: ignore[no-any-return,no-untyped-call]
