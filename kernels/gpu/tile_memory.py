# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of tile attention loads and stores: rows of a tile, runs of keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import triton
import triton.language as tl

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.routing_plan import QueryTiles

LOG2_E = 1 / math.log(2)


class Streams(NamedTuple):
    """Pointers to queries, keys and values.

    Attributes:
        query: [queries, key/value heads * group, width].
        key: [tokens, key/value heads, width].
        value: like key.
    """

    query: Any
    key: Any
    value: Any


class TileRuns(NamedTuple):
    """Pointers to the tiles of queries and their runs of keys, see `routing_plan`.

    Attributes:
        queries: [tiles, TILE] int32, -1 where a tile is not full.
        offsets: [tiles + 1] int64.
        packed: [runs] int64.
    """

    queries: Any
    offsets: Any
    packed: Any


class Run(NamedTuple):
    """Numbers of one run of keys.

    Attributes:
        start: first row of the key stream.
        length: how many keys.
        mask: bit t: query t of the tile attends to them.
    """

    start: Any
    length: Any
    mask: Any


class Sizes(NamedTuple):
    """Sizes that all attention kernels take.

    Attributes:
        scale: log2(e) / sqrt(width).
        queries: of the query stream.
        key_heads: key/value heads.
        group: query heads per key/value head.
    """

    scale: Any
    queries: Any
    key_heads: Any
    group: Any


class Rows(NamedTuple):
    """What each row of a program's matrices stands for, [TILE * GROUP] each.

    Attributes:
        slot: index of the query in its tile.
        query: row of the query stream, -1 for none.
        head: query head.
        valid: whether there is such a query and head.
    """

    slot: Any
    query: Any
    head: Any
    valid: Any


@triton.jit
def tile_queries(queries_ptr, tile, TILE: tl.constexpr):
    """The queries of a tile; so few numbers are loaded by every thread that needs them."""
    return tl.load(queries_ptr + tile * TILE + tl.arange(0, TILE))


@triton.jit
def rows_of(queries, key_head, part, sizes, TILE: tl.constexpr, GROUP: tl.constexpr):
    """The rows of a tile: every query with one part of the heads of a key/value head."""
    query = tl.broadcast_to(queries[:, None], [TILE, GROUP]).reshape(TILE * GROUP)
    row = tl.arange(0, TILE * GROUP)
    in_group = part * GROUP + row % GROUP
    valid = (query >= 0) & (in_group < sizes.group)
    return Rows(row // GROUP, query, key_head * sizes.group + in_group, valid)


@triton.jit
def own_rows(runs, sizes, TILE: tl.constexpr, GROUP: tl.constexpr, PARTS: tl.constexpr):
    """Tile, key/value head and rows of this program; the heads of a tile are adjacent."""
    heads = sizes.key_heads * PARTS
    tile, head = tl.program_id(0) // heads, tl.program_id(0) % heads
    queries = tile_queries(runs.queries, tile, TILE)
    rows = rows_of(queries, head // PARTS, head % PARTS, sizes, TILE, GROUP)
    return tile, head // PARTS, rows


@triton.jit
def load_rows(ptr, row, stride, head, valid, width, WIDTH: tl.constexpr):
    """[rows, WIDTH] of a packed [n, heads, width] tensor; zeros where there is none."""
    channel = tl.arange(0, WIDTH)
    base = row.to(tl.int64) * stride + head * width
    inside = valid[:, None] & (channel < width)[None, :]
    return tl.load(ptr + base[:, None] + channel[None, :], mask=inside, other=0.0)


@triton.jit
def store_rows(ptr, row, stride, head, valid, values, width, WIDTH: tl.constexpr):
    """The inverse of `load_rows`."""
    channel = tl.arange(0, WIDTH)
    base = row.to(tl.int64) * stride + head * width
    inside = valid[:, None] & (channel < width)[None, :]
    tl.store(ptr + base[:, None] + channel[None, :], values.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def load_queries(ptr, rows, sizes, HEAD: tl.constexpr, WIDTH: tl.constexpr):
    """The rows of a [queries, query heads, HEAD] tensor."""
    stride = sizes.key_heads * sizes.group * HEAD
    return load_rows(ptr, rows.query, stride, rows.head, rows.valid, HEAD, WIDTH)


@triton.jit
def store_queries(ptr, rows, values, sizes, HEAD: tl.constexpr, WIDTH: tl.constexpr):
    """The inverse of `load_queries`."""
    stride = sizes.key_heads * sizes.group * HEAD
    store_rows(ptr, rows.query, stride, rows.head, rows.valid, values, HEAD, WIDTH)


@triton.jit
def load_tokens(
    ptr, start, column, key_head, filled, sizes, HEAD: tl.constexpr, WIDTH: tl.constexpr
):
    """Rows start + column of a [tokens, key/value heads, HEAD] tensor; zeros where none is.

    Only the first row takes 64 bits to multiply.
    """
    stride = sizes.key_heads * HEAD
    base = ptr + (start.to(tl.int64) * stride + key_head * HEAD)
    channel = tl.arange(0, WIDTH)
    inside = filled[:, None] & (channel < HEAD)[None, :]
    return tl.load(base + (column * stride)[:, None] + channel[None, :], mask=inside, other=0.0)


@triton.jit
def span_of(runs, tile):
    """The runs of a tile: the first one, the one after the last, and the first one packed."""
    first = tl.load(runs.offsets + tile).to(tl.int32)
    stop = tl.load(runs.offsets + tile + 1).to(tl.int32)
    return first, stop, tl.load(runs.packed + first, mask=first < stop, other=0)


@triton.jit
def unpacked(packed):
    """The inverse of `KeyRuns.packed`."""
    place = (packed >> 32).to(tl.int32)
    return Run(place >> 6, (place & 63) + 1, packed.to(tl.int32))


@triton.jit
def load_run(
    streams, run, key_head, sizes,
    HEAD: tl.constexpr, WIDTH: tl.constexpr, RUN: tl.constexpr, REPEAT: tl.constexpr,
):  # fmt: skip
    """Keys and values. Behind them stand zeros; with REPEAT, among the keys, the last one again."""
    column = tl.arange(0, RUN)
    filled = column < run.length
    place, there = column, filled
    if REPEAT:
        place, there = tl.minimum(column, run.length - 1), column >= 0
    key = load_tokens(streams.key, run.start, place, key_head, there, sizes, HEAD, WIDTH)
    return key, load_tokens(streams.value, run.start, column, key_head, filled, sizes, HEAD, WIDTH)


@triton.jit
def rows_seeing(run, rows):
    """Which rows attend to a run."""
    return (run.mask >> rows.slot) & 1 != 0


def runs_of(tiles: QueryTiles) -> TileRuns:
    """The tiles and runs of a plan, as kernels take them."""
    return TileRuns(tiles.queries, tiles.runs.offsets, tiles.runs.packed)


def sizes_of(query: Tensor, key: Tensor) -> Sizes:
    """Sizes of [queries, query heads, D] and [tokens, key/value heads, D], as kernels take them."""
    count, heads, width = query.shape
    scale = LOG2_E / math.sqrt(width)
    return Sizes(scale, count, key.shape[1], heads // key.shape[1])
