# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows between ranks: lists, exchanges and gatherings, forward and backward."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import torch

from backend.parallel.collectives import gather_lists
from backend.parallel.exchange import Exchange
from backend.parallel.gathering import Gathering
from backend.parallel.group import ALONE, Group
from backend.parallel.spread import Spread
from tests.ranks import on_ranks


def numbers(count: int, width: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def spread(rows: int, ranks: int, seed: int) -> Spread:
    """Random ranks, none on rank 1."""
    generator = torch.Generator().manual_seed(seed)
    rank = torch.randint(0, max(1, ranks - 1), (rows,), generator=generator)
    return Spread(torch.where(rank > 0, rank + 1, rank), ranks)


def check_lists(group: Group) -> None:
    own = [torch.arange(group.rank), torch.arange(2) + 10 * group.rank]
    first, second = gather_lists(own, group)
    assert [each.tolist() for each in first] == [list(range(rank)) for rank in range(group.size)]
    assert [each.tolist() for each in second] == [[10 * r, 10 * r + 1] for r in range(group.size)]


def check_exchange(group: Group) -> None:
    """There and back is nothing, gradients included; blocks follow the order of the list."""
    rows, blocks = numbers(40), torch.tensor([3, 1, 20, 5, 11])
    before, after = spread(40, group.size, 1), spread(5, group.size, 2).split(blocks)
    way = Exchange(before, after, group)
    own = rows[before.on(group.rank)].requires_grad_()
    moved = way.move(own)
    assert torch.equal(moved, rows[after.on(group.rank)])
    assert torch.equal(way.inverse.move(moved), own)
    moved.backward(2 * moved.detach())
    assert torch.equal(own.grad, 2 * own.detach())
    # A rank whose rows need no gradient takes part in the backward of the others.
    own = rows[before.on(group.rank)].requires_grad_(group.rank == 0)
    way.move(own).sum().backward()
    assert group.rank or torch.equal(own.grad, torch.ones_like(own))
    integers = way.move(torch.arange(40, dtype=torch.int32)[before.on(group.rank)])
    assert integers.tolist() == after.on(group.rank).tolist()


def loss_of(found: tuple[torch.Tensor, ...], rank: int, ranks: int) -> torch.Tensor:
    """What a rank does with the rows; the sum over all ranks does not depend on their number."""
    part = slice(rank, None, ranks)
    return sum((each.flatten(1)[part] ** 3).sum() for each in found) / 3


def check_gathering(group: Group, *, recompute: bool) -> None:
    """Two lists at once, in the background; gradients are summed over the ranks."""
    group = dataclasses.replace(group, received=Counter())
    rows = numbers(30, 4).view(30, 2, 2), numbers(7, 4, seed=1)
    spreads = [spread(30, group.size, 3), spread(7, group.size, 4)]
    own = [
        part[each.on(group.rank)].clone().requires_grad_()
        for part, each in zip(rows, spreads, strict=True)
    ]
    gathering = Gathering(own, spreads, group, recompute=recompute)
    with gathering.saving():
        found = gathering.wait()
        loss = loss_of(found, group.rank, group.size)
    for got, wanted in zip(found, rows, strict=True):
        assert torch.equal(got, wanted)
    gathering.join(loss).backward()
    for each in own:
        assert torch.allclose(each.grad, each.detach() ** 2)
    longest = max(map(sum, zip(*(each.count_list for each in spreads), strict=True)))
    others = (group.size - 1) * longest * 4 * 4
    gathered = (2 if recompute else 1) * others
    assert group.received == {"all_gather": gathered, "reduce_scatter": others}


def check_unused_gathering(group: Group, *, recompute: bool) -> None:
    """A rank that computes nothing with the rows takes part in their backward."""
    everywhere = Spread(torch.arange(12) % group.size, group.size)
    own = numbers(12)[everywhere.on(group.rank)].clone().requires_grad_()
    gathering = Gathering([own], [everywhere], group, recompute=recompute)
    with gathering.saving():
        (found,) = gathering.wait()
        stream = found.square().sum() if group.rank == 0 else own.new_zeros(())
    gathering.join(stream).backward()
    assert torch.allclose(own.grad, 2 * own.detach())


def check_all(group: Group) -> None:
    check_lists(group)
    check_exchange(group)
    for recompute in (False, True):
        check_gathering(group, recompute=recompute)
        check_unused_gathering(group, recompute=recompute)


@pytest.mark.parametrize("ranks", [2, 3])
def test_collectives_on_ranks(ranks, tmp_path):
    """Lists, exchanges and gatherings of several ranks, one of which has no rows."""
    on_ranks(ranks, tmp_path, check_all)


def test_one_rank_communicates_nothing():
    """Alone, every collective gives back the very same tensors."""
    own = numbers(5)
    alone = Spread(torch.zeros(5, dtype=torch.int64), 1)
    assert Exchange(alone, alone, ALONE).move(own) is own
    gathering = Gathering([own], [alone], ALONE)
    assert gathering.wait()[0] is own
    assert gathering.join(own) is own
    assert gather_lists([own], ALONE) == [[own]]
    assert not ALONE.received


def test_an_error_on_one_rank_fails_the_test(tmp_path):
    """The helper of these tests reports what a rank raises, though others wait for it."""
    with pytest.raises(AssertionError, match=r"(?s)rank 1: .*only two"):
        on_ranks(2, tmp_path, fail_on_rank_1)


def fail_on_rank_1(group: Group) -> None:
    if group.rank == 1:
        raise ValueError("only two")
    torch.distributed.barrier()
