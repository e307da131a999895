# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference implementations of the compressed and the window branch, and routing by score."""

from __future__ import annotations

import pytest
import torch

from kernels.attention import attention, log_sum_exp
from kernels.compressed_attention import block_scores, compressed_attention, select_by_score
from kernels.core.dispatch import forced
from kernels.core.routing_plan import RoutingPlan
from kernels.reference import definitions
from kernels.window_attention import window_attention
from tests.kernels.sparse_cases import (
    branch_case,
    defined_compressed,
    defined_window,
    instances,
    with_gradients,
)


@pytest.fixture(autouse=True)
def _reference():
    with forced("reference"):
        yield


@pytest.mark.parametrize("branch", [compressed_attention, window_attention])
def test_branch_is_the_definition(branch):
    """Values and gradients in float64, also of an instance without keys."""
    window = branch is window_attention
    case, tensors = branch_case(torch.float64, window=window)
    plan = RoutingPlan(case.query_offsets, case.blocks)
    definition = defined_window if window else defined_compressed
    results = with_gradients(lambda *given: branch(*given, plan), tensors)
    truths = with_gradients(lambda *given: definition(case, *given), tensors)
    for found, wanted in zip(results, truths, strict=True):
        torch.testing.assert_close(found, wanted)


def test_dense_attention_is_the_definition():
    """Attention and its log-sum-exp over all tokens of each instance."""
    case, (query, key, value) = branch_case(torch.float64, window=True)
    offsets = case.blocks.token_offsets[case.blocks.instance_offsets.long()]
    out = attention(query, key, value, offsets, offsets)
    sums = log_sum_exp(query, key, offsets, offsets)
    for part in instances(case):
        streams = query[part.queries], key[part.tokens], value[part.tokens]
        torch.testing.assert_close(out[part.queries], definitions.attention(*streams))
        wanted = definitions.log_sum_exp(*streams[:2])
        torch.testing.assert_close(sums[:, part.queries], wanted)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_routing_by_score_is_the_definition(count):
    """Scores, and the ids of the best blocks, -1 where an instance has fewer."""
    case, (query, block_key, _) = branch_case(torch.float64, window=False)
    table = select_by_score(query, block_key, case.query_offsets, case.blocks, count)
    assert table.shape == (2, len(query), count)
    for part in instances(case):
        streams = query[part.queries], block_key[part.blocks]
        torch.testing.assert_close(block_scores(*streams), definitions.block_scores(*streams))
        ids = definitions.blocks_by_score(*streams, count)
        found = table[:, part.queries]
        assert torch.equal(found[:, :, : ids.shape[2]].long(), ids)
        assert (found[:, :, ids.shape[2] :] == -1).all()
