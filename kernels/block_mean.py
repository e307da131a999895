# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mean over the tokens of each block: AvgPool of the compressed branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core.dispatch import run_triton, uses_triton
from .core.precision import widened

if TYPE_CHECKING:
    from torch import Tensor

    from .core.blocks import Blocks


def block_mean(values: Tensor, blocks: Blocks) -> Tensor:
    """The mean over the tokens of each block.

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
        from .gpu.block_mean import FusedBlockMean

        fused: Tensor = run_triton(FusedBlockMean.apply, values, blocks)
        return fused
    # A sum over 512 tokens in bfloat16 would drop terms below 1/256 of it.
    wide = widened(values)
    total = wide.new_zeros(blocks.count, values.shape[1]).index_add(0, blocks.owners(), wide)
    return (total / blocks.token_offsets.diff()[:, None]).to(values.dtype)
