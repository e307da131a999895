# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window branch: full attention of every token inside its own block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .attention import batched_attention
from .core.dispatch import uses_triton
from .core.score_bound import check_bounded
from .tile_attention import tile_attention

if TYPE_CHECKING:
    from .core.blocks import Blocks
    from .core.routing_plan import RoutingPlan


def window_attention(
    query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan, *, bounded_scores: bool = False
) -> Tensor:
    """WinAttn of eqs. (1) and (2), where queries and keys are one stream.

    Args:
        query: [tokens, query heads, D], block after block.
        key: [tokens, key/value heads, D].
        value: like key.
        plan: of the stream to itself.
        bounded_scores: as for `selected_attention`.

    Returns:
        [tokens, query heads, D].

    Raises:
        ValueError: if scores are not bounded as stated.
    """
    if uses_triton(query):
        return tile_attention(query, key, value, plan.window, bounded_scores=bounded_scores)[0]
    if bounded_scores:
        check_bounded(query, key)
    return _batched_by_size(query, key, value, plan.blocks)


def _batched_by_size(query: Tensor, key: Tensor, value: Tensor, blocks: Blocks) -> Tensor:
    """The reference: blocks of equal size are attended as one batch, unpadded."""
    sizes = blocks.token_offsets.diff().long()
    token_sizes = torch.repeat_interleave(sizes, sizes)
    order = torch.argsort(token_sizes, stable=True)
    lengths, counts = torch.unique(token_sizes, return_counts=True)
    pieces = [torch.split(tensor[order], counts.tolist()) for tensor in (query, key, value)]
    attended = [
        batched_attention(*(piece.view(-1, length, *piece.shape[1:]) for piece in same)).flatten(
            0, 1
        )
        for length, same in zip(lengths.tolist(), zip(*pieces, strict=True), strict=True)
    ]
    return torch.cat(attended)[torch.argsort(order)] if attended else torch.zeros_like(query)
