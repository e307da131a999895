# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention to the keys and values of one rank after the other: memory for traffic.

A rank then holds the keys and values of three ranks, not of all: its own, those that it attends to,
and those on their way. The attention to parts is merged by their log-sum-exp, which is exact. For
inference only: nothing of it has a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from kernels.core.precision import widened
from kernels.selected_attention import selected_attention

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan

    from .group import Group
    from .spread import Spread


def selected_in_turn(
    query: Tensor,
    own: tuple[Tensor, Tensor],
    plan: RoutingPlan,
    spread: Spread,
    group: Group,
    *,
    bounded_scores: bool = False,
) -> Tensor:
    """Selected attention to the keys and values of all ranks; all of them call it.

    Args:
        query: [queries, query heads, D], of this rank.
        own: keys and values of this rank, [tokens, key/value heads, D] each.
        plan: of these queries, to the blocks of all ranks, whose holders are the ranks.
        spread: of the tokens of all ranks.
        group: of several ranks.
        bounded_scores: as for `selected_attention`.

    Returns:
        [queries, query heads, D].

    Raises:
        ValueError: if a gradient is wanted, or scores are not bounded as stated.
    """
    if torch.is_grad_enabled() and query.requires_grad:
        raise ValueError("attention to one rank after the other has no gradient")
    ranks = keys_in_turn(torch.stack(own), spread, group)
    parts = (
        selected_attention(query, keys[0], keys[1], plan.parts[rank], bounded_scores=bounded_scores)
        for rank, keys in ranks
    )
    return merged(query, parts)


def keys_in_turn(own: Tensor, spread: Spread, group: Group) -> Iterator[tuple[int, Tensor]]:
    """Each rank that has tokens, with their keys and values; the next ones are on their way.

    Args:
        own: [2, tokens, key/value heads, D], keys and values of this rank.
        spread: of the tokens of all ranks.
        group: of several ranks.
    """
    senders = [rank for rank, count in enumerate(spread.count_list) if count]
    coming = [_start_broadcast(own, rank, spread, group) for rank in senders[:1]]
    for rank, following in zip(senders, [*senders[1:], None], strict=True):
        keys, work = coming.pop()
        work.wait()
        if following is not None:
            coming.append(_start_broadcast(own, following, spread, group))
        yield rank, keys


def merged(query: Tensor, parts: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The attention to all keys from the attention to disjoint parts of them.

    Args:
        query: [queries, query heads, D].
        parts: values [queries, query heads, D] and their log-sum-exp in base 2
            [query heads, queries], as `selected_attention` returns them.

    Returns:
        [queries, query heads, D]; zeros for a query without keys.
    """
    values = widened(torch.zeros_like(query))
    total = values.new_full(query.shape[1::-1], -torch.inf)
    for part, log_sum in parts:
        both = torch.logaddexp2(total, log_sum)
        old, new = (
            torch.exp2(each - both).nan_to_num(0.0).T[..., None] for each in (total, log_sum)
        )
        values, total = values * old + widened(part) * new, both
    return values.to(query.dtype)


def _start_broadcast(
    own: Tensor, rank: int, spread: Spread, group: Group
) -> tuple[Tensor, dist.Work]:
    """Begin to send the keys and values of a rank to all others."""
    keys = own
    if rank != group.rank:
        keys = own.new_empty(2, spread.count_list[rank], *own.shape[2:])
        group.received["broadcast"] += keys.nbytes
    work = dist.broadcast(keys, group=group.handle, group_src=rank, async_op=True)
    return keys, work
