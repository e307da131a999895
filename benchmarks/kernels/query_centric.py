# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query-centric design of published sparse attention, as the benchmark's baseline.

Forward and gradient of the queries take one query per program: 16 heads are the 16 rows of a
matrix instruction, and every query reads its keys anew. The gradient of the keys takes a piece of
the keys per program and gathers 8 of the queries that selected it at a time, from a list that is
sorted out in every call. The loops are those of `kernels`, without dependent loads from block
to block: if anything, the baseline is faster than what is published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels.core.routing_plan import QueryTiles
from kernels.core.segments import owners_of_sizes, positions, starts_of_sizes
from kernels.gpu.tile_attention import forward
from kernels.gpu.tile_attention_backward import key_gradients, query_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan

GATHERED = 8  # queries of 16 heads: 128 rows


def query_centric_forward(
    query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan
) -> tuple[Tensor, Tensor]:
    """Output and log-sum-exp; arguments as for `selected_attention`, one table for all heads."""
    return forward(query, key, value, one_by_one(plan), bounded_scores=False)


def query_centric_backward(
    grad: Tensor, saved: tuple[Tensor, ...], plan: RoutingPlan
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value; `saved` are these, the output and the log-sum-exp."""
    tiles = one_by_one(plan)
    query_grad, delta = query_gradient(grad, saved, tiles, bounded_scores=False)
    return query_grad, *key_gradients(grad, saved, delta, gathered(tiles))


def one_by_one(plan: RoutingPlan) -> QueryTiles:
    """Tiles of one query; kept with the plan, as published kernels keep their block table."""
    if plan.tile != 1:
        raise ValueError(f"a plan in tiles of {plan.tile} is not query-centric")
    return plan.selected[0]


def gathered(tiles: QueryTiles) -> QueryTiles:
    """For every block, the queries that selected it, in groups of 8."""
    order = torch.argsort(tiles.entry_block, stable=True)
    readers = torch.bincount(tiles.entry_block, minlength=tiles.blocks.count)
    chunks = -(-readers // GATHERED)
    block = tiles.entry_block[order]
    position = positions(block, starts_of_sizes(readers))
    chunk = starts_of_sizes(chunks)[block] + position // GATHERED
    queries = tiles.queries.new_full((int(chunks.sum()), GATHERED), -1)
    queries[chunk, position % GATHERED] = tiles.queries[tiles.entry_tile[order], 0]
    numbers = torch.arange(len(queries), device=order.device)
    all_queries = tiles.entry_mask.new_full((len(queries),), (1 << GATHERED) - 1)
    owner = owners_of_sizes(chunks)
    return QueryTiles(queries, tiles.blocks, tiles.selections, numbers, owner, all_queries)
