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
from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import launch_of

if TYPE_CHECKING:
    from ..routing_plan import QueryTiles

LOG2_E = 1 / math.log(2)


@triton.jit
def tile_program(key_heads, group_size, GROUP: tl.constexpr):
    """Tile, key/value head and part of the group of this program; heads of a tile are adjacent."""
    parts = tl.cdiv(group_size, GROUP)
    heads = key_heads * parts
    head = tl.program_id(0) % heads
    return tl.program_id(0) // heads, head // parts, head % parts


@triton.jit
def tile_rows(queries_ptr, tile, part, group_size, TILE: tl.constexpr, GROUP: tl.constexpr):
    """The rows of a tile: slot of the query, the query (-1: none), head in the group, validity."""
    row = tl.arange(0, TILE * GROUP)
    slot = row // GROUP
    head = part * GROUP + row % GROUP
    query = tl.load(queries_ptr + tile * TILE + slot)
    return slot, query, head, (query >= 0) & (head < group_size)


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
    pointers = ptr + base[:, None] + channel[None, :]
    tl.store(pointers, values.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def forward_kernel(
    query_ptr,  # [queries, key/value heads * group, width]
    key_ptr,  # [tokens, key/value heads, width]
    value_ptr,  # [tokens, key/value heads, width]
    out_ptr,  # like query
    lse_ptr,  # [key/value heads * group, queries] float32
    queries_ptr,  # [tiles, TILE] int32
    run_offsets_ptr,  # [tiles + 1]
    run_start_ptr,  # [runs]
    run_length_ptr,  # [runs]
    run_mask_ptr,  # [runs]
    scale,
    query_count,
    key_heads,
    group_size,
    width,
    TILE: tl.constexpr,
    GROUP: tl.constexpr,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One tile and one key/value head: softmax(q k^T) v with a running maximum."""
    tile, key_head, part = tile_program(key_heads, group_size, GROUP)
    slot, asking, head, valid = tile_rows(queries_ptr, tile, part, group_size, TILE, GROUP)
    head += key_head * group_size
    stride = key_heads * group_size * width
    query = load_rows(query_ptr, asking, stride, head, valid, width, WIDTH)
    largest = tl.full([TILE * GROUP], -float("inf"), tl.float32)
    total = tl.zeros([TILE * GROUP], tl.float32)
    attended = tl.zeros([TILE * GROUP, WIDTH], tl.float32)
    column = tl.arange(0, RUN)
    for run in range(tl.load(run_offsets_ptr + tile), tl.load(run_offsets_ptr + tile + 1)):
        token = tl.load(run_start_ptr + run) + column
        filled = column < tl.load(run_length_ptr + run)
        sees = (tl.load(run_mask_ptr + run) >> slot) & 1 != 0
        key = load_rows(key_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
        value = load_rows(value_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
        score = tl.dot(query, key.T, input_precision=PRECISION)
        score = tl.where(filled[None, :], score, -float("inf"))
        # A row that does not see the run keeps its maximum and subtracts infinity instead: so the
        # mask of the queries costs nothing per score.
        peak = tl.maximum(largest, tl.max(score, 1) * scale)
        shift = tl.where(sees, peak, float("inf"))
        weight = tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), -shift[:, None]))
        decay = tl.where(sees, tl.exp2(largest - peak), 1.0)
        total = total * decay + tl.sum(weight, 1)
        attended = attended * decay[:, None]
        attended = tl.dot(weight.to(value.dtype), value, attended, input_precision=PRECISION)
        largest = tl.where(sees, peak, largest)
    safe_total = tl.where(total > 0, total, 1.0)
    attended = attended / safe_total[:, None]
    store_rows(out_ptr, asking, stride, head, valid, attended, width, WIDTH)
    lse = tl.where(total > 0, largest + tl.log2(safe_total), -float("inf"))
    tl.store(lse_ptr + head.to(tl.int64) * query_count + asking, lse, mask=valid)


class FusedTileAttention(torch.autograd.Function):
    """Forward and backward of `selected_attention.tile_attention` in Triton."""

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
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        from .tile_attention_backward import backward

        return *backward(grad.contiguous(), ctx.saved_tensors, ctx.tiles), None


def forward(query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles) -> tuple[Tensor, Tensor]:
    """Launch the forward kernel; see `selected_attention.tile_attention`."""
    launch = launch_of("forward", query, key, tiles.queries.shape[1])
    out = torch.empty_like(query)
    lse = query.new_empty((query.shape[1], query.shape[0]), dtype=torch.float32)
    if tiles.count:
        runs = tiles.runs
        forward_kernel[(tiles.count * key.shape[1] * launch.parts,)](
            query, key, value, out, lse,
            tiles.queries, runs.offsets, runs.start, runs.length, runs.mask,
            *scalars(query, key), **launch.options,
        )  # fmt: skip
    return out, lse


def scalars(query: Tensor, key: Tensor) -> tuple[float, int, int, int, int]:
    """What kernels are told of the sizes: scale, queries, key/value heads, group, width."""
    count, heads, width = query.shape
    return LOG2_E / math.sqrt(width), count, key.shape[1], heads // key.shape[1], width
