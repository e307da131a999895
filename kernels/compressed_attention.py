# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compressed branch: attention to one key and value per block, and routing by its scores."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .attention import attention, group_heads, query_chunks
from .core.dispatch import uses_triton
from .core.score_bound import check_bounded
from .gpu.flash_attention import uses_flash
from .tile_attention import tile_attention

if TYPE_CHECKING:
    from .core.blocks import Blocks
    from .core.routing_plan import RoutingPlan


def compressed_attention(
    query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan, *, bounded_scores: bool = False
) -> Tensor:
    """CmpAttn of eqs. (1) and (2): every query sees every block of its instance.

    Args:
        query: [queries, query heads, D].
        key: [blocks, key/value heads, D], one per block.
        value: like key.
        plan: with these blocks.
        bounded_scores: as for `selected_attention`.

    Returns:
        [queries, query heads, D].

    Raises:
        ValueError: if scores are not bounded as stated.
    """
    if uses_triton(query) and not _faster_by_flash(query):
        return tile_attention(query, key, value, plan.compressed, bounded_scores=bounded_scores)[0]
    if bounded_scores:
        check_bounded(query, key)
    return attention(query, key, value, plan.query_offsets, plan.blocks.instance_offsets)


def _faster_by_flash(query: Tensor) -> bool:
    """Whether flash-attn was measured to be faster here; without gradients alone."""
    from .gpu.launch_table import launch_table

    if not query.is_cuda or (torch.is_grad_enabled() and query.requires_grad):
        return False
    architecture, _ = torch.cuda.get_device_capability(query.device)
    return architecture in launch_table().compressed_by_flash and uses_flash(query)


def block_scores(query: Tensor, key: Tensor) -> Tensor:
    """How much a group of heads attends to each block: softmax probabilities, summed.

    Args:
        query: [queries, query heads, D] of one instance.
        key: [blocks, key/value heads, D], the compressed keys of that instance.

    Returns:
        [key/value heads, queries, blocks], in 0..group size.
    """
    (queries, heads, width), (blocks, groups, _) = query.shape, key.shape
    rows = group_heads(query, groups)
    probabilities = (rows @ key.permute(1, 2, 0) / math.sqrt(width)).softmax(-1)
    return probabilities.view(groups, queries, heads // groups, blocks).sum(2)


@torch.no_grad()
def select_by_score(
    query: Tensor, key: Tensor, query_offsets: Tensor, blocks: Blocks, count: int
) -> Tensor:
    """The routing of native sparse attention: the blocks with the highest scores.

    Args:
        query: [queries, query heads, D].
        key: [blocks, key/value heads, D], the compressed keys.
        query_offsets: [instances + 1] int.
        blocks: the blocks of the key stream.
        count: blocks to select per query.

    Returns:
        The block table [key/value heads, queries, count] int32: ids inside the instance,
        ascending, -1 behind them where there are fewer blocks.
    """
    table = query.new_full((key.shape[1], query.shape[0], count), -1, dtype=torch.int32)
    queries, keys = query_offsets.tolist(), blocks.instance_offsets.tolist()
    for instance, (k0, k1) in enumerate(pairwise(keys)):
        span = queries[instance], queries[instance + 1]
        for start, stop in query_chunks(*span, query.shape[1] * (k1 - k0)):
            scores = block_scores(query[start:stop], key[k0:k1])
            best = scores.topk(min(count, k1 - k0), dim=-1).indices.sort(dim=-1).values
            table[:, start:stop] = F.pad(best, (0, count - best.shape[-1]), value=-1).int()
    return table
