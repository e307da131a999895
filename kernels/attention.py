# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full softmax attention over packed sequences with grouped key/value heads: the dense stage.

The tokens of all instances are packed, one instance after the other; offsets say where each begins.
Nothing of size queries x keys is stored: fused attention works in tiles. On CUDA it is that of
flash-attn, where that is installed (`gpu/flash_attention.py`), everywhere else torch's own.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from .core.segments import chunks
from .gpu.flash_attention import packed_attention, uses_flash

SCORES_PER_CHUNK = 1 << 24  # of a queries x keys matrix that has to be stored


def attention(
    query: Tensor, key: Tensor, value: Tensor, query_offsets: Tensor, key_offsets: Tensor
) -> Tensor:
    """softmax(q k^T / sqrt(D)) v inside each instance.

    Args:
        query: [queries, query heads, D].
        key: [keys, key/value heads, D]; query head h reads key/value head h // group.
        value: like key.
        query_offsets: [instances + 1] int, queries before each instance.
        key_offsets: [instances + 1] int, keys before each instance.

    Returns:
        [queries, query heads, D]; zeros where an instance has no key.
    """
    spans = list(zip(_spans(query_offsets), _spans(key_offsets), strict=True))
    if spans and all(q0 < q1 and k0 < k1 for (q0, q1), (k0, k1) in spans) and uses_flash(query):
        longest = max(q1 - q0 for (q0, q1), _ in spans), max(k1 - k0 for _, (k0, k1) in spans)
        return packed_attention(query, key, value, (query_offsets, key_offsets), longest)
    results = []
    for (q0, q1), (k0, k1) in spans:
        if q0 < q1:
            chunk = query[q0:q1]
            keyless = k0 == k1
            results.append(
                torch.zeros_like(chunk)
                if keyless
                else batched_attention(chunk[None], key[None, k0:k1], value[None, k0:k1])[0]
            )
    return torch.cat(results) if results else torch.zeros_like(query)


def batched_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same for a batch of equally long sequences.

    The query heads of a group are stacked as further rows of one long sequence, since without a
    causal mask the position of a row does not matter; so no key is repeated.

    Args:
        query: [batch, queries, query heads, D].
        key: [batch, keys, key/value heads, D].
        value: like key.
    """
    batch, length, heads, width = query.shape
    rows = group_heads(query, key.shape[2])
    out = F.scaled_dot_product_attention(rows, key.transpose(1, 2), value.transpose(1, 2))
    out = out.view(batch, key.shape[2], length, heads // key.shape[2], width)
    return out.transpose(1, 2).reshape(batch, length, heads, width)


def group_heads(query: Tensor, key_value_heads: int) -> Tensor:
    """[..., n, Hq, D] to [..., Hk, n * group, D]: one sequence of rows per key/value head."""
    *batch, length, heads, width = query.shape
    grouped = query.reshape(*batch, length, key_value_heads, heads // key_value_heads, width)
    return grouped.transpose(-4, -3).flatten(-3, -2)


def log_sum_exp(query: Tensor, key: Tensor, query_offsets: Tensor, key_offsets: Tensor) -> Tensor:
    """The natural logarithm of the softmax denominators, [query heads, queries].

    Arguments as for `attention`; -inf where an instance has no key.
    """
    heads, group = query.shape[1], query.shape[1] // key.shape[1]
    result = query.new_full((heads, query.shape[0]), -torch.inf)
    for (q0, q1), (k0, k1) in zip(_spans(query_offsets), _spans(key_offsets), strict=True):
        if k0 == k1:
            continue
        for start, stop in query_chunks(q0, q1, heads * (k1 - k0)):
            rows = group_heads(query[start:stop], key.shape[1])
            scores = rows @ key[k0:k1].permute(1, 2, 0) / math.sqrt(key.shape[2])
            lse = scores.logsumexp(-1).view(key.shape[1], stop - start, group)
            result[:, start:stop] = lse.transpose(1, 2).reshape(heads, stop - start)
    return result


def query_chunks(start: int, stop: int, scores_per_query: int) -> list[tuple[int, int]]:
    """Split the queries start .. stop - 1 so that the scores of one chunk fit in memory."""
    return chunks(start, stop, SCORES_PER_CHUNK // max(1, scores_per_query))


def _spans(offsets: Tensor) -> list[tuple[int, int]]:
    return list(pairwise(offsets.tolist()))
