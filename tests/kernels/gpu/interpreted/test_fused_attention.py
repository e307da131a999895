# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tile attention in Triton against the definition in float64, values and gradients."""

from __future__ import annotations

import pytest
import torch

from kernels.compressed_attention import compressed_attention
from kernels.core.routing_plan import RoutingPlan
from kernels.gpu import tile_attention
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention
from tests.kernels.sparse_cases import (
    Case,
    adversarial_cases,
    attend,
    branch_case,
    defined_compressed,
    defined_window,
    normed,
    random_table,
    truth,
    with_gradients,
)

CASES = adversarial_cases()
BOUNDED = (
    "blocks of 1 and 512",
    "a block selected twice",
    "instances of different size",
    "no keys",
    "a group of 16, a width of 32",
    "a group of 20, a width of 40",
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_kernels_are_the_definition(name, dtype):
    """Values, log-sum-exp and all gradients are the definition's, up to rounding."""
    tensors = CASES[name].tensors(dtype)
    found = attend(CASES[name], tensors, tile=8)
    errors = truth(CASES[name], tensors).errors(found, dtype)
    assert max(errors.values()) <= 1, errors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", BOUNDED)
def test_bounded_scores_need_no_maximum(name, dtype):
    """Of layer-normed queries and keys: the same values and gradients without a running maximum."""
    tensors = normed(CASES[name].tensors(dtype))
    found = attend(CASES[name], tensors, tile=8, bounded_scores=True)
    errors = truth(CASES[name], tensors).errors(found, dtype)
    assert max(errors.values()) <= 1, errors


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("width", [32, 64])
def test_scores_at_their_bound(width, sign):
    """A query that is its only key, or the opposite: the largest and the smallest sums in float16.

    At a width of 64 no column of a run is repeated, but masked.
    """
    case = Case(((1, 5, 70),), (3,), torch.tensor([[[0], [1], [2]]]).int(), (16, 1), width)
    query, key, *others = normed(case.tensors(torch.float16))
    key = sign * query[[0, *[1] * 5, *[2] * 70], :1]
    tensors = (query[:, :1].expand_as(query).contiguous(), key, *others)
    found = attend(case, tensors, tile=8, bounded_scores=True)
    errors = truth(case, tensors).errors(found, torch.float16)
    assert max(errors.values()) <= 1, errors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("heads", [(4, 2), (16, 1)], ids=str)
def test_scores_of_ten_thousands(heads, dtype):
    """Nothing overflows, also where a row sees only scores far below those that others see."""
    case = Case(((5, 66, 3),), (11,), random_table(11, 3, 2), heads)
    query, key, *others = case.tensors(dtype)
    key[5:71] = -key[5:71].abs()
    tensors = (1e4 * query.abs(), key, *others)
    errors = truth(case, tensors).errors(attend(case, tensors, tile=8), dtype)
    assert max(errors.values()) <= 1, errors


def test_fallback_to_single_queries():
    """Tables in which neighbors share no block are attended query by query."""
    table = torch.arange(12).view(1, 12, 1).int()
    case = Case((tuple(range(1, 13)),), (12,), table)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile=8)
    assert plan.selected[0].queries.shape[1] == 1
    tensors = case.tensors(torch.float32)
    errors = truth(case, tensors).errors(attend(case, tensors, tile=8), torch.float32)
    assert max(errors.values()) <= 1, errors


def test_heads_can_be_split_among_programs(monkeypatch):
    """Where registers are few, programs take a part of the heads and of the keys each."""
    from kernels.gpu import launch
    from kernels.gpu.launch_table import Limits

    monkeypatch.setattr(launch, "_INTERPRETED", Limits(16, 32, 1, 1))
    case = Case(((40, 3),), (9,), random_table(9, 2, 2), (7, 1), 8)
    tensors = normed(case.tensors(torch.float32))
    for bounded in (False, True):
        found = attend(case, tensors, tile=8, bounded_scores=bounded)
        errors = truth(case, tensors).errors(found, torch.float32)
        assert max(errors.values()) <= 1, errors


def test_long_lists_are_summed_in_parts(monkeypatch):
    """A block that many tiles read is summed by several programs, then in order."""
    monkeypatch.setattr("kernels.core.routing_plan._LIST_TILES", 2)
    case = CASES["all queries select one block"]
    tensors = case.tensors(torch.float32)
    errors = truth(case, tensors).errors(attend(case, tensors, tile=4), torch.float32)
    assert max(errors.values()) <= 1, errors


def test_two_runs_are_equal_bit_by_bit():
    """Nothing is added concurrently, forward or backward."""
    case = CASES["instances of different size"]
    tensors = normed(case.tensors(torch.float16))
    for bounded in (False, True):
        first, second = (attend(case, tensors, tile=8, bounded_scores=bounded) for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("bounded", [False, True], ids=["any scores", "bounded scores"])
@pytest.mark.parametrize("branch", [compressed_attention, window_attention])
def test_compressed_and_window_are_the_definition(branch, dtype, bounded):
    """The other two branches run in the same kernels: values and gradients, also without keys.

    Sums of up to 160 terms of size 1 to 4 in float32, whose terms are rounded to the type.
    """
    window = branch is window_attention
    case, tensors = branch_case(dtype, window=window)
    tensors = normed(tensors) if bounded else tensors
    plan = RoutingPlan(case.query_offsets, case.blocks, tile=16)
    definition = defined_window if window else defined_compressed
    results = with_gradients(lambda *given: branch(*given, plan, bounded_scores=bounded), tensors)
    doubles = [tensor.double() for tensor in tensors]
    truths = with_gradients(lambda *given: definition(case, *given), doubles)
    for found, wanted in zip(results, truths, strict=True):
        assert (found.double() - wanted).abs().max() <= 40 * torch.finfo(dtype).eps


def test_wide_heads_are_refused():
    """A head wider than 128 is an error with a sentence, not a wrong result."""
    case = Case(((4,),), (2,), torch.zeros(1, 2, 1).int(), (1, 1), 129)
    with pytest.raises(ValueError, match="at most 128 wide"):
        attend(case, case.tensors(torch.float32))


def test_bfloat16_is_refused_by_the_interpreter():
    """Triton's interpreter multiplies bfloat16 wrongly, so we raise an error."""
    case = CASES["one head"]
    with pytest.raises(RuntimeError, match="bfloat16"):
        attend(case, case.tensors(torch.bfloat16))


def test_unwritten_memory_is_nan(monkeypatch):
    """If the forward writes nothing, its output is NaN, which the tests above reject."""
    monkeypatch.setattr(tile_attention, "forward_kernel", _NoKernel())
    case = CASES["one head"]
    query, key, value, _ = case.tensors(torch.float32)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile=8)
    assert selected_attention(query, key, value, plan)[0].isnan().all()


class _NoKernel:
    """A kernel that does nothing for any grid."""

    def __getitem__(self, _grid):
        return lambda *_arguments, **_options: None
