# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of the benchmark computes what the kernels compute."""

from __future__ import annotations

import pytest
import torch

from benchmarks.kernels.query_centric import query_centric_backward, query_centric_forward
from kernels.core.routing_plan import RoutingPlan
from tests.kernels.sparse_cases import adversarial_cases, truth

CASES = adversarial_cases()


@pytest.mark.parametrize("name", ["all queries select one block", "a block selected twice"])
def test_baseline_is_the_definition(name):
    """Values and gradients, with queries gathered from anywhere in the stream."""
    case = CASES[name]
    query, key, value, grad = case.tensors(torch.float32)
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile=1)
    out, lse = query_centric_forward(query, key, value, plan)
    grads = query_centric_backward(grad, (query, key, value, out, lse), plan)
    found = dict(zip(("out", "lse", "query", "key", "value"), (out, lse, *grads), strict=True))
    errors = truth(case, (query, key, value, grad)).errors(found, torch.float32)
    assert max(errors.values()) <= 1, errors
