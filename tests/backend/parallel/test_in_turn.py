# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention to one rank after the other equals that to all at once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from backend.parallel.group import ALONE
from backend.parallel.in_turn import merged, selected_in_turn
from backend.parallel.spread import Spread
from kernels.core.routing_plan import RoutingPlan
from kernels.selected_attention import selected_attention
from tests.backend.parallel.shared_stage import Layout, check_equal, outcome
from tests.backend.parallel.test_shared_stage import tiny
from tests.kernels.sparse_cases import Case, random_table
from tests.ranks import on_ranks

TABLES = {
    "one for all heads": random_table(50, 6, 4),
    "one per head": torch.cat([random_table(50, 6, 4, seed) for seed in (1, 2)]),
    "a block twice": torch.tensor([[[0, 2, 2, -1]] * 50]).int(),
}


def case(table):
    """Two instances of blocks of any size, some of them huge."""
    return Case(((3, 70, 1, 8, 8, 5), (9, 2, 130, 4, 7, 6)), (30, 20), table)


def holders(ranks):
    """A rank for each of the twelve blocks; some have none of an instance."""
    owners = torch.randint(0, ranks, (12,), generator=torch.Generator().manual_seed(ranks))
    owners[0] = ranks - 1
    return owners


def tokens_of(case, holder):
    """How the tokens are spread over the holders of their blocks."""
    sizes = case.blocks.token_offsets.diff().long()
    return Spread(holder, int(holder.max()) + 1).split(sizes)


def in_turn(case, holder):
    """The attention to each part in turn, and that to all at once."""
    query, key, value, _ = case.tensors(torch.float32)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, holder=holder)
    whole, _ = selected_attention(query, key, value, plan)
    tokens = tokens_of(case, holder)
    parts = (
        selected_attention(query, key[tokens.on(rank)], value[tokens.on(rank)], part)
        for rank, part in enumerate(plan.parts)
    )
    return merged(query, parts), whole


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_parts_in_turn_equal_all_at_once(table, ranks):
    """Float32, whichever part has which block."""
    found, whole = in_turn(case(TABLES[table]), holders(ranks))
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-6)


def test_a_part_without_blocks():
    """It adds nothing."""
    found, whole = in_turn(case(TABLES["one for all heads"]), torch.full((12,), 3))
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-6)


def test_half_precision_is_merged_in_float32():
    """The result has the type of the query, and is as exact as the parts are."""
    generator = torch.Generator().manual_seed(0)
    query = torch.rand(4, 2, 8)
    parts = [
        (torch.rand(4, 2, 8, generator=generator), 20 * torch.rand(2, 4, generator=generator))
        for _ in range(3)
    ]
    exact = merged(query, parts)
    found = merged(query.bfloat16(), [(values.bfloat16(), total) for values, total in parts])
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=2e-2, atol=1e-2)


def test_a_query_without_blocks_gets_zeros():
    """As in one softmax, and never NaN."""
    empty = Case(((4, 4),), (3,), torch.full((1, 3, 2), -1).int())
    found, whole = in_turn(empty, torch.tensor([0, 1]))
    assert torch.equal(found, torch.zeros_like(found))
    assert torch.equal(found, whole)


def stages_in_turn(layouts, group):
    """What each layout gives, for both kinds of routing."""
    return [
        outcome(partial(tiny, routing), layout, replace(group, in_turn=True), gradients=False)
        for layout in layouts
        for routing in ("tables", "score")
    ]


def test_the_stage_in_turn_computes_what_one_process_does(tmp_path):
    """Over three ranks, with blocks in any order, and with ranks that have none."""
    layouts = [Layout((0, 0, 0)), Layout((-1, 0, 1), "scattered"), Layout((1, 1, 0), "first")]
    of_ranks = on_ranks(3, tmp_path, stages_in_turn, layouts)
    wanted = {
        routing: outcome(partial(tiny, routing), layouts[0], ALONE, gradients=False)
        for routing in ("tables", "score")
    }
    for number, found in enumerate(zip(*of_ranks, strict=True)):
        rows = {name: array for of_rank in found for name, array in of_rank.items()}
        check_equal(rows, wanted["score" if number % 2 else "tables"])


def test_nothing_in_turn_has_a_gradient():
    """It is refused, instead of being wrong."""
    query = torch.zeros(1, 2, 8, requires_grad=True)
    with pytest.raises(ValueError, match="gradient"):
        selected_in_turn(query, (query, query), None, None, ALONE)


def attend(group):
    """This rank's queries are all of them; its keys those of its blocks. One rank has none."""
    problem = case(TABLES["one per head"])
    query, key, value, _ = problem.tensors(torch.float32)
    holder = holders(group.size - 1)
    tokens = tokens_of(problem, holder)
    tokens = Spread(tokens.rank, group.size)
    plan = RoutingPlan(problem.query_offsets, problem.blocks, problem.table, holder=holder)
    own = tokens.on(group.rank)
    found = selected_in_turn(query, (key[own], value[own]), plan, tokens, group)
    whole, _ = selected_attention(query, key, value, plan)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-6)
    others = len(key) - len(own)
    assert group.received["broadcast"] == 2 * others * key[0].nbytes


def test_keys_come_from_the_ranks_that_hold_them(tmp_path):
    """Three processes, one of which has no keys."""
    on_ranks(3, tmp_path, attend)
