# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention of tiles of queries to runs of keys, in Triton.

One program holds a tile of queries with the heads that share a key/value head, or a part of them:
row r of its matrices is query r // GROUP of the tile, head r % GROUP of the part. 8 queries of 16
heads are 128 rows, enough for Hopper's warpgroup instructions; one query alone would be 16. The
program goes through the tile's runs in one flat loop, so that loads run ahead across blocks.

Scores live in base 2: probability = exp2(score * scale - lse), scale = log2(e) / sqrt(D).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import launch_of

if TYPE_CHECKING:
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
        start: [runs] int32.
        length: [runs] int32.
        mask: [runs] int32.
    """

    queries: Any
    offsets: Any
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
        width: of a head.
    """

    scale: Any
    queries: Any
    key_heads: Any
    group: Any
    width: Any


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
def tile_rows(queries_ptr, tile, key_head, part, sizes, TILE: tl.constexpr, GROUP: tl.constexpr):
    """The rows of a tile: every query with one part of the heads of a key/value head."""
    row = tl.arange(0, TILE * GROUP)
    slot = row // GROUP
    in_group = part * GROUP + row % GROUP
    query = tl.load(queries_ptr + tile * TILE + slot)
    valid = (query >= 0) & (in_group < sizes.group)
    return Rows(slot, query, key_head * sizes.group + in_group, valid)


@triton.jit
def own_rows(runs, sizes, TILE: tl.constexpr, GROUP: tl.constexpr, PARTS: tl.constexpr):
    """Tile, key/value head and rows of this program; the heads of a tile are adjacent."""
    heads = sizes.key_heads * PARTS
    tile, head = tl.program_id(0) // heads, tl.program_id(0) % heads
    rows = tile_rows(runs.queries, tile, head // PARTS, head % PARTS, sizes, TILE, GROUP)
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
def load_queries(ptr, rows, sizes, WIDTH: tl.constexpr):
    """The rows of a [queries, query heads, width] tensor."""
    stride = sizes.key_heads * sizes.group * sizes.width
    return load_rows(ptr, rows.query, stride, rows.head, rows.valid, sizes.width, WIDTH)


@triton.jit
def store_queries(ptr, rows, values, sizes, WIDTH: tl.constexpr):
    """The inverse of `load_queries`."""
    stride = sizes.key_heads * sizes.group * sizes.width
    store_rows(ptr, rows.query, stride, rows.head, rows.valid, values, sizes.width, WIDTH)


@triton.jit
def load_tokens(ptr, token, key_head, filled, sizes, WIDTH: tl.constexpr):
    """Some rows of a [tokens, key/value heads, width] tensor; zeros where there is none."""
    stride = sizes.key_heads * sizes.width
    return load_rows(ptr, token, stride, key_head, filled, sizes.width, WIDTH)


@triton.constexpr_function
def repeats_keys(rows, width):
    """Whether the last key of a run stands again where columns are left over.

    A mask costs an instruction per score. A repeated key changes no maximum, its value is zero, and
    counting it as 0 is part of a sum; that pays where a program has many scores and registers.
    """
    return rows >= 128 and width <= 32


@triton.jit
def load_run(
    streams, runs, run, rows, key_head, sizes,
    WIDTH: tl.constexpr, RUN: tl.constexpr, REPEAT: tl.constexpr,
):  # fmt: skip
    """Keys, values, how many there are, and which rows see them.

    Behind them stand zeros; with REPEAT, among the keys, the last one again.
    """
    column = tl.arange(0, RUN)
    length, start = tl.load(runs.length + run), tl.load(runs.start + run)
    filled = column < length
    if REPEAT:
        last = tl.minimum(column, length - 1)
        key = load_tokens(streams.key, start + last, key_head, column >= 0, sizes, WIDTH)
    else:
        key = load_tokens(streams.key, start + column, key_head, filled, sizes, WIDTH)
    value = load_tokens(streams.value, start + column, key_head, filled, sizes, WIDTH)
    return key, value, length, (tl.load(runs.mask + run) >> rows.slot) & 1 != 0


@triton.jit
def scores(query, key, length, REPEAT: tl.constexpr, PRECISION: tl.constexpr):
    """Unscaled scores [rows, keys]; without REPEAT, -inf where there is no key."""
    score = tl.dot(query, key.T, input_precision=PRECISION)
    if not REPEAT:
        filled = tl.arange(0, key.shape[0]) < length
        score = tl.where(filled[None, :], score, -float("inf"))
    return score


@triton.jit
def counts(length, RUN: tl.constexpr, REPEAT: tl.constexpr):
    """1 for the keys of a run, 0 for one that is there again; without REPEAT, 1 throughout."""
    if REPEAT:
        left = length.to(tl.float32) - tl.arange(0, RUN).to(tl.float32)
        return tl.clamp(left, 0.0, 1.0)
    return tl.full([RUN], 1.0, tl.float32)


@triton.jit
def probabilities(score, shift, scale):
    """exp2(score * scale - shift), in one fused step."""
    return tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), -shift))


