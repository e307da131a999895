# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From block tables to kernel inputs: tiles of queries, runs of keys, and the inverse.

Neighboring queries select nearly the same blocks. So a tile of queries reads the union of its
blocks once, and a mask has a bit for each query that selects a block. A plan that follows from
geometry alone is made once per object and used by every layer, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from .blocks import Blocks
from .segments import (
    offsets_of_owners,
    offsets_of_sizes,
    owners_of_offsets,
    positions,
    split_segments,
    starts_of_sizes,
)

RUN_TOKENS = 64
"""Keys of one step of a kernel; a run is never longer."""

TILE_QUERIES = {"cuda": 8, "cpu": 32}
"""Queries per tile. On CUDA, 8 queries of 16 heads fill the 128 rows of a matrix instruction; on
a CPU gathering and starting weigh more than scores that are masked away."""

_INCOHERENT = 3.0  # union of a tile over blocks of a query, above which single queries are faster
_LIST_TILES = 256  # most tiles of one program of the backward
_MOST_KEYS = 1 << 25  # of a key stream on a GPU


@dataclass(frozen=True)
class RoutingPlan:
    """Which blocks of a key stream each query selects.

    The tiles of the three branches are derived when they are first used, and cached.

    Attributes:
        query_offsets: [instances + 1] int, queries before each instance.
        blocks: of the key stream.
        table: [1 or key/value heads, queries, K] int: ids inside the query's instance, in any
            order; a block selected twice counts twice; ids outside 0 .. blocks - 1, as -1, are
            ignored. One table may be for all heads. None if the selected branch is not used.
        tile: queries per tile, a power of 2 up to 32; 0 for `TILE_QUERIES` of the device.
        order: [queries] int64, a permutation inside each instance: the order in which queries are
            cut into tiles. Results do not depend on it; neighbors in space make smaller unions.
        holder: [blocks] int64, which part of the key stream has each block, if it is attended to
            part after part; see `parts`.
    """

    query_offsets: Tensor
    blocks: Blocks
    table: Tensor | None = None
    tile: int = 0
    order: Tensor | None = None
    holder: Tensor | None = None

    @cached_property
    def parts(self) -> tuple[RoutingPlan, ...]:
        """The plans of the parts of the key stream, each of which is a key stream of its own.

        A part has its blocks in the order of the whole, and perhaps none.
        """
        if self.table is None or self.holder is None:
            raise ValueError("this plan holds no block table, or no parts")
        first, sizes = self.blocks.instance_offsets.long(), self.blocks.token_offsets.diff().long()
        instance, count = owners_of_offsets(first), len(first) - 1
        of_query, table = owners_of_offsets(self.query_offsets)[:, None], self.table.long()
        valid = (table >= 0) & (table < first.diff()[of_query])
        chosen = torch.where(valid, table + first[:-1][of_query], len(sizes))
        found = []
        for part in range(int(self.holder.max()) + 1 if len(sizes) else 0):
            held = self.holder == part
            blocks = Blocks(
                offsets_of_sizes(sizes[held]).int(), offsets_of_owners(instance[held], count).int()
            )
            ids = held.cumsum(0) - 1 - blocks.instance_offsets.long()[instance]
            ids = torch.cat([torch.where(held, ids, -1), ids.new_full((1,), -1)])
            found.append(replace(self, blocks=blocks, table=ids[chosen].int(), holder=None))
        return tuple(found)

    @cached_property
    def selected(self) -> tuple[QueryTiles, ...]:
        """The tiles of the selected branch: one for all heads, or one per key/value head."""
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

    An entry is a block that a query of the tile selects. A query that selects it a second time is
    marked in a second entry, so that one bit per query and entry is enough.

    Attributes:
        queries: [tiles, tile] int32, rows of the query stream; -1 after the end of an instance.
        blocks: of the key stream.
        selections: valid ids in the table, the blocks that single queries would read.
        entry_tile: [entries] int64, ascending.
        entry_block: [entries] int64, over all instances, ascending inside a tile.
        entry_mask: [entries] int32, bit t: query t of the tile selects the block.
    """

    queries: Tensor
    blocks: Blocks
    selections: int
    entry_tile: Tensor
    entry_block: Tensor
    entry_mask: Tensor

    @property
    def count(self) -> int:
        """The number of tiles."""
        return self.queries.shape[0]

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Queries and keys of the two streams."""
        return int((self.queries >= 0).sum()), self.blocks.tokens

    @property
    def incoherence(self) -> float:
        """Blocks that a tile reads per block that a query selects: 1 if all its queries agree."""
        read = self.entry_tile.shape[0] / max(1, self.count)
        selected = self.selections / max(1, self.lengths[0])
        return read / selected if selected else 1.0

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
        """The tiles that read each block, over which the gradient of a key is summed."""
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
        """Whether an entry continues in memory the one before it, for the same queries."""
        joined = torch.zeros_like(start, dtype=torch.bool)
        joined[1:] = (
            (start[1:] == stop[:-1])
            & (self.entry_tile[1:] == self.entry_tile[:-1])
            & (self.entry_mask[1:] == self.entry_mask[:-1])
        )
        return joined


@dataclass(frozen=True)
class KeyRuns:
    """Contiguous keys that the same queries of a tile attend to.

    Attributes:
        offsets: [tiles + 1] int64, runs before each tile.
        start: [runs] int32, first row of the key stream.
        length: [runs] int32, 1..RUN_TOKENS.
        mask: [runs] int32, bit t: query t of the tile attends to the keys.
    """

    offsets: Tensor
    start: Tensor
    length: Tensor
    mask: Tensor

    @cached_property
    def packed(self) -> Tensor:
        """Start, length and mask of each run in 8 bytes, which a kernel carries through its loop.

        [runs] int64: mask in bits 0 to 31, length - 1 in 32 to 37, start in 38 to 62.

        Raises:
            ValueError: if a start does not fit.
        """
        if len(self.start) and int(self.start.max()) >= _MOST_KEYS:
            raise ValueError(f"a run of keys begins behind row {_MOST_KEYS}: split the plan")
        place = self.start.long() << 6 | self.length.long() - 1
        return place << 32 | self.mask.long() & 0xFFFFFFFF


@dataclass(frozen=True)
class Inverse:
    """For every piece of the key stream, the tiles that read it, in lists of bounded length.

    A piece lies inside one block. Lists are summed one by one and then, per piece, in order:
    nothing is added concurrently, so the sums are the same in every run.

    Attributes:
        start: [pieces] int32, first row of the key stream.
        length: [pieces] int32, 1..RUN_TOKENS.
        list_offsets: [pieces + 1] int32, lists before each piece.
        list_piece: [lists] int32.
        list_readers: [2, lists] int32, begin and end among the entries.
        queries: [entries, tile] int32, of the tile that reads; -1 for queries that do not attend.
    """

    start: Tensor
    length: Tensor
    list_offsets: Tensor
    list_piece: Tensor
    list_readers: Tensor
    queries: Tensor


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
    ids, rank = _selected_blocks(table, instance, blocks)
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


def _selected_blocks(table: Tensor, instance: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Ids over all instances, ascending in a row, -1 if invalid; how many equals precede each."""
    first = blocks.instance_offsets.long()
    ids = table.long()
    valid = (ids >= 0) & (ids < first.diff()[instance][:, None])
    ids = torch.where(valid, ids + first[:-1][instance][:, None], -1).sort(1).values
    column = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    begins = torch.ones_like(valid)
    begins[:, 1:] = ids[:, 1:] != ids[:, :-1]
    return ids, column - torch.where(begins, column, 0).cummax(1).values
