# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collectives over the ranks of a group, as `torch.distributed` has them.

They work on rows, [rows, ...] tensors of any dtype, and count what a rank receives from others.
gloo has all of them, reduce-scatter included, so one code serves NCCL and gloo. All
ranks call the same collectives in the same order.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .group import Group


def start_all_gather(rows: Tensor, group: Group) -> tuple[Tensor, dist.Work]:
    """Begin to gather equally many rows of every rank.

    Args:
        rows: [n, ...], the same shape on all ranks.
        group: of several ranks.

    Returns:
        [ranks * n, ...], rank after rank, to be read after `wait` of the second result.
    """
    found = rows.new_empty(group.size * rows.shape[0], *rows.shape[1:])
    work = dist.all_gather_single(found, rows, group=group.handle, async_op=True)
    group.received["all_gather"] += (group.size - 1) * rows.nbytes
    return found, work


def start_reduce_scatter(rows: Tensor, group: Group) -> tuple[Tensor, dist.Work]:
    """Begin to sum rows over the ranks, each of which gets an equal part of the sums.

    Args:
        rows: [ranks * n, ...], the same shape on all ranks.
        group: of several ranks.

    Returns:
        [n, ...], to be read after `wait` of the second result.
    """
    found = rows.new_empty(rows.shape[0] // group.size, *rows.shape[1:])
    work = dist.reduce_scatter_single(found, rows, group=group.handle, async_op=True)
    group.received["reduce_scatter"] += (group.size - 1) * found.nbytes
    return found, work


def all_to_all(rows: Tensor, sent: Sequence[int], received: Sequence[int], group: Group) -> Tensor:
    """Send rows to every rank, and get rows from every rank; differentiable.

    Args:
        rows: [sum of sent, ...], those for rank 0 first.
        sent: how many rows go to each rank.
        received: how many rows come from each rank.
        group: of several ranks.

    Returns:
        [sum of received, ...], those of rank 0 first.
    """
    found: Tensor = _AllToAll.apply(rows, sent, received, group)  # type: ignore[no-untyped-call]
    return found


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, sent: Sequence[int], received: Sequence[int], group: Group
    ) -> Tensor:
        ctx.call = sent, received, group
        return _all_to_all(rows, sent, received, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        sent, received, group = ctx.call
        return _all_to_all(grad, received, sent, group), None, None, None


def _all_to_all(rows: Tensor, sent: Sequence[int], received: Sequence[int], group: Group) -> Tensor:
    found = rows.new_empty(sum(received), *rows.shape[1:])
    dist.all_to_all_single(found, rows.contiguous(), list(received), list(sent), group=group.handle)
    from_others = found.shape[0] - received[group.rank]
    group.received["all_to_all"] += from_others * rows.element_size() * rows[:1].numel()
    return found


def gather_lists(lists: Sequence[Tensor], group: Group) -> list[list[Tensor]]:
    """Every rank's lists, of any length: for each list, those of all ranks.

    Args:
        lists: [any] each, equally many and of one dtype on all ranks.
        group: of one rank or several.
    """
    if group.size == 1:
        return [[each] for each in lists]
    lengths = torch.tensor([len(each) for each in lists], device=lists[0].device)
    all_lengths = _gathered(lengths, group).view(group.size, -1).tolist()
    longest = max(sum(row) for row in all_lengths)
    joined = torch.cat(list(lists))
    padded = torch.cat([joined, joined.new_zeros(longest - len(joined))])
    of_ranks = _gathered(padded, group).view(group.size, longest)
    parts = [
        [row[first:last] for first, last in pairwise(accumulate(sizes, initial=0))]
        for row, sizes in zip(of_ranks, all_lengths, strict=True)
    ]
    return [list(each) for each in zip(*parts, strict=True)]


def true_on_any(flag: bool, group: Group, device: torch.device) -> bool:  # noqa: FBT001
    """Whether it is true on any rank of the group."""
    flags = _gathered(torch.tensor([flag], device=device, dtype=torch.uint8), group)
    return bool(flags.any())


def _gathered(rows: Tensor, group: Group) -> Tensor:
    found, work = start_all_gather(rows, group)
    work.wait()
    return found
