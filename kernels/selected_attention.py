# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The selected branch: every query attends to all tokens of its few selected blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .tile_attention import tile_attention

if TYPE_CHECKING:
    from .core.routing_plan import RoutingPlan


def selected_attention(
    query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan, *, bounded_scores: bool = False
) -> tuple[Tensor, Tensor]:
    """SelAttn of eqs. (1) and (2): one softmax over all tokens of the selected blocks.

    A block selected twice counts twice. A query that selects no block gets zeros (DEFECT 9,
    docs/deviations.md).

    Args:
        query: [queries, query heads, D].
        key: [tokens, key/value heads, D], block after block; query head h reads key/value head
            h // group.
        value: like key.
        plan: with the block table.
        bounded_scores: queries and keys are layer-normed, so that kernels need no maximum of the
            scores; the result is the same. See `core.score_bound`.

    Returns:
        The attended values [queries, query heads, D], and the log-sum-exp in base 2
        [query heads, queries] float32 or better, -inf for a query without blocks.

    Raises:
        ValueError: if the tensors are not those of the plan, or scores not bounded as stated.
    """
    if len(plan.selected) == 1:
        return tile_attention(query, key, value, plan.selected[0], bounded_scores=bounded_scores)
    if len(plan.selected) != key.shape[1]:
        raise ValueError(f"{len(plan.selected)} block tables for {key.shape[1]} key/value heads")
    group = query.shape[1] // key.shape[1]
    parts = [
        tile_attention(
            query_heads,
            key[:, head, None],
            value[:, head, None],
            plan.selected[head],
            bounded_scores=bounded_scores,
        )
        for head, query_heads in enumerate(query.split(group, 1))
    ]
    outputs, sums = zip(*parts, strict=True)
    return torch.cat(outputs, 1), torch.cat(sums)
