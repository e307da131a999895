# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients of tile attention in Triton, without atomics: the same bits in every run.

`query_kernel` walks the runs of each tile as the forward does. `key_kernel` turns that around:
a program holds one piece of the keys and walks a list of the tiles that read it; `sum_kernel`
adds up the lists of a piece in order.

With p the probabilities, o the output and g its gradient: delta = sum(o g) per row,
ds = p (g v^T - delta), dq = ds k / sqrt(D), dk = ds^T q / sqrt(D), dv = p^T g.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from ..routing_plan import RUN_TOKENS
from .launch import launch_of
from .tile_attention import (
    load_rows,
    scalars,
    store_rows,
    tile_program,
    tile_rows,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..routing_plan import QueryTiles


@triton.jit
def query_kernel(
    query_ptr,  # [queries, key/value heads * group, width]
    key_ptr,  # [tokens, key/value heads, width]
    value_ptr,  # [tokens, key/value heads, width]
    out_ptr,  # like query
    grad_ptr,  # like query, of the output
    query_grad_ptr,  # like query
    lse_ptr,  # [key/value heads * group, queries] float32
    delta_ptr,  # like lse
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
    """The gradient of the queries of one tile; leaves delta for `key_kernel`."""
    tile, key_head, part = tile_program(key_heads, group_size, GROUP)
    slot, asking, head, valid = tile_rows(queries_ptr, tile, part, group_size, TILE, GROUP)
    head += key_head * group_size
    stride = key_heads * group_size * width
    query = load_rows(query_ptr, asking, stride, head, valid, width, WIDTH)
    grad = load_rows(grad_ptr, asking, stride, head, valid, width, WIDTH)
    out = load_rows(out_ptr, asking, stride, head, valid, width, WIDTH)
    delta = tl.sum(out.to(tl.float32) * grad.to(tl.float32), 1)
    place = head.to(tl.int64) * query_count + asking
    tl.store(delta_ptr + place, delta, mask=valid)
    lse = tl.load(lse_ptr + place, mask=valid, other=float("inf"))
    slope_sum = tl.zeros([TILE * GROUP, WIDTH], tl.float32)
    column = tl.arange(0, RUN)
    for run in range(tl.load(run_offsets_ptr + tile), tl.load(run_offsets_ptr + tile + 1)):
        token = tl.load(run_start_ptr + run) + column
        filled = column < tl.load(run_length_ptr + run)
        sees = (tl.load(run_mask_ptr + run) >> slot) & 1 != 0
        key = load_rows(key_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
        value = load_rows(value_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
        score = tl.dot(query, key.T, input_precision=PRECISION)
        score = tl.where(filled[None, :], score, -float("inf"))
        shift = tl.where(sees, lse, float("inf"))
        weight = tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), -shift[:, None]))
        slope = weight * (tl.dot(grad, value.T, input_precision=PRECISION) - delta[:, None])
        slope_sum = tl.dot(slope.to(key.dtype), key, slope_sum, input_precision=PRECISION)
    slope_sum *= scale * 0.6931471805599453  # ln(2): back from base 2
    store_rows(query_grad_ptr, asking, stride, head, valid, slope_sum, width, WIDTH)


@triton.jit
def key_kernel(
    query_ptr,  # [queries, key/value heads * group, width]
    key_ptr,  # [tokens, key/value heads, width]
    value_ptr,  # [tokens, key/value heads, width]
    grad_ptr,  # like query, of the output
    key_part_ptr,  # [lists, key/value heads, RUN, width] float32
    value_part_ptr,  # like key_part
    lse_ptr,  # [key/value heads * group, queries] float32
    delta_ptr,  # like lse
    queries_ptr,  # [tiles, TILE] int32
    piece_start_ptr,  # [pieces]
    piece_length_ptr,  # [pieces]
    list_piece_ptr,  # [lists]
    readers_ptr,  # [2, lists]
    reader_tile_ptr,  # [entries]
    reader_mask_ptr,  # [entries]
    lists,
    scale,
    query_count,
    key_heads,
    group_size,
    width,
    TILE: tl.constexpr,
    GROUP: tl.constexpr,
    WIDTH: tl.constexpr,
    RUN: tl.constexpr,
    KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """What the tiles of one list add to the gradients of KEYS keys and values of one piece."""
    number = tl.program_id(0) // key_heads
    key_head = tl.program_id(0) % key_heads
    piece = tl.load(list_piece_ptr + number)
    column = tl.program_id(1) * KEYS + tl.arange(0, KEYS)
    token = tl.load(piece_start_ptr + piece) + column
    filled = column < tl.load(piece_length_ptr + piece)
    key = load_rows(key_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
    value = load_rows(value_ptr, token, key_heads * width, key_head, filled, width, WIDTH)
    key_grad = tl.zeros([KEYS, WIDTH], tl.float32)
    value_grad = tl.zeros([KEYS, WIDTH], tl.float32)
    stride = key_heads * group_size * width
    parts = tl.cdiv(group_size, GROUP)
    begin, end = tl.load(readers_ptr + number), tl.load(readers_ptr + lists + number)
    for step in range(begin * parts, end * parts):
        reader, part = step // parts, step % parts
        tile = tl.load(reader_tile_ptr + reader)
        slot, asking, head, valid = tile_rows(queries_ptr, tile, part, group_size, TILE, GROUP)
        head += key_head * group_size
        valid = valid & ((tl.load(reader_mask_ptr + reader) >> slot) & 1 != 0)
        query = load_rows(query_ptr, asking, stride, head, valid, width, WIDTH)
        grad = load_rows(grad_ptr, asking, stride, head, valid, width, WIDTH)
        place = head.to(tl.int64) * query_count + asking
        lse = tl.load(lse_ptr + place, mask=valid, other=float("inf"))
        delta = tl.load(delta_ptr + place, mask=valid, other=0.0)
        # Transposed, keys by queries: both sums then take their left operand as it was computed.
        score = tl.dot(key, query.T, input_precision=PRECISION)
        weight = tl.exp2(tl.fma(score, tl.full(score.shape, scale, tl.float32), -lse[None, :]))
        value_grad = tl.dot(weight.to(grad.dtype), grad, value_grad, input_precision=PRECISION)
        slope = weight * (tl.dot(value, grad.T, input_precision=PRECISION) - delta[None, :])
        key_grad = tl.dot(slope.to(query.dtype), query, key_grad, input_precision=PRECISION)
    key_grad *= scale * 0.6931471805599453  # ln(2): back from base 2
    row = (number * key_heads + key_head) * RUN + column
    store_rows(key_part_ptr, row, width, 0, filled, key_grad, width, WIDTH)
    store_rows(value_part_ptr, row, width, 0, filled, value_grad, width, WIDTH)


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
    """Add up the lists of one piece, in order; zeros where nobody reads it."""
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
    grad: Tensor, saved: tuple[Tensor, ...], tiles: QueryTiles
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value.

    Args:
        grad: of the output, [queries, query heads, D].
        saved: query, key, value, output and log-sum-exp of the forward.
        tiles: as in the forward.
    """
    query_grad, delta = query_gradient(grad, saved, tiles)
    return query_grad, *key_gradients(grad, saved, delta, tiles)


def query_gradient(
    grad: Tensor, saved: tuple[Tensor, ...], tiles: QueryTiles
) -> tuple[Tensor, Tensor]:
    """The gradient of the queries, and delta [query heads, queries] for `key_gradients`."""
    query, key, value, out, lse = saved
    query_grad, delta = torch.empty_like(query), torch.empty_like(lse)
    launch = launch_of("query", query, key, tiles.queries.shape[1])
    runs = tiles.runs
    if tiles.count:
        query_kernel[(tiles.count * key.shape[1] * launch.parts,)](
            query, key, value, out, grad, query_grad, lse, delta,
            tiles.queries, runs.offsets, runs.start, runs.length, runs.mask,
            *scalars(query, key), **launch.options,
        )  # fmt: skip
    return query_grad, delta


def key_gradients(
    grad: Tensor, saved: tuple[Tensor, ...], delta: Tensor, tiles: QueryTiles
) -> tuple[Tensor, Tensor]:
    """The gradients of keys and values; only who reads which block matters of the tiles."""
    query, key, value, _, lse = saved
    launch = launch_of("key", query, key, tiles.queries.shape[1])
    inverse, heads, width = tiles.inverse, key.shape[1], key.shape[2]
    lists = inverse.list_piece.shape[0]
    parts = key.new_empty((2, lists, heads, RUN_TOKENS, width), dtype=torch.float32)
    if lists:
        key_kernel[(lists * heads, RUN_TOKENS // launch.keys)](
            query, key, value, grad, parts[0], parts[1], lse, delta, tiles.queries,
            inverse.start, inverse.length, inverse.list_piece, inverse.list_readers,
            inverse.tile, inverse.mask, lists,
            *scalars(query, key), **launch.options, KEYS=launch.keys,
        )  # fmt: skip
    grads = torch.empty_like(key), torch.empty_like(value)
    for part, total in zip(parts, grads, strict=True):
        if len(inverse.start):
            sum_kernel[(len(inverse.start) * heads,)](
                part, total, inverse.start, inverse.length, inverse.list_offsets, heads, width,
                WIDTH=launch.width, RUN=RUN_TOKENS,
            )  # fmt: skip
    return grads
