# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The selected branch: every query attends to all tokens of the few blocks its table names.

The reference goes through the queries in tiles of neighbours, which choose nearly the same
blocks: one tile gathers the union of its blocks once, and a bias says how often each query named
each of them (minus infinity: not at all). So memory is bounded by a tile, forward and backward,
and the gradient of the keys is added into one buffer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .attention import group_heads
from .blocks import Blocks, ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

_TILE_QUERIES = 64
_TILE_ELEMENTS = 1 << 23  # of the scores of one tile; larger tiles are halved


def selected_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    block_table: Tensor,
    query_offsets: Tensor,
    blocks: Blocks,
) -> tuple[Tensor, Tensor]:
    """SelAttn of eqs. (1) and (2): one softmax over all tokens of the selected blocks.

    A block named twice counts twice. A query that names no block gets zeros.

    Args:
        query: [queries, query heads, D].
        key: [tokens, key/value heads, D], block after block.
        value: like key.
        block_table: [1 or key/value heads, queries, K] int, ids inside the query's instance;
            anything outside 0..blocks - 1 (as -1) is ignored; one table may serve all heads.
        query_offsets: [instances + 1] int, queries before each instance.
        blocks: the blocks of the key stream.

    Returns:
        The attended values [queries, query heads, D], and the log-sum-exp in base 2
        [query heads, queries], -inf for a query without blocks.
    """
    parts = []
    for head, table in enumerate(block_table):
        keys = slice(None) if len(block_table) == 1 else slice(head, head + 1)
        group = query.shape[1] // key.shape[1]
        queries = slice(None) if len(block_table) == 1 else slice(head * group, (head + 1) * group)
        tiles = _Tiles(table, query_offsets, blocks)
        streams = query[:, queries], key[:, keys], value[:, keys]
        parts.append(_Attend.apply(*streams, tiles))  # type: ignore[no-untyped-call]
    outputs, sums = zip(*parts, strict=True)
    return torch.cat(outputs, 1), torch.cat(sums)


@dataclass(frozen=True)
class _Tile:
    """Neighboring queries and all tokens that one of them selects."""

    queries: slice
    tokens: Tensor  # [tokens] int64, rows of key and value
    bias: Tensor  # [queries, tokens] log of how often the query names the token's block
    empty: Tensor  # [queries] bool, no block at all: the bias of such a row is 0


@dataclass(frozen=True)
class _Tiles:
    """The tiles of one block table, made when they are needed."""

    table: Tensor  # [queries, K]
    query_offsets: Tensor
    blocks: Blocks

    def walk(self, heads: int) -> Iterator[_Tile]:
        """Every query once, in tiles whose scores for `heads` heads stay bounded."""
        starts, firsts = self.query_offsets.tolist(), self.blocks.instance_offsets.tolist()
        for instance, (start, stop) in enumerate(pairwise(starts)):
            ids = self.table[start:stop].long()
            inside = (ids >= 0) & (ids < firsts[instance + 1] - firsts[instance])
            ids = torch.where(inside, ids + firsts[instance], -1)
            for begin in range(start, stop, _TILE_QUERIES):
                end = min(begin + _TILE_QUERIES, stop)
                yield from self._split(slice(begin, end), ids[begin - start : end - start], heads)

    def _split(self, queries: slice, ids: Tensor, heads: int) -> Iterator[_Tile]:
        union, column = torch.unique(ids, return_inverse=True)
        none = int(union.numel() > 0 and union[0] < 0)
        named = union[none:]
        starts = self.blocks.token_offsets[named].long()
        lengths = self.blocks.token_offsets[named + 1].long() - starts
        count = ids.shape[0]
        if count > 1 and count * heads * int(lengths.sum()) > _TILE_ELEMENTS:
            middle, half = queries.start + count // 2, count // 2
            yield from self._split(slice(queries.start, middle), ids[:half], heads)
            yield from self._split(slice(middle, queries.stop), ids[half:], heads)
            return
        times = torch.zeros(count, union.numel(), device=ids.device)
        times.scatter_add_(1, column, torch.ones_like(column, dtype=times.dtype))
        times = times[:, none:]
        empty = (times == 0).all(1)
        bias = torch.where(empty[:, None], 0.0, times.log())
        owners = torch.repeat_interleave(torch.arange(len(named), device=ids.device), lengths)
        yield _Tile(queries, ranges(starts, lengths), bias[:, owners], empty)


class _Attend(torch.autograd.Function):
    """Attention of one block table; the probabilities are computed again on the way back."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, tiles: _Tiles
    ) -> tuple[Tensor, Tensor]:
        heads, scale = query.shape[1], 1 / math.sqrt(query.shape[2])
        out = torch.zeros_like(query)
        lse = query.new_full((heads, query.shape[0]), -torch.inf)
        for tile in tiles.walk(heads):
            if tile.tokens.numel() == 0:
                continue
            scores = _scores(query[tile.queries], key[tile.tokens], tile, scale)
            total = scores.logsumexp(-1, keepdim=True)
            rows = torch.exp(scores - total) @ value[tile.tokens].transpose(0, 1)
            out[tile.queries] = _ungroup(rows, tile, heads)
            lse[:, tile.queries] = _ungroup(total, tile, heads, -torch.inf)[..., 0].T
        lse = lse / math.log(2)
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.tiles = tiles
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, out, lse = ctx.saved_tensors
        heads, scale = query.shape[1], 1 / math.sqrt(query.shape[2])
        grads = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for tile in ctx.tiles.walk(heads):
            if tile.tokens.numel() == 0:
                continue
            q, g = (group_heads(t[tile.queries], key.shape[1]) for t in (query, grad))
            dot = group_heads((grad * out)[tile.queries].sum(-1, keepdim=True), key.shape[1])
            sums = group_heads(lse[:, tile.queries].T[..., None], key.shape[1]) * math.log(2)
            scores = _scores(query[tile.queries], key[tile.tokens], tile, scale)
            weights = torch.exp(scores - sums).masked_fill(sums == -torch.inf, 0)
            slope = weights * (g @ value[tile.tokens].permute(1, 2, 0) - dot) * scale
            grads[0][tile.queries] = _ungroup(slope @ key[tile.tokens].transpose(0, 1), tile, heads)
            grads[1].index_add_(0, tile.tokens, (slope.mT @ q).transpose(0, 1))
            grads[2].index_add_(0, tile.tokens, (weights.mT @ g).transpose(0, 1))
        return *grads, None


def _scores(query: Tensor, key: Tensor, tile: _Tile, scale: float) -> Tensor:
    """[key/value heads, queries * group, tokens], the bias included."""
    rows = group_heads(query * scale, key.shape[1])
    scores = (rows @ key.permute(1, 2, 0)).view(
        key.shape[1], query.shape[0], -1, tile.tokens.numel()
    )
    return (scores + tile.bias[:, None].to(scores.dtype)).flatten(1, 2)


def _ungroup(rows: Tensor, tile: _Tile, heads: int, blank: float = 0.0) -> Tensor:
    """[Hk, n * group, D] back to [n, Hq, D], with `blank` in rows that selected nothing."""
    count = tile.empty.numel()
    out = rows.view(rows.shape[0], count, -1, rows.shape[2]).transpose(0, 1)
    return out.reshape(count, heads, -1).masked_fill(tile.empty[:, None, None], blank)
