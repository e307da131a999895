# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse attention as the paper defines it: eqs. (1) and (2), compression and block routing.

Every function takes one instance and is written to be read, not to be fast. The tests of all
kernels compare with these functions. `gated_sum`, eq. (2), also runs: on a CPU `kernels.gating`
calls it. The field and its rendering are in `field_definitions`.

Letters in shapes:
    N  queries; also the rows of any other packed tensor
    M  tokens of the key stream, block after block
    B  blocks of the key stream; block b holds the tokens offsets[b] .. offsets[b + 1] - 1
    K  blocks selected per query
    H  query heads
    G  key/value heads; query head h reads key/value head h // (H / G)
    D  width of a head
    C  channels of a stream: H * D of queries and outputs, G * D of keys and values
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

LAYER_NORM_EPS = 1e-5


# ------ Equation (1): attention, and its three branches ------


def attention(query: Tensor, key: Tensor, value: Tensor, *, bounded_scores: bool = False) -> Tensor:
    """Attn of eq. (1): softmax(q k^T / sqrt(D)) v over all keys; zeros where there is no key.

    With every token of an instance as a key, this is CrossAttn of eqs. (5) and (6).
    A softmax subtracts the largest score from all, since exp would overflow. Queries and keys that
    are layer-normed have norms of at most sqrt(D) and scores of at most sqrt(D), so that exp of
    the scores themselves, over its sum, is the same: that is `bounded_scores`.

    Args:
        query: [N, H, D].
        key: [M, G, D].
        value: [M, G, D].
        bounded_scores: see above.

    Returns:
        [N, H, D].
    """
    scores = attention_scores(query, key)
    if bounded_scores:
        weights = scores.exp()
        probabilities = weights / weights.sum(-1, keepdim=True)
    else:
        probabilities = scores.softmax(-1)
    return torch.einsum("hnm,mhd->nhd", probabilities, _for_query_heads(value, query))


def attention_scores(query: Tensor, key: Tensor) -> Tensor:
    """Scores q k^T / sqrt(D) of [N, H, D] and [M, G, D], [H, N, M]."""
    products = torch.einsum("nhd,mhd->hnm", query, _for_query_heads(key, query))
    return products / math.sqrt(query.shape[2])


def log_sum_exp(query: Tensor, key: Tensor) -> Tensor:
    """The logarithm of the softmax denominators of [N, H, D] and [M, G, D], [H, N]."""
    return attention_scores(query, key).logsumexp(-1)


def compressed_attention(query: Tensor, block_key: Tensor, block_value: Tensor) -> Tensor:
    """CmpAttn of eq. (1): every query attends to one key and one value per block.

    Args:
        query: [N, H, D].
        block_key: [B, G, D], see `compress`.
        block_value: [B, G, D].

    Returns:
        [N, H, D].
    """
    return attention(query, block_key, block_value)


def selected_attention(
    query: Tensor, key: Tensor, value: Tensor, table: Tensor, offsets: Tensor
) -> Tensor:
    """SelAttn of eq. (1): every query attends to all tokens of its K selected blocks.

    Args:
        query: [N, H, D].
        key: [M, G, D].
        value: [M, G, D].
        table: [N, K] int, see `selected_tokens`.
        offsets: [B + 1] int.

    Returns:
        [N, H, D]; zeros for a query that selects no block.
    """
    outputs = [
        attention(query[n : n + 1], key[tokens], value[tokens])
        for n, tokens in enumerate(selected_tokens(table, offsets))
    ]
    return torch.cat([query[:0], *outputs])


def selected_tokens(table: Tensor, offsets: Tensor) -> list[Tensor]:
    """The tokens of the selected blocks of each query, N times [tokens] int64.

    Args:
        table: [N, K] int, block ids in any order. Ids outside 0 .. B - 1 are ignored; a block that
            is selected twice counts twice.
        offsets: [B + 1] int.
    """
    blocks = [torch.arange(first, last) for first, last in pairwise(offsets.tolist())]
    none = torch.arange(0)
    return [
        torch.cat([none, *(blocks[block] for block in row if 0 <= block < len(blocks))])
        for row in table.tolist()
    ]


def window_attention(query: Tensor, key: Tensor, value: Tensor, offsets: Tensor) -> Tensor:
    """WinAttn of eq. (1): every token attends to the tokens of its own block.

    Args:
        query: [M, H, D], of the key stream itself.
        key: [M, G, D].
        value: [M, G, D].
        offsets: [B + 1] int.

    Returns:
        [M, H, D].
    """
    outputs = [
        attention(query[first:last], key[first:last], value[first:last])
        for first, last in pairwise(offsets.tolist())
    ]
    return torch.cat([query[:0], *outputs])


