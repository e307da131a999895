# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rank computes which block, section 3.5 of the paper: blocks stay whole.

A rank is one process with one device. Whole blocks keep window attention and the compression of
keys on one rank. Two policies: `contiguous`, the release's, gives every rank a run of blocks with
about as many tokens; `balanced` also starts from runs, but of about equal cost, and then gives some
blocks away until all ranks take about as long.

`speeds` are the relative speeds of the ranks, one positive number each, equal for equal cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

Policy = Literal["contiguous", "balanced"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

CLOSE_ENOUGH = 1.01
"""Longest time of a rank over the mean from which on no further block is given away: a block that
leaves its run has more of its neighbors on other ranks."""


@dataclass(frozen=True)
class BlockWork:
    """The blocks of one stream, over all instances.

    Attributes:
        tokens: [blocks] int, of each block.
        cost: [blocks] float, modelled time of each block on a rank of speed 1.
    """

    tokens: Tensor
    cost: Tensor


def assign(streams: Sequence[BlockWork], speeds: Sequence[float], policy: Policy) -> list[Tensor]:
    """The rank of every block of every stream, [blocks] int64 each.

    With `balanced` each stream makes up for what is left uneven by those before it, so the stream
    of the smaller blocks comes last.

    Raises:
        ValueError: for another policy, or for speeds that are not positive.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy {policy!r}; there are {', '.join(POLICIES)}")
    if policy == "contiguous":
        return [contiguous(stream.tokens, speeds) for stream in streams]
    loads, found = torch.zeros(len(speeds), dtype=torch.float64), []
    for stream in streams:
        ranks = balanced(stream.cost, speeds, loads)
        loads = loads + rank_sums(stream.cost, ranks, len(speeds))
        found.append(ranks)
    return found


def contiguous(amounts: Tensor, speeds: Sequence[float]) -> Tensor:
    """Runs of blocks, rank after rank, of about equal amounts: [blocks] int64, ascending.

    A rank aims at its share of what the ranks before it have left. It takes at least one block, and
    the next one as long as that brings it closer, or equally close, to its aim; the last rank takes
    the rest. If there are fewer blocks than ranks, some ranks stay empty.

    Args:
        amounts: [blocks] tokens or cost of each block.
        speeds: of the ranks.

    Raises:
        ValueError: for speeds that are not positive.
    """
    _check(speeds)
    waiting, ranks = amounts.tolist(), []
    left, block = float(sum(waiting)), 0
    for rank, speed in enumerate(speeds):
        aim, taken, first = left * speed / sum(speeds[rank:]), 0.0, block
        last = rank == len(speeds) - 1
        while block < len(waiting) and (
            last or block == first or abs(taken + waiting[block] - aim) <= abs(taken - aim)
        ):
            taken += waiting[block]
            block += 1
        ranks += [rank] * (block - first)
        left -= taken
    return torch.tensor(ranks, dtype=torch.int64, device=amounts.device)


def balanced(costs: Tensor, speeds: Sequence[float], loads: Tensor | None = None) -> Tensor:
    """Runs of about equal cost, then single blocks from the latest rank to the earliest one.

    Args:
        costs: [blocks] modelled time of each block.
        speeds: of the ranks.
        loads: [ranks] cost of what the ranks have to do besides.

    Returns:
        [blocks] int64, the rank of each block. It ends when the latest rank is `CLOSE_ENOUGH` to
        the mean, or when no block would help.

    Raises:
        ValueError: for speeds that are not positive.
    """
    ranks = contiguous(costs, speeds)
    count, speed = len(speeds), torch.tensor(speeds, dtype=torch.float64)
    cost, owner = costs.detach().cpu().double(), ranks.cpu()
    load = rank_sums(cost, owner, count) + (0 if loads is None else loads.cpu())
    bound = CLOSE_ENOUGH * float(load.sum() / speed.sum())
    for _ in range(len(cost)):
        times = load / speed
        late, early = int(times.argmax()), int(times.argmin())
        if float(times[late]) <= bound:
            break
        block = _block_to_give(cost, owner == late, times[[late, early]], speed[[late, early]])
        if block is None:
            break
        owner[block] = early
        load[late] -= cost[block]
        load[early] += cost[block]
    return owner.to(costs.device)


def rank_sums(amounts: Tensor, ranks: Tensor, count: int) -> Tensor:
    """The sum of each rank's amounts, [count] float64 on the CPU."""
    sums = torch.zeros(count, dtype=torch.float64)
    return sums.index_add(0, ranks.cpu(), amounts.detach().cpu().double())


def _block_to_give(cost: Tensor, held: Tensor, times: Tensor, speed: Tensor) -> int | None:
    """The block of the late rank after whose move both ranks end as near to each other as can be.

    Args:
        cost: [blocks].
        held: [blocks] bool, of the late rank.
        times: [2] of the late rank and of the early one.
        speed: [2] likewise.

    Returns:
        None if the early rank would then be as late.
    """
    after = torch.maximum(times[0] - cost / speed[0], times[1] + cost / speed[1])
    after[~held] = torch.inf
    best = int(after.argmin()) if len(after) else 0
    return best if held.any() and after[best] < times[0] else None


def _check(speeds: Sequence[float]) -> None:
    if not speeds or min(speeds) <= 0:
        raise ValueError(f"speeds {list(speeds)}; every rank needs a positive one")
