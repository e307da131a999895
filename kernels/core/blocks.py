# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spatial blocks of a packed token list: where each block and each instance begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .dispatch import uses_triton
from .precision import widened
from .segments import owners_of_offsets


@dataclass(frozen=True)
class Blocks:
    """How the tokens of all instances, one behind the other, fall into blocks.

    Every block holds at least one token; empty ones do not exist.
    """

    token_offsets: Tensor  # [blocks + 1] int, tokens before each block, over all instances
    instance_offsets: Tensor  # [instances + 1] int, blocks before each instance

    @property
    def count(self) -> int:
        """Blocks of all instances."""
        return self.token_offsets.shape[0] - 1

    @cached_property
    def tokens(self) -> int:
        """Tokens of all instances."""
        return int(self.token_offsets[-1])

    def check(self, stream: Tensor) -> None:
        """Raise ValueError unless these are the blocks of a stream: kernels read where they say."""
        if len(stream) != self.tokens:
            raise ValueError(f"{len(stream)} tokens; the blocks hold {self.tokens}")

    def owners(self) -> Tensor:
        """The block of every token, [tokens] int64."""
        return owners_of_offsets(self.token_offsets)


def block_mean(values: Tensor, blocks: Blocks) -> Tensor:
    """The mean over the tokens of each block: AvgPool of the compressed branch.

    Args:
        values: [tokens, channels], block after block.
        blocks: the blocks of these tokens.

    Returns:
        [blocks, channels].

    Raises:
        ValueError: if the blocks hold more or fewer tokens.
    """
    blocks.check(values)
    if uses_triton(values):
        from ..gpu.block_mean import FusedBlockMean

        with torch.cuda.device_of(values):  # Triton launches on the current card
            return FusedBlockMean.apply(values, blocks)  # type: ignore[no-any-return,no-untyped-call]
    # In bfloat16 a sum over 512 tokens would lose whatever is below 1/256 of it.
    wide = widened(values)
    total = wide.new_zeros(blocks.count, values.shape[1]).index_add(0, blocks.owners(), wide)
    return (total / blocks.token_offsets.diff()[:, None]).to(values.dtype)
