# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention of tiles of neighboring queries to runs of keys: what all three branches run on.

A tile reads the union of the blocks of its queries once, and a mask says which keys each query
sees. Memory is bounded by a tile, forward and backward. The reference implementation below goes
through tiles and runs as the Triton kernel does.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .attention import group_heads
from .core.dispatch import run_triton, uses_triton
from .core.precision import wide_type, widened
from .core.score_bound import check_bounded
from .core.segments import ranges
from .core.workers import run_in_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .core.routing_plan import KeyRuns, QueryTiles

    Result = TypeVar("Result")


def tile_attention(
    query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles, *, bounded_scores: bool = False
) -> tuple[Tensor, Tensor]:
    """Attention of every query to the runs of keys that its tile reads for it.

    Arguments, results and errors as for `selected_attention`; all heads share the tiles.
    """
    _check(query, key, value, tiles)
    if bounded_scores:
        check_bounded(query, key)
    found: tuple[Tensor, Tensor]
    if uses_triton(query):
        from .gpu.tile_attention import FusedTileAttention

        found = run_triton(FusedTileAttention.apply, query, key, value, tiles, bounded_scores)
    else:
        found = _TileAttention.apply(query, key, value, tiles)  # type: ignore[no-untyped-call]
    return found


def _check(query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles) -> None:
    """Raise ValueError for tensors of another plan: a kernel would read outside of them."""
    equal = key.shape == value.shape and query.dtype == key.dtype == value.dtype
    heads = query.shape[2] == key.shape[2] and query.shape[1] % key.shape[1] == 0
    if not (equal and heads and (len(query), len(key)) == tiles.lengths):
        found = ", ".join(f"{each.dtype} {list(each.shape)}" for each in (query, key, value))
        raise ValueError(
            f"query, key and value are {found}; the plan has {tiles.lengths[0]} queries and "
            f"{tiles.lengths[1]} keys, types and widths must agree, and heads divide"
        )


@dataclass(frozen=True)
class _Tile:
    """The queries of a tile and all tokens that one of them attends to.

    Attributes:
        queries: [queries] int64.
        tokens: [tokens] int64.
        bias: [queries, tokens] float32, 0 where a query attends to a token, else -inf.
        blind: [queries] bool, attends to nothing.
    """

    queries: Tensor
    tokens: Tensor
    bias: Tensor
    blind: Tensor


def _walk(tiles: QueryTiles, runs: KeyRuns, part: int, parts: int) -> Iterator[_Tile]:
    """Every tile that reads anything; part number `part` of `parts`."""
    bits = torch.arange(tiles.queries.shape[1], device=runs.mask.device)
    spans = enumerate(pairwise(runs.offsets.tolist()))
    for number, (first, last) in islice(spans, part, None, parts):
        if first == last:
            continue
        length = runs.length[first:last].long()
        queries = tiles.queries[number]
        queries = queries[queries >= 0].long()
        hidden = (runs.mask[first:last] >> bits[: len(queries), None]) & 1 == 0
        bias = torch.repeat_interleave(torch.where(hidden, -torch.inf, 0.0), length, 1)
        tokens = ranges(runs.start[first:last].long(), length)
        yield _Tile(queries, tokens, bias, hidden.all(1))


