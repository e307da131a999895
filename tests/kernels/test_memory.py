# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference needs memory in proportion to the tokens, never queries x keys."""

from __future__ import annotations

from itertools import accumulate

import torch

from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.selected_attention import selected_attention

ACTIVITIES = [torch.profiler.ProfilerActivity.CPU]
BLOCK, CHOSEN, HEADS, WIDTH = 32, 4, (4, 1), 8


def peak(tokens: int) -> int:
    """Bytes at the worst moment of plan, forward and backward."""
    blocks = Blocks(torch.arange(0, tokens + 1, BLOCK), torch.tensor([0, tokens // BLOCK]))
    own = torch.arange(tokens) // BLOCK
    near = own[:, None] + torch.arange(CHOSEN) - CHOSEN // 2
    offsets = torch.tensor([0, tokens])
    query, key, value = (torch.randn(tokens, heads, WIDTH) for heads in (*HEADS, HEADS[1]))
    with torch.profiler.profile(activities=ACTIVITIES, profile_memory=True) as profiler:
        plan = RoutingPlan(offsets, blocks, near[None])
        given = [tensor.requires_grad_() for tensor in (query, key, value)]
        selected_attention(*given, plan)[0].sum().backward()
    steps = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    return max(accumulate(e.nbytes() for e in sorted(steps, key=lambda e: e.start_ns())))


def test_memory_grows_linearly():
    """Twice the tokens need twice the memory; dense scores would need four times as much."""
    small, large = peak(1024), peak(2048)
    assert 1.5 < large / small < 2.2
    assert large < 2048 * 2048 * HEADS[0] * 4 / 4  # a quarter of what dense scores would be
