# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention of tiles of queries to runs of keys, in Triton.

One program holds a tile of queries with the heads that share a key/value head, or a part of them:
row r of its matrices is query r // GROUP of the tile, head r % GROUP of the part. 8 queries of 16
heads are 128 rows, enough for Hopper's warpgroup instructions; one query alone would be 16. The
program goes through the tile's runs in one flat loop, so that loads run ahead across blocks. Where
the next run lies is carried by the loop: its keys are copied while the present ones are used.

Scores live in base 2: probability = exp2(score * scale - lse), scale = log2(e) / sqrt(D).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from .launch import launch_of
from .tile_memory import (
    Streams,
    load_queries,
    load_run,
    own_rows,
    rows_seeing,
    runs_of,
    sizes_of,
    span_of,
    store_queries,
    unpacked,
)

if TYPE_CHECKING:
    from ..core.routing_plan import QueryTiles
    from .launch import Launch


@triton.constexpr_function
def repeats_keys(rows, width, dtype):
    """Whether the last key of a run stands again where columns are left over.

    A mask costs an instruction per score. A repeated key changes no maximum, and its value is zero;
    its probability is taken out of the sum in the last column. What that rounds is small beside the
    steps of a type of two bytes, and it pays where a program has many scores and registers.
    """
    return rows >= 128 and width <= 32 and dtype.primitive_bitwidth == 16


@triton.jit
def scores(query, key, length, FILLED: tl.constexpr, PRECISION: tl.constexpr):
    """Unscaled scores [rows, keys]; unless columns are FILLED, -inf where there is no key."""
    score = tl.dot(query, key.T, input_precision=PRECISION)
    if not FILLED:
        filled = tl.arange(0, key.shape[0]) < length
        score = tl.where(filled[None, :], score, -float("inf"))
    return score


@triton.jit
def counts(length, RUN: tl.constexpr, REPEAT: tl.constexpr):
    """How often each column counts in a sum over a run: with REPEAT, the last for those before."""
    last = tl.arange(0, RUN) == RUN - 1
    surplus = (length - (RUN - 1)).to(tl.float32)
    return tl.where(last & REPEAT, surplus, 1.0)


@triton.jit
def probabilities(score, shift, scale):
    """exp2(score * scale - shift), in one fused step.

    `-shift` would be 0 - shift, an instruction; a factor of -1 is a sign of the fused operand.
    """
    return tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), shift * -1.0))


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
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
    PRECISION: tl.constexpr,
    BOUNDED: tl.constexpr,
):
    """One tile and one key/value head: softmax(q k^T) v, by a running maximum unless BOUNDED."""
    repeat: tl.constexpr = repeats_keys(TILE * GROUP, WIDTH, streams.key.dtype.element_ty)
    tile, key_head, rows = own_rows(runs, sizes, TILE, GROUP, PARTS)
    query = load_queries(streams.query, rows, sizes, HEAD, WIDTH)
    largest = tl.full([TILE * GROUP], 0.0 if BOUNDED else -float("inf"), tl.float32)
    total = tl.zeros([TILE * GROUP], tl.float32)
    attended = tl.zeros([TILE * GROUP, WIDTH], tl.float32)
    first, stop, packed = span_of(runs, tile)
    for number in range(first, stop):
        following = tl.load(runs.packed + tl.minimum(number + 1, stop - 1))
        run = unpacked(packed)
        key, value = load_run(streams, run, key_head, sizes, HEAD, WIDTH, RUN, repeat)
        score = scores(query, key, run.length, repeat, PRECISION)
        sees = rows_seeing(run, rows)
        # A row that does not attend to the run keeps its maximum and subtracts infinity: so the
        # mask of the queries costs nothing per score.
        if BOUNDED:
            shift = tl.where(sees, 0.0, float("inf"))
        else:
            peak = tl.maximum(largest, tl.max(score, 1) * sizes.scale)
            shift = tl.where(sees, peak, float("inf"))
            decay = tl.where(sees, tl.exp2(largest - peak), 1.0)
            total *= decay
            attended *= decay[:, None]
            largest = tl.where(sees, peak, largest)
        weight = probabilities(score, shift[:, None], sizes.scale)
        total += tl.sum(weight * counts(run.length, RUN, repeat)[None, :], 1)
        attended = tl.dot(weight.to(value.dtype), value, attended, input_precision=PRECISION)
        packed = following
    safe_total = tl.where(total > 0, total, 1.0)
    store_queries(out_ptr, rows, attended / safe_total[:, None], sizes, HEAD, WIDTH)
    lse = tl.where(total > 0, largest + tl.log2(safe_total), -float("inf"))
    offset = rows.head.to(tl.int64) * sizes.queries + rows.query
    tl.store(lse_ptr + offset, lse, mask=rows.valid)


class FusedTileAttention(torch.autograd.Function):
    """Forward and backward of `tile_attention.tile_attention` in Triton."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        tiles: QueryTiles,
        bounded_scores: bool,  # noqa: FBT001 - autograd takes arguments by position
    ) -> tuple[Tensor, Tensor]:
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        out, lse = forward(query, key, value, tiles, bounded_scores=bounded_scores)
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.tiles, ctx.bounded_scores = tiles, bounded_scores
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        from .tile_attention_backward import backward

        found = backward(
            grad.contiguous(), ctx.saved_tensors, ctx.tiles, bounded_scores=ctx.bounded_scores
        )
        return *found, None, None


def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tiles: QueryTiles,
    *,
    bounded_scores: bool,
    launch: Launch | None = None,
) -> tuple[Tensor, Tensor]:
    """Launch the forward kernel; `launch` is another than that of the table.

    Other arguments as for `tile_attention.tile_attention`; tensors are contiguous.
    """
    launch = launch or launch_of("forward", query, key, tiles.queries.shape[1])
    out = torch.empty_like(query)
    lse = query.new_empty((query.shape[1], query.shape[0]), dtype=torch.float32)
    if tiles.count:
        forward_kernel[(tiles.count * key.shape[1] * launch.parts,)](
            Streams(query, key, value), out, lse, runs_of(tiles), sizes_of(query, key),
            **launch.options, BOUNDED=bounded_scores,
        )  # fmt: skip
    return out, lse