# ------ Equation (2): the gates ------


def gated_sum(logits: Tensor, branches: Sequence[Tensor]) -> Tensor:
    """Eq. (2): o = sigmoid(g_cmp) o_cmp + sigmoid(g_sel) o_sel + sigmoid(g_win) o_win.

    The product is channel by channel. Without a window there are two branches. Eqs. (7) and (8)
    weigh cross-attention and self-attention of a stream by the same formula.

    Args:
        logits: [N, branches * C], a linear map of the query tokens: for the first branch, then for
            the next.
        branches: [N, C] each.

    Returns:
        [N, C].
    """
    gates = torch.sigmoid(logits).chunk(len(branches), dim=-1)
    return functools.reduce(torch.add, map(torch.mul, gates, branches))


# ------ Section 3.3: compression of the keys and values of a block ------


class Perceptron(NamedTuple):
    """The two linear maps of the residual module, each as of `torch.nn.Linear`.

    Attributes:
        first: [C, C].
        first_bias: [C].
        second: [C, C].
        second_bias: [C].
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor


def compress(stream: Tensor, perceptron: Perceptron, offsets: Tensor) -> Tensor:
    """AvgPool(ResBlock(x)): one key or value per block.

    Args:
        stream: [M, C], keys or values of all G heads.
        perceptron: of the residual module.
        offsets: [B + 1] int.

    Returns:
        [B, C].
    """
    return block_mean(residual_module(stream, perceptron), offsets)


def residual_module(stream: Tensor, perceptron: Perceptron) -> Tensor:
    """ResBlock: layer_norm(x + W2 silu(W1 x + b1) + b2), [M, C] to [M, C]."""
    hidden = F.silu(stream @ perceptron.first.T + perceptron.first_bias)
    return layer_norm(stream + hidden @ perceptron.second.T + perceptron.second_bias)


def block_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """AvgPool: the mean over the tokens of each block, [M, C] to [B, C]."""
    means = [values[first:last].mean(0, keepdim=True) for first, last in pairwise(offsets.tolist())]
    return torch.cat([values[:0], *means])


def layer_norm(stream: Tensor) -> Tensor:
    """(x - mean) / sqrt(variance + eps) over the last axis, without parameters."""
    centered = stream - stream.mean(-1, keepdim=True)
    variance = centered.square().mean(-1, keepdim=True)
    return centered / torch.sqrt(variance + LAYER_NORM_EPS)


# ------ Which blocks are selected: by score (section 3.1), by distance (section 3.4) ------


def block_scores(query: Tensor, block_key: Tensor) -> Tensor:
    """How much the query heads of a group attend to each block: summed probabilities.

    Args:
        query: [N, H, D].
        block_key: [B, G, D].

    Returns:
        [G, N, B], in 0 .. H / G.
    """
    probabilities = attention_scores(query, block_key).softmax(-1)
    heads, queries, blocks = probabilities.shape
    groups = block_key.shape[1]
    return probabilities.view(groups, heads // groups, queries, blocks).sum(1)


def blocks_by_score(query: Tensor, block_key: Tensor, count: int) -> Tensor:
    """The `count` blocks of the highest score, [G, N, min(count, B)] int64, ids ascending."""
    scores = block_scores(query, block_key)
    return scores.topk(min(count, len(block_key)), dim=-1).indices.sort(-1).values


def nearest(query: Tensor, points: Tensor, count: int) -> Tensor:
    """The nearest points, as of block centers: nearest first, the lower index among equals.

    Args:
        query: [N, axes].
        points: [B, axes].
        count: points per query.

    Returns:
        [N, min(count, B)] int64.
    """
    squared = (query[:, None] - points).square().sum(-1)
    return squared.sort(dim=1, stable=True).indices[:, :count]


def squared_surface_distance(query: Tensor, near: Tensor, seen: Tensor, far: float) -> Tensor:
    """The squared distance of each query to the surface points that candidate blocks see.

    Args:
        query: [N, 3].
        near: [N, candidates] int64, blocks.
        seen: [B, 3, pixels], infinite where a pixel sees nothing.
        far: the distance that a pixel which sees nothing counts as.

    Returns:
        [N, candidates]: to the nearest point of the block.
    """
    squared = (query[:, None, :, None] - seen[near]).square().sum(2)
    return squared.masked_fill(squared.isinf(), far**2).amin(2)


def _for_query_heads(stream: Tensor, query: Tensor) -> Tensor:
    """[M, G, D] to [M, H, D]: the key/value head of every query head."""
    return stream.repeat_interleave(query.shape[1] // stream.shape[1], dim=1)
