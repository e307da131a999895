# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much work neighboring queries of a routing plan share, which decides the kernels' speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .routing_plan import RUN_TOKENS

if TYPE_CHECKING:
    from .routing_plan import QueryTiles


@dataclass(frozen=True)
class PlanStatistics:
    """Counts and shares of one block table.

    Attributes:
        queries: of the query stream.
        keys: tokens of the key stream.
        blocks: of the key stream.
        tiles: of queries.
        queries_per_tile: room in a tile.
        keys_per_query: on average.
        union_blocks: blocks that a tile reads, on average.
        union_blocks_p95: the 95th percentile of these.
        pairs: pairs of a query and a key that it attends to.
        useful_share: `pairs` over the pairs computed, with the padding of tiles and runs.
        full_share: the share of the keys read that all queries of the tile attend to.
        traffic: keys read, over the keys that single queries would read.
    """

    queries: int
    keys: int
    blocks: int
    tiles: int
    queries_per_tile: int
    keys_per_query: float
    union_blocks: float
    union_blocks_p95: float
    pairs: int
    useful_share: float
    full_share: float
    traffic: float


def statistics(tiles: QueryTiles) -> PlanStatistics:
    """Count what the tiles read and compute."""
    sizes = tiles.blocks.token_offsets.diff().long()
    bits = torch.arange(tiles.queries.shape[1], device=sizes.device)
    selecting = ((tiles.entry_mask[:, None] >> bits) & 1).sum(1)
    length = sizes[tiles.entry_block]
    pairs, read = int((selecting * length).sum()), max(1, int(length.sum()))
    union = torch.bincount(tiles.entry_tile, minlength=tiles.count).float()
    queries = int((tiles.queries >= 0).sum())
    filled = (tiles.queries >= 0).sum(1)[tiles.entry_tile]
    return PlanStatistics(
        queries=queries,
        keys=int(tiles.blocks.token_offsets[-1]),
        blocks=tiles.blocks.count,
        tiles=tiles.count,
        queries_per_tile=len(bits),
        keys_per_query=pairs / max(1, queries),
        union_blocks=float(union.mean()),
        union_blocks_p95=float(union.quantile(0.95)),
        pairs=pairs,
        useful_share=pairs / max(1, len(tiles.runs.start) * RUN_TOKENS * len(bits)),
        full_share=int(length[selecting == filled].sum()) / read,
        traffic=read / max(1, pairs),
    )