@triton.jit
def forward_kernel(
    streams,
    out_ptr,  # like streams.query
    lse_ptr,  # [key/value heads * group, queries] float32
    runs,
    sizes,
    TILE: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One tile and one key/value head: softmax(q k^T) v with a running maximum."""
    repeat: tl.constexpr = repeats_keys(TILE * GROUP, WIDTH)
    tile, key_head, rows = own_rows(runs, sizes, TILE, GROUP, PARTS)
    query = load_queries(streams.query, rows, sizes, WIDTH)
    largest = tl.full([TILE * GROUP], -float("inf"), tl.float32)
    total = tl.zeros([TILE * GROUP], tl.float32)
    attended = tl.zeros([TILE * GROUP, WIDTH], tl.float32)
    for run in range(tl.load(runs.offsets + tile), tl.load(runs.offsets + tile + 1)):
        key, value, length, sees = load_run(
            streams, runs, run, rows, key_head, sizes, WIDTH, RUN, repeat
        )
        score = scores(query, key, length, repeat, PRECISION)
        # A row that does not attend to the run keeps its maximum and subtracts infinity: so the
        # mask of the queries costs nothing per score.
        peak = tl.maximum(largest, tl.max(score, 1) * sizes.scale)
        shift = tl.where(sees, peak, float("inf"))
        weight = probabilities(score, shift[:, None], sizes.scale)
        decay = tl.where(sees, tl.exp2(largest - peak), 1.0)
        total = total * decay + tl.sum(weight * counts(length, RUN, repeat)[None, :], 1)
        attended = attended * decay[:, None]
        attended = tl.dot(weight.to(value.dtype), value, attended, input_precision=PRECISION)
        largest = tl.where(sees, peak, largest)
    safe_total = tl.where(total > 0, total, 1.0)
    store_queries(out_ptr, rows, attended / safe_total[:, None], sizes, WIDTH)
    lse = tl.where(total > 0, largest + tl.log2(safe_total), -float("inf"))
    offset = rows.head.to(tl.int64) * sizes.queries + rows.query
    tl.store(lse_ptr + offset, lse, mask=rows.valid)


class FusedTileAttention(torch.autograd.Function):
    """Forward and backward of `tile_attention.tile_attention` in Triton."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles
    ) -> tuple[Tensor, Tensor]:
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        out, lse = forward(query, key, value, tiles)
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.tiles = tiles
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        from .tile_attention_backward import backward

        return *backward(grad.contiguous(), ctx.saved_tensors, ctx.tiles), None


def forward(query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles) -> tuple[Tensor, Tensor]:
    """Launch the forward kernel; see `tile_attention.tile_attention`."""
    launch = launch_of("forward", query, key, tiles.queries.shape[1])
    out = torch.empty_like(query)
    lse = query.new_empty((query.shape[1], query.shape[0]), dtype=torch.float32)
    if tiles.count:
        forward_kernel[(tiles.count * key.shape[1] * launch.parts,)](
            Streams(query, key, value), out, lse, runs_of(tiles), sizes_of(query, key),
            **launch.options,
        )  # fmt: skip
    return out, lse


def runs_of(tiles: QueryTiles) -> TileRuns:
    """The tiles and runs of a plan, as kernels take them."""
    runs = tiles.runs
    return TileRuns(tiles.queries, runs.offsets, runs.start, runs.length, runs.mask)


def sizes_of(query: Tensor, key: Tensor) -> Sizes:
    """Sizes of [queries, query heads, D] and [tokens, key/value heads, D], as kernels take them."""
    count, heads, width = query.shape
    scale = LOG2_E / math.sqrt(width)
    return Sizes(scale, count, key.shape[1], heads // key.shape[1], width)
