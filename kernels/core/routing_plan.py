# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From block tables to work: tiles of queries, the runs of keys they read, and the inverse.

Neighboring queries choose nearly the same blocks. So a tile of queries reads the union of its
blocks once, and a bit per query says whom each block is for. The routing follows from geometry
alone: a plan is made once per object and serves every layer, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from .blocks import Blocks
from .segments import (
    offsets_of_owners,
    owners_of_offsets,
    positions,
    split_segments,
    starts_of_sizes,
)

RUN_TOKENS = 64
"""Keys that a kernel takes at once; a run is never longer."""

TILE_QUERIES = {"cuda": 8, "cpu": 32}
"""Queries per tile. On CUDA, 8 queries of 16 heads fill the 128 rows of a matrix instruction; on
a CPU gathering and starting weigh more than scores that are masked away."""

_INCOHERENT = 3.0  # blocks of a union per block of a query, from where sharing does not pay
_LIST_TILES = 256  # tiles that one program of the backward goes through at most


@dataclass(frozen=True)
class RoutingPlan:
    """Which blocks of a key stream each query sees.

    Everything the three branches derive from it is made when first asked for, and kept.
    """

    query_offsets: Tensor  # [instances + 1] int, queries before each instance
    blocks: Blocks  # of the key stream
    table: Tensor | None = None
    """[1 or key/value heads, queries, K] int: ids inside the query's instance, in any order; a
    block named twice counts twice; anything outside 0..blocks - 1, as -1, is ignored. One table
    may serve all heads. None: only the compressed and the window branch are asked for."""
    tile: int = 0  # queries per tile, a power of 2 up to 32; 0: as the device likes it
    order: Tensor | None = None
    """[queries] int64, a permutation inside each instance: the order in which queries are cut into
    tiles. Results do not depend on it; neighbors in space make smaller unions."""

    @cached_property
    def selected(self) -> tuple[QueryTiles, ...]:
        """The tiles of the selected branch: one that serves all heads, or one per head."""
        if self.table is None:
            raise ValueError("this plan holds no block table")
        return tuple(self._coherent_tiles(table) for table in self.table)

    @cached_property
    def compressed(self) -> QueryTiles:
        """The tiles of the compressed branch: one key per block, all of the instance."""
        whole = torch.arange(len(self.query_offsets), device=self.query_offsets.device)
        table = self.query_offsets.new_zeros(self.queries, 1)
        instances = Blocks(self.blocks.instance_offsets, whole)
        return self._tiles(table, instances, self._tile())

    @cached_property
    def window(self) -> QueryTiles:
        """The tiles of the window branch, where the queries are the key stream itself."""
        instance = owners_of_offsets(self.query_offsets)
        table = self.blocks.owners() - self.blocks.instance_offsets.long()[instance]
        return self._tiles(table[:, None], self.blocks, self._tile())

    @cached_property
    def queries(self) -> int:
        """Queries of all instances."""
        return int(self.query_offsets[-1])

    def tiled(self, tile: int) -> RoutingPlan:
        """The same routing in tiles of another size."""
        return replace(self, tile=tile)

    def _tile(self) -> int:
        return self.tile or TILE_QUERIES.get(self.query_offsets.device.type, 16)

    def _coherent_tiles(self, table: Tensor) -> QueryTiles:
        tiles = self._tiles(table, self.blocks, self._tile())
        return tiles if tiles.incoherence <= _INCOHERENT else self._tiles(table, self.blocks, 1)

    def _tiles(self, table: Tensor, blocks: Blocks, tile: int) -> QueryTiles:
        order = self.order
        if order is None:
            order = torch.arange(self.queries, device=table.device)
        return query_tiles(table[order], order, self.query_offsets, blocks, tile)


