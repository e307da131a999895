# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference implementation of the selected branch against its definition."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kernels.compressed_attention import compressed_attention
from kernels.core.routing_plan import RoutingPlan
from kernels.reference import definitions
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention
from tests.kernels.sparse_cases import Case, adversarial_cases, attend, normed, truth

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


def test_bounded_scores_change_no_result():
    """The reference takes the argument and computes what it computes without it."""
    case = CASES["a group of 16, a width of 32"]
    tensors = normed(case.tensors(torch.float64))
    found = attend(case, tensors, bounded_scores=True)
    assert all(torch.equal(each, attend(case, tensors)[name]) for name, each in found.items())


@pytest.mark.parametrize("long", ["queries", "keys"])
def test_bounded_scores_without_norms_are_refused(long):
    """A row longer than sqrt(D) is an error in all three branches, for queries and keys."""
    case = CASES["instances of different size"]
    query, key, value, _ = normed(case.tensors(torch.float32))
    (query if long == "queries" else key)[3, 1] *= 1.1
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table)
    own = RoutingPlan(case.blocks.token_offsets[case.blocks.instance_offsets.long()], case.blocks)
    again = query[torch.arange(len(key)) % len(query)]
    blocks = case.blocks.count
    for attention in (
        lambda: selected_attention(query, key, value, plan, bounded_scores=True),
        lambda: compressed_attention(
            query, key[:blocks], value[:blocks], plan, bounded_scores=True
        ),
        lambda: window_attention(again, key, value, own, bounded_scores=True),
    ):
        with pytest.raises(
            ValueError, match=f"not bounded: {long} have norms up to 4.4, .* most 4"
        ):
            attention()


def test_bounded_scores_of_wide_heads_are_refused():
    """In float16 exp(sqrt(128)) would overflow."""
    case = Case(((4,),), (2,), torch.zeros(1, 2, 1).int(), (1, 1), 128)
    with pytest.raises(ValueError, match="128 wide: at most 64"):
        attend(case, normed(case.tensors(torch.float32)), bounded_scores=True)


def test_rounding_to_bfloat16_keeps_scores_bounded():
    """Layer-normed rows whose elements were rounded up are accepted."""
    case = CASES["a group of 16, a width of 32"]
    query, key, *others = normed(case.tensors(torch.float32))
    up = [torch.sign(each) * (each.abs() * (1 + 2.0**-9)) for each in (query, key)]
    tensors = tuple(each.bfloat16() for each in (*up, *others))
    assert attend(case, tensors, bounded_scores=True)["out"].isfinite().all()


@pytest.mark.parametrize("width", [8, 32, 64])
def test_the_definition_without_a_maximum_is_the_softmax(width):
    """Scores of layer-normed queries and keys are within sqrt(D), and exp needs no maximum."""
    case = Case(((40,),), (9,), torch.zeros(1, 9, 1).int(), (4, 2), width)
    query, key, value, _ = normed(case.tensors(torch.float64))
    assert definitions.attention_scores(query, key).abs().max() <= width**0.5
    found = definitions.attention(query, key, value, bounded_scores=True)
    torch.testing.assert_close(found, definitions.attention(query, key, value))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_probabilities_without_a_maximum_fit_short_types(dtype):
    """What a kernel rounds, exp of the scores themselves, is within the errors allowed of it.

    Triton's interpreter cannot multiply bfloat16, so the steps of the kernel are written out.
    """
    case = Case(((300,),), (9,), torch.zeros(1, 9, 1).int(), (1, 1), 32)
    tensors = normed(case.tensors(dtype))
    query, key, value = (each[:, 0].float() for each in tensors[:3])
    weights = (query @ key.T / math.sqrt(32)).exp()
    out = (weights.to(dtype).float() @ value / weights.sum(1, keepdim=True)).to(dtype)
    wanted = truth(case, tensors)
    wanted = replace(wanted, values={"out": wanted.values["out"]})
    assert max(wanted.errors({"out": out[:, None]}, dtype).values()) <= 1


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
