# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of a layer, counted from plans, is that of the layer itself."""

from __future__ import annotations

import pytest
import torch

from backend.model.config.presets import preset
from backend.model.transformer import Block
from backend.parallel.cost_model import KINDS, CostModel, LayerSize, layer_work, selected_keys
from kernels.core.plan_statistics import statistics
from kernels.core.routing_plan import RoutingPlan
from tests.kernels.sparse_cases import Case

SIZE = LayerSize(width=64, key_value_width=8, query_heads=4, hidden=256)


@pytest.fixture(scope="module")
def plans():
    """A stream of two instances, blocks of 2, 3 and 4 tokens, to itself and to one of 5 and 1."""
    sizes = ((2, 3), (4,))
    own = Case(sizes, (5, 4), torch.tensor([[[0, 1]] * 5 + [[0, -1]] * 4]))
    table = torch.tensor([[[0, -1]] * 3 + [[0, 0]] * 2 + [[7, -1]] * 4])
    cross = Case(((5,), (1,)), (5, 4), table)
    return [RoutingPlan(case.query_offsets, case.blocks, case.table) for case in (own, cross)]


def test_pairs_are_counted_by_hand(plans):
    """A block counts twice if selected twice; ids that do not exist count nothing."""
    work = layer_work(*plans, SIZE)
    selected = [2 * (5 + 5), 1 * (5 + 5) + 2 * (5 + 10), 4 * 4]
    compressed, window = [2 * (2 + 1), 3 * (2 + 1), 4 * (1 + 1)], [4, 9, 16]
    pairs = [sum(each) for each in zip(selected, compressed, window, strict=True)]
    assert work[:, KINDS.index("scores")].tolist() == [SIZE.query_heads * n for n in pairs]
    assert work[:, KINDS.index("channels")].tolist() == [2 * 64, 3 * 64, 4 * 64]


def test_pairs_are_those_of_the_kernels(plans):
    """The tiles that run have as many pairs."""
    for plan in plans:
        assert int(selected_keys(plan).sum()) == statistics(plan.selected[0]).pairs


def test_heads_with_tables_of_their_own_are_averaged(plans):
    """One head selects both blocks, the other one none: half the keys."""
    own = plans[0]
    table = torch.cat([own.table, torch.full_like(own.table, -1)])
    both = RoutingPlan(own.query_offsets, own.blocks, table)
    assert torch.equal(selected_keys(both), selected_keys(own) // 2)


def test_routing_by_score_leaves_the_tokens(plans):
    """Without a table nothing selected is counted, and nothing fails."""
    by_score = [RoutingPlan(plan.query_offsets, plan.blocks) for plan in plans]
    work = layer_work(*by_score, SIZE)
    pairs = [2 * (2 + 2 + 1), 3 * (3 + 2 + 1), 4 * (4 + 1 + 1)]
    assert work[:, KINDS.index("scores")].tolist() == [SIZE.query_heads * n for n in pairs]
    assert work[:, KINDS.index("products")].tolist() == [SIZE.products() * n for n in (2, 3, 4)]


def test_products_are_the_weights_of_a_layer():
    """Each weight of a linear map is one multiply-add per token."""
    config = preset("tiny").sparse.transformer
    size = LayerSize(config.width, config.key_value_width, config.query_heads, 4 * config.width)
    with torch.device("meta"):
        two, one = (Block(config, two_sided=sides) for sides in (True, False))
    matrices = {
        sides: sum(each.numel() for each in block.parameters() if each.ndim == 2)
        for sides, block in (("two", two), ("one", one))
    }
    assert 2 * size.products() == matrices["two"]
    # The volume's own keys are then compressed once, not also for the images.
    volume = size.products() - size.read_products(directions=2) + size.read_products()
    assert volume + size.read_products() == matrices["one"]


def test_features_of_the_dense_stage_cost_a_map_each():
    """A square map per feature that is added."""
    assert SIZE.products(3) - SIZE.products() == 3 * 64**2


def test_seconds_are_the_sum_of_all_blocks(plans):
    """Costs are linear in the work; only the layer has a constant."""
    model = CostModel((1.0, 2.0, 3.0), 6.0)
    work = layer_work(*plans, SIZE)
    assert model.costs(work)[1] == pytest.approx(float(work[1] @ torch.arange(1.0, 4.0).double()))
    assert model.seconds(work) == pytest.approx(6 + float(model.costs(work).sum()))