class _TileAttention(torch.autograd.Function):
    """The reference implementation; the backward computes the probabilities again."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, tiles: QueryTiles
    ) -> tuple[Tensor, Tensor]:
        out = torch.zeros_like(query)
        size, wide = (query.shape[1], query.shape[0]), wide_type(query.dtype)
        lse = query.new_full(size, -torch.inf, dtype=wide)
        runs = tiles.runs  # made here once, not by every thread

        def attend(part: int, parts: int) -> None:
            for tile in _walk(tiles, runs, part, parts):
                seen = key[tile.tokens], value[tile.tokens]
                found = _attended(query[tile.queries], *seen, tile)
                out[tile.queries], lse[:, tile.queries] = found

        _on_threads(attend, query)
        ctx.save_for_backward(query, key, value, out)
        ctx.tiles = tiles
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        dtype = grad.dtype  # too short for scores, and for sums over queries
        query, key, value, out, grad = map(widened, (*ctx.saved_tensors, grad))
        scale = 1 / math.sqrt(query.shape[2])
        runs = ctx.tiles.runs
        query_grad, inner = torch.zeros_like(query), (grad * out).sum(-1, keepdim=True)

        def accumulate(part: int, parts: int) -> Tensor:
            grads = torch.stack([torch.zeros_like(key), torch.zeros_like(value)])
            for tile in _walk(ctx.tiles, runs, part, parts):
                rows = (tensor[tile.queries] for tensor in (query, grad, inner))
                q, g, dot = (group_heads(tensor, key.shape[1]) for tensor in rows)
                weights, _ = _softmax(query[tile.queries], key[tile.tokens], tile)
                slope = weights * (g @ value[tile.tokens].permute(1, 2, 0) - dot) * scale
                query_grad[tile.queries] = _ungroup(slope @ key[tile.tokens].transpose(0, 1), tile)
                grads[0].index_add_(0, tile.tokens, (slope.mT @ q).transpose(0, 1))
                grads[1].index_add_(0, tile.tokens, (weights.mT @ g).transpose(0, 1))
            return grads

        key_grad, value_grad = functools.reduce(torch.add, _on_threads(accumulate, query))
        return query_grad.to(dtype), key_grad.to(dtype), value_grad.to(dtype), None


def _attended(query: Tensor, key: Tensor, value: Tensor, tile: _Tile) -> tuple[Tensor, Tensor]:
    """Output [n, Hq, D] of one tile, and log-sum-exp in base 2 [Hq, n].

    Args:
        query: [n, Hq, D].
        key: [tokens, Hk, D].
        value: like key.
        tile: of these queries and tokens.
    """
    if query.is_cpu:
        return _attended_on_cpu(query, key, value, tile)
    weights, sums = _softmax(widened(query), widened(key), tile)
    out = _ungroup(weights @ widened(value).transpose(0, 1), tile).to(query.dtype)
    return out, _ungroup(sums, tile)[..., 0].T


def _attended_on_cpu(
    query: Tensor, key: Tensor, value: Tensor, tile: _Tile
) -> tuple[Tensor, Tensor]:
    """The same by torch's fused attention; its public function does not return the log-sum-exp."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001
    batch, group = key.shape[1], query.shape[1] // key.shape[1]
    rows = query.transpose(0, 1).unflatten(0, (batch, group))
    streams = (each.transpose(0, 1)[:, None].expand(-1, group, -1, -1) for each in (key, value))
    out, lse = fused(rows, *streams, attn_mask=tile.bias.to(query.dtype)[None, None])
    out = out.flatten(0, 1).masked_fill(tile.blind[:, None], 0)
    lse = lse.flatten(0, 1).masked_fill(tile.blind, -torch.inf)
    return out.transpose(0, 1), lse / math.log(2)


def _on_threads(work: Callable[[int, int], Result], like: Tensor) -> list[Result]:
    """Distribute tiles over the threads of a CPU; other devices schedule by themselves."""
    return run_in_parts(work) if like.is_cpu else [work(0, 1)]


def _softmax(query: Tensor, key: Tensor, tile: _Tile) -> tuple[Tensor, Tensor]:
    """Probabilities [Hk, n * group, tokens], and log-sum-exp in base 2 [Hk, n * group, 1].

    The sum comes from the largest probability: on a CPU, exp of -inf is far slower than softmax.
    """
    rows = group_heads(query / math.sqrt(query.shape[2]), key.shape[1])
    scores = rows @ key.permute(1, 2, 0)
    by_query = scores.view(key.shape[1], query.shape[0], -1, key.shape[0])
    by_query += tile.bias[:, None]
    weights = scores.softmax(-1)
    sums = (scores.amax(-1, keepdim=True) - weights.amax(-1, keepdim=True).log()) / math.log(2)
    if tile.blind.any():
        blind = tile.blind[:, None, None]
        weights.view_as(by_query).masked_fill_(blind, 0)
        sums.view(*by_query.shape[:3], 1).masked_fill_(blind, -torch.inf)
    return weights, sums


def _ungroup(rows: Tensor, tile: _Tile) -> Tensor:
    """[Hk, n * group, D] back to [n, Hq, D]."""
    count, width = len(tile.queries), rows.shape[2]
    return rows.view(rows.shape[0], count, -1, width).transpose(0, 1).reshape(count, -1, width)
