# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of tile attention in Triton, without atomics: the same bits in every run.

`query_kernel` walks the runs of each tile as the forward does. In `key_kernel` a program holds one
piece of the keys and walks a list of the tiles that read it; `sum_kernel` sums the lists of a piece
in order.

With p the probabilities, o the output and g its gradient: delta = sum(o g) per row,
ds = p (g v^T - delta), dq = ds k / sqrt(D), dk = ds^T q / sqrt(D), dv = p^T g.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import triton
import triton.language as tl

from ..core.routing_plan import RUN_TOKENS
from .launch import launch_of
from .tile_attention import probabilities, scores
from .tile_memory import (
    Streams,
    load_queries,
    load_rows,
    load_run,
    load_tokens,
    own_rows,
    rows_of,
    rows_seeing,
    runs_of,
    sizes_of,
    span_of,
    store_queries,
    store_rows,
    tile_queries,
    unpacked,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..core.routing_plan import QueryTiles
    from .launch import Launch

LN_2 = tl.constexpr(0.6931471805599453)  # back from base 2


class Saved(NamedTuple):
    """Pointers to what the forward saved, and to the gradient of its output.

    Attributes:
        out: like the query.
        grad: like the query.
        lse: [key/value heads * group, queries] float32.
    """

    out: Any
    grad: Any
    lse: Any


class Readers(NamedTuple):
    """Pointers to the pieces of the keys and the lists of tiles that read them.

    Attributes:
        start: [pieces] int32.
        length: [pieces] int32.
        piece: [lists] int32.
        begin: [lists] int32, into the queries.
        end: [lists] int32.
        queries: [entries, TILE] int32, -1 where a query does not attend to the piece.
    """

    start: Any
    length: Any
    piece: Any
    begin: Any
    end: Any
    queries: Any


@triton.jit
def query_kernel(
    streams,
    saved,
    query_grad_ptr,  # like streams.query
    delta_ptr,  # like saved.lse
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
    """The gradient of the queries of one tile; stores delta for `key_kernel`.

    Behind the keys of a run stand zeros, and so no mask is needed where a score of 0 is in bounds:
    whatever its probability, it moves nothing.
    """
    tile, key_head, rows = own_rows(runs, sizes, TILE, GROUP, PARTS)
    query = load_queries(streams.query, rows, sizes, HEAD, WIDTH)
    grad = load_queries(saved.grad, rows, sizes, HEAD, WIDTH)
    out = load_queries(saved.out, rows, sizes, HEAD, WIDTH)
    delta = tl.sum(out.to(tl.float32) * grad.to(tl.float32), 1)
    offset = rows.head.to(tl.int64) * sizes.queries + rows.query
    tl.store(delta_ptr + offset, delta, mask=rows.valid)
    lse = tl.load(saved.lse + offset, mask=rows.valid, other=float("inf"))
    slope_sum = tl.zeros([TILE * GROUP, WIDTH], tl.float32)
    first, stop, packed = span_of(runs, tile)
    for number in range(first, stop):
        following = tl.load(runs.packed + tl.minimum(number + 1, stop - 1))
        run = unpacked(packed)
        key, value = load_run(streams, run, key_head, sizes, HEAD, WIDTH, RUN, REPEAT=False)
        score = scores(query, key, run.length, BOUNDED, PRECISION)
        shift = tl.where(rows_seeing(run, rows), lse, float("inf"))
        weight = probabilities(score, shift[:, None], sizes.scale)
        slope = tl.dot(grad, value.T, input_precision=PRECISION)
        slope = weight * (slope - delta[:, None])
        slope_sum = tl.dot(slope.to(key.dtype), key, slope_sum, input_precision=PRECISION)
        packed = following
    store_queries(query_grad_ptr, rows, slope_sum * (sizes.scale * LN_2), sizes, HEAD, WIDTH)


@triton.jit
def key_kernel(
    streams,
    saved,
    delta_ptr,  # like saved.lse
    key_part_ptr,  # [lists, key/value heads, RUN, width] float32
    value_part_ptr,  # like key_part
    readers,
    sizes,
    TILE: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    HEAD: tl.constexpr,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
    KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The part of one list in the gradients of KEYS keys and values of one piece."""
    number = tl.program_id(0) // sizes.key_heads
    key_head = tl.program_id(0) % sizes.key_heads
    piece = tl.load(readers.piece + number)
    column = tl.program_id(1) * KEYS + tl.arange(0, KEYS)
    start, filled = tl.load(readers.start + piece), column < tl.load(readers.length + piece)
    key = load_tokens(streams.key, start, column, key_head, filled, sizes, HEAD, WIDTH)
    value = load_tokens(streams.value, start, column, key_head, filled, sizes, HEAD, WIDTH)
    key_grad = tl.zeros([KEYS, WIDTH], tl.float32)
    value_grad = tl.zeros([KEYS, WIDTH], tl.float32)
    begin = tl.load(readers.begin + number) * PARTS
    end = tl.load(readers.end + number) * PARTS
    present = tile_queries(readers.queries, begin // PARTS, TILE)
    for step in range(begin, end):
        # The next step's queries are loaded one step ahead, or its loads would wait for them.
        after = tl.minimum(step + 1, end - 1) // PARTS
        following = tile_queries(readers.queries, after, TILE)
        rows = rows_of(present, key_head, step % PARTS, sizes, TILE, GROUP)
        query = load_queries(streams.query, rows, sizes, HEAD, WIDTH)
        grad = load_queries(saved.grad, rows, sizes, HEAD, WIDTH)
        offset = rows.head.to(tl.int64) * sizes.queries + rows.query
        # Where no query is, all are zero: its probabilities are finite, and move nothing.
        lse = tl.load(saved.lse + offset, mask=rows.valid, other=0.0)
        delta = tl.load(delta_ptr + offset, mask=rows.valid, other=0.0)
        # Transposed, keys by queries: both sums then take their left operand as it was computed.
        score = tl.dot(key, query.T, input_precision=PRECISION)
        weight = probabilities(score, lse[None, :], sizes.scale)
        value_grad = tl.dot(weight.to(grad.dtype), grad, value_grad, input_precision=PRECISION)
        slope = weight * (tl.dot(value, grad.T, input_precision=PRECISION) - delta[None, :])
        key_grad = tl.dot(slope.to(query.dtype), query, key_grad, input_precision=PRECISION)
        present = following
    key_grad *= sizes.scale * LN_2
    row = (number * sizes.key_heads + key_head) * RUN + column
    store_rows(key_part_ptr, row, HEAD, 0, filled, key_grad, HEAD, WIDTH)
    store_rows(value_part_ptr, row, HEAD, 0, filled, value_grad, HEAD, WIDTH)


@triton.jit
def sum_kernel(
    part_ptr,  # [lists, key/value heads, RUN, width] float32
    sum_ptr,  # [tokens, key/value heads, width]
    piece_start_ptr,  # [pieces]
    piece_length_ptr,  # [pieces]
    list_offsets_ptr,  # [pieces + 1]
    key_heads,
    width,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
):
    """Sum the lists of one piece, in order; zeros where no tile reads it."""
    piece = tl.program_id(0) // key_heads
    key_head = tl.program_id(0) % key_heads
    column = tl.arange(0, RUN)
    filled = column < tl.load(piece_length_ptr + piece)
    total = tl.zeros([RUN, WIDTH], tl.float32)
    begin, end = tl.load(list_offsets_ptr + piece), tl.load(list_offsets_ptr + piece + 1)
    for number in range(begin, end):
        row = (number * key_heads + key_head) * RUN + column
        total += load_rows(part_ptr, row, width, 0, filled, width, WIDTH)
    token = tl.load(piece_start_ptr + piece) + column
    store_rows(sum_ptr, token, key_heads * width, key_head, filled, total, width, WIDTH)


def backward(
    grad: Tensor, saved: tuple[Tensor, ...], tiles: QueryTiles, *, bounded_scores: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value.

    Args:
        grad: of the output, [queries, query heads, D].
        saved: query, key, value, output and log-sum-exp of the forward.
        tiles: as in the forward.
        bounded_scores: as in the forward.
    """
    query_grad, delta = query_gradient(grad, saved, tiles, bounded_scores=bounded_scores)
    return query_grad, *key_gradients(grad, saved, delta, tiles)


def query_gradient(
    grad: Tensor,
    saved: tuple[Tensor, ...],
    tiles: QueryTiles,
    *,
    bounded_scores: bool,
    launch: Launch | None = None,
) -> tuple[Tensor, Tensor]:
    """The gradient of the queries, and delta [query heads, queries] for `key_gradients`.

    Arguments as for `backward`; `launch` is another than that of the table.
    """
    query, key, value, out, lse = saved
    query_grad, delta = torch.empty_like(query), torch.empty_like(lse)
    launch = launch or launch_of("query", query, key, tiles.queries.shape[1])
    if tiles.count:
        query_kernel[(tiles.count * key.shape[1] * launch.parts,)](
            Streams(query, key, value), Saved(out, grad, lse), query_grad, delta,
            runs_of(tiles), sizes_of(query, key), **launch.options, BOUNDED=bounded_scores,
        )  # fmt: skip
    return query_grad, delta


def key_gradients(
    grad: Tensor,
    saved: tuple[Tensor, ...],
    delta: Tensor,
    tiles: QueryTiles,
    *,
    launch: Launch | None = None,
) -> tuple[Tensor, Tensor]:
    """The gradients of keys and values; of the tiles, only the blocks that they read matter.

    Arguments as for `backward`; `delta` is that of `query_gradient`, `launch` is another than that
    of the table.
    """
    query, key, value, out, lse = saved
    launch = launch or launch_of("key", query, key, tiles.queries.shape[1])
    inverse, heads, width = tiles.inverse, key.shape[1], key.shape[2]
    lists = inverse.list_piece.shape[0]
    parts = key.new_empty((2, lists, heads, RUN_TOKENS, width), dtype=torch.float32)
    if lists:
        key_kernel[(lists * heads, RUN_TOKENS // launch.keys)](
            Streams(query, key, value), Saved(out, grad, lse), delta, *parts,
            readers_of(tiles), sizes_of(query, key), **launch.options, KEYS=launch.keys,
        )  # fmt: skip
    grads = torch.empty_like(key), torch.empty_like(value)
    for part, total in zip(parts, grads, strict=True):
        if len(inverse.start):
            sum_kernel[(len(inverse.start) * heads,)](
                part, total, inverse.start, inverse.length, inverse.list_offsets, heads, width,
                WIDTH=launch.width, RUN=RUN_TOKENS,
            )  # fmt: skip
    return grads


def readers_of(tiles: QueryTiles) -> Readers:
    """The inverse of a plan, as kernels take it."""
    inverse = tiles.inverse
    begin, end = inverse.list_readers
    return Readers(inverse.start, inverse.length, inverse.list_piece, begin, end, inverse.queries)
