# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks to ranks: none is lost, the release's rule by hand, and no rank ends much later."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.parallel.assignment import (
    CLOSE_ENOUGH,
    POLICIES,
    BlockWork,
    assign,
    balanced,
    contiguous,
    rank_sums,
)

SIZES = st.lists(st.integers(1, 512), max_size=40)
SPEEDS = st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=9)


def work(sizes):
    """Blocks whose cost grows a little faster than their tokens."""
    tokens = torch.as_tensor(sizes, dtype=torch.int64)
    return BlockWork(tokens, tokens.double() ** 1.2)


@pytest.mark.parametrize(
    ("sizes", "ranks", "wanted"),
    [
        ([4, 4, 4, 4], 2, [0, 0, 1, 1]),
        ([3, 4, 3], 2, [0, 0, 1]),  # 5 wanted: 3 and 7 are equally far, so the block is taken
        ([1, 1, 1, 100], 4, [0, 0, 0, 1]),  # of 25.75; the huge block is left for a single rank
        ([100, 1, 1, 1], 3, [0, 1, 1, 2]),  # at least one block; then 1 and 2 are as near to 1.5
        ([5, 5], 4, [0, 1]),
        ([7], 3, [0]),
        ([], 2, []),
    ],
)
def test_runs_follow_the_rule_of_the_release(sizes, ranks, wanted):
    """Worked out by hand from the rule."""
    assert contiguous(torch.tensor(sizes), [1.0] * ranks).tolist() == wanted


@given(SIZES, SPEEDS)
def test_runs_are_the_rule_word_by_word(sizes, speeds):
    """Against the rule written a second time, with fractions of blocks left and ranks left."""
    ranks, block = [], 0
    for rank in range(len(speeds)):
        target = sum(sizes[block:]) * speeds[rank] / sum(speeds[rank:])
        begin = block
        while block < len(sizes):
            now, then = sum(sizes[begin:block]), sum(sizes[begin : block + 1])
            if rank < len(speeds) - 1 and begin < block and abs(then - target) > abs(now - target):
                break
            block += 1
        ranks += [rank] * (block - begin)
    assert contiguous(torch.tensor(sizes), speeds).tolist() == ranks


@given(SIZES, SIZES, SPEEDS, st.sampled_from(POLICIES))
def test_every_block_has_one_rank(first, second, speeds, policy):
    """No block is lost, none is given to a rank that does not exist, and all ranks agree."""
    streams = [work(first), work(second)]
    found = assign(streams, speeds, policy)
    assert [len(ranks) for ranks in found] == [len(first), len(second)]
    for ranks, again in zip(found, assign(streams, speeds, policy), strict=True):
        assert all(0 <= rank < len(speeds) for rank in ranks.tolist())
        assert torch.equal(ranks, again)


@given(SIZES, SPEEDS)
def test_balance_is_never_worse_than_runs_of_equal_cost(sizes, speeds):
    """Blocks are given away only where that helps the latest rank."""
    cost, speed = work(sizes).cost, torch.tensor(speeds).double()
    runs, found = contiguous(cost, speeds), balanced(cost, speeds)
    before, after = (
        float((rank_sums(cost, ranks, len(speeds)) / speed).max()) for ranks in (runs, found)
    )
    assert after <= before * (1 + 1e-9)


@given(st.integers(0, 1 << 30), SPEEDS)
def test_many_small_blocks_are_balanced_by_speed(seed, speeds):
    """Ranks of any speed end at the same time, but for what one block takes."""
    sizes = torch.randint(1, 65, (200,), generator=torch.Generator().manual_seed(seed))
    cost, speed = work(sizes).cost, torch.tensor(speeds).double()
    times = rank_sums(cost, balanced(cost, speeds), len(speeds)) / speed
    mean = float(cost.sum() / speed.sum())
    assert float(times.max()) <= max(CLOSE_ENOUGH * mean, mean + float(cost.max()) / min(speeds))


def test_one_huge_block_is_alone():
    """No other block makes its rank later still, wherever it lies in the stream."""
    for place in range(9):
        cost = torch.ones(9)
        cost[place] = 1000
        ranks = balanced(cost, [1.0, 1.0, 1.0])
        assert (ranks == ranks[place]).sum() == 1
        assert float(rank_sums(cost, ranks, 3).max()) == 1000


def test_a_single_block_is_on_the_fastest_rank():
    """Runs put it on the first rank; there it would take longest."""
    assert balanced(torch.tensor([5.0]), [1.0, 4.0, 2.0]).tolist() == [1]


def test_few_blocks_leave_their_runs():
    """Neighbors stay together: the traffic of a balanced assignment is near that of runs."""
    generator = torch.Generator().manual_seed(0)
    cost = torch.randint(1, 513, (500,), generator=generator).double()
    cost = cost * torch.linspace(1, 3, 500)
    speeds = [1.0] * 8
    ranks = balanced(cost, speeds)
    assert float(rank_sums(cost, ranks, 8).max()) <= CLOSE_ENOUGH * float(cost.sum()) / 8
    assert (ranks != contiguous(cost, speeds)).sum() <= 16


def test_a_stream_makes_up_for_the_one_before():
    """The volume has one block for two ranks, so the images are for the other one."""
    volume = BlockWork(torch.tensor([512]), torch.tensor([10.0]))
    image = BlockWork(torch.full((10,), 64), torch.ones(10))
    first, second = assign([volume, image], [1.0, 1.0], "balanced")
    assert set(second.tolist()) == {1 - int(first)}


@pytest.mark.parametrize("speeds", [[], [1.0, 0.0], [-1.0]])
def test_speeds_must_be_positive(speeds):
    """A rank that never ends is a mistake of whoever measured it."""
    with pytest.raises(ValueError, match="positive"):
        assign([work([1])], speeds, "contiguous")


def test_unknown_policies_are_named():
    """The message has the choices."""
    with pytest.raises(ValueError, match="contiguous, balanced"):
        assign([work([1])], [1.0], "best")