@dataclass(frozen=True)
class QueryTiles:
    """Tiles of neighboring queries and the blocks that each tile reads.

    An entry is a block that somebody in a tile names. A query that names it a second time is
    marked in a second entry, so that a mask of bits says everything.
    """

    queries: Tensor  # [tiles, tile] int32, rows of the query stream, -1 behind an instance's end
    blocks: Blocks  # of the key stream
    names: int  # valid ids in the table: what the queries would read one by one
    entry_tile: Tensor  # [entries] int64, ascending
    entry_block: Tensor  # [entries] int64, over all instances, ascending inside a tile
    entry_mask: Tensor  # [entries] int32, bit t: query t of the tile names the block

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return self.queries.shape[0]

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Queries and keys of the streams that these tiles are of."""
        return int((self.queries >= 0).sum()), self.blocks.tokens

    @property
    def incoherence(self) -> float:
        """Blocks a tile reads per block that one of its queries names: 1 is perfect."""
        read = self.entry_tile.shape[0] / max(1, self.count)
        named = self.names / max(1, self.lengths[0])
        return read / named if named else 1.0

    @cached_property
    def runs(self) -> KeyRuns:
        """The keys of each tile, cut into runs."""
        offsets = self.blocks.token_offsets.long()
        start, stop = offsets[self.entry_block], offsets[self.entry_block + 1]
        joined = self._continues(start, stop)
        first = torch.nonzero(~joined)[:, 0]
        span = (~joined).cumsum(0) - 1
        length = torch.zeros_like(first).index_add(0, span, stop - start)
        pieces, begin, size = split_segments(length, RUN_TOKENS)
        tile = self.entry_tile[first][pieces]
        return KeyRuns(
            offsets_of_owners(tile, self.count),
            (start[first][pieces] + begin).int(),
            size.int(),
            self.entry_mask[first][pieces],
        )

    @cached_property
    def inverse(self) -> Inverse:
        """The tiles that read each block: what the gradient of a key is summed over."""
        order = torch.argsort(self.entry_block, stable=True)
        readers = offsets_of_owners(self.entry_block, self.blocks.count)
        block, begin, size = split_segments(self.blocks.token_offsets.diff().long(), RUN_TOKENS)
        piece, skip, many = split_segments(readers.diff()[block], _LIST_TILES)
        first = readers[block][piece] + skip
        bits = torch.arange(self.queries.shape[1], device=order.device, dtype=torch.int32)
        sees = (self.entry_mask[order, None] >> bits) & 1 != 0
        return Inverse(
            (self.blocks.token_offsets.long()[block] + begin).int(),
            size.int(),
            offsets_of_owners(piece, len(block)).int(),
            piece.int(),
            torch.stack([first, first + many]).int(),
            torch.where(sees, self.queries[self.entry_tile[order]], -1),
        )

    def _continues(self, start: Tensor, stop: Tensor) -> Tensor:
        """Whether an entry goes on in memory where the one before it, for the same, ended."""
        joined = torch.zeros_like(start, dtype=torch.bool)
        joined[1:] = (
            (start[1:] == stop[:-1])
            & (self.entry_tile[1:] == self.entry_tile[:-1])
            & (self.entry_mask[1:] == self.entry_mask[:-1])
        )
        return joined


@dataclass(frozen=True)
class KeyRuns:
    """Keys that lie behind one another and are for the same queries of a tile."""

    offsets: Tensor  # [tiles + 1] int64, runs before each tile
    start: Tensor  # [runs] int32, first row of the key stream
    length: Tensor  # [runs] int32, 1..RUN_TOKENS
    mask: Tensor  # [runs] int32, bit t: for query t of the tile


@dataclass(frozen=True)
class Inverse:
    """For every piece of the key stream, the tiles that read it, in lists of bounded length.

    A piece lies inside one block. Lists are summed one by one and then, per piece, in order:
    nothing is added concurrently, so the sums are the same in every run.
    """

    start: Tensor  # [pieces] int32, first row of the key stream
    length: Tensor  # [pieces] int32, 1..RUN_TOKENS
    list_offsets: Tensor  # [pieces + 1] int32, lists before each piece
    list_piece: Tensor  # [lists] int32
    list_readers: Tensor  # [2, lists] int32, begin and end among the entries
    queries: Tensor  # [entries, tile] int32, of the tile that reads; -1 for who does not see it


def query_tiles(
    table: Tensor, order: Tensor, query_offsets: Tensor, blocks: Blocks, tile: int
) -> QueryTiles:
    """Cut the queries of every instance into tiles and unite the blocks of each tile.

    Args:
        table: [queries, K] int, as in `RoutingPlan`, rows in the order of the tiles.
        order: [queries] int64, the query of each row.
        query_offsets: [instances + 1] int.
        blocks: of the key stream.
        tile: queries per tile, up to 32.
    """
    instance = owners_of_offsets(query_offsets)
    position = positions(instance, query_offsets.long())
    tiles = -(-query_offsets.diff().long() // tile)
    number = starts_of_sizes(tiles)[instance] + position // tile
    queries = table.new_full((int(tiles.sum()), tile), -1, dtype=torch.int32)
    queries[number, position % tile] = order.int()
    ids, rank = _named_blocks(table, instance, blocks)
    row, column = torch.nonzero(ids >= 0, as_tuple=True)
    width = max(1, table.shape[1])
    key = (number[row] * blocks.count + ids[row, column]) * width + rank[row, column]
    key, entry = torch.unique(key, return_inverse=True)
    bit = torch.ones_like(row) << (position[row] % tile)
    mask = torch.zeros_like(key).index_add(0, entry, bit)
    pair = key // width
    return QueryTiles(
        queries, blocks, len(row), pair // blocks.count, pair % blocks.count, mask.int()
    )


def _named_blocks(table: Tensor, instance: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Ids over all instances, ascending in each row, -1 if invalid; and the how-manieth naming."""
    first = blocks.instance_offsets.long()
    ids = table.long()
    valid = (ids >= 0) & (ids < first.diff()[instance][:, None])
    ids = torch.where(valid, ids + first[:-1][instance][:, None], -1).sort(1).values
    column = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    begins = torch.ones_like(valid)
    begins[:, 1:] = ids[:, 1:] != ids[:, :-1]
    return ids, column - torch.where(begins, column, 0).cummax(1).values
