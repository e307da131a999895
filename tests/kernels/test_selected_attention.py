# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference implementation of the selected branch against its definition."""

from __future__ import annotations

import pytest
import torch

from kernels.core.routing_plan import RoutingPlan
from kernels.selected_attention import selected_attention
from tests.kernels.sparse_cases import adversarial_cases, attend, truth

CASES = adversarial_cases()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_reference_is_the_definition(name, dtype):
    """Values, log-sum-exp and all gradients are the definition's, up to rounding."""
    tensors = CASES[name].tensors(dtype)
    errors = truth(CASES[name], tensors).errors(attend(CASES[name], tensors), dtype)
    assert max(errors.values()) <= 1, errors


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_short_types_keep_their_precision(dtype):
    """Scores in the tens, and sums over queries, are rounded to the short type only at the end."""
    case = CASES["all queries select everything"]
    query, *others = case.tensors(dtype)
    tensors = (10 * query, *others)
    errors = truth(case, tensors).errors(attend(case, tensors), dtype)
    assert max(errors.values()) <= 1, errors


def test_tensors_of_another_plan_are_an_error():
    """A kernel would read and write outside of the tensors."""
    case = CASES["rows without blocks"]
    query, key, value, _ = case.tensors(torch.float32)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table)
    wrong = [(query[:5], key, value), (query, key[:9], value[:9]), (query, key, value[:9])]
    wrong += [(query.half(), key, value), (query[..., :4], key, value), (query[:, :3], key, value)]
    for tensors in wrong:
        with pytest.raises(ValueError, match="the plan has 11 queries and 48 keys"):
            selected_attention(*tensors, plan)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table.expand(3, -1, -1))
    with pytest.raises(ValueError, match="3 block tables for 2 key/value heads"):
        selected_attention(query, key, value, plan)


@pytest.mark.parametrize("tile", [1, 4, 8, 32])
def test_tiles_do_not_change_the_result(tile):
    """However queries are tiled, also 32 at once, where a mask fills all bits of an int32."""
    case = CASES["instances of different size"]
    tensors = case.tensors(torch.float64)
    errors = truth(case, tensors).errors(attend(case, tensors, tile), torch.float64)
    assert max(errors.values()) <= 1, errors


def test_nan_propagates():
    """A NaN among the keys reaches every query that attends to it."""
    case = CASES["rows without blocks"]
    query, key, value, _ = case.tensors(torch.float32)
    key[0] = torch.nan
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table)
    out, _ = selected_attention(query, key, value, plan)
    sees = (case.table[0] == 0).any(1)
    assert sees.any()
    assert out[sees].isnan().any(2).all()


def test_second_derivatives_are_an_error():
    """Second derivatives are an error, not a sum without some terms."""
    case = CASES["rows without blocks"]
    query, key, value, _ = case.tensors(torch.float32)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table)
    out, _ = selected_attention(query.requires_grad_(), key, value, plan)
    (grad,) = torch.autograd.grad(out.square().sum(), query, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()
