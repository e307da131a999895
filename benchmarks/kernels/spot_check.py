# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention at the full size of a run, some random queries of it against a plain loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kernels.attention import group_heads
from kernels.core.segments import owners_of_offsets, ranges
from kernels.selected_attention import selected_attention

from .checks import ALLOWED

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan

QUERIES = 256


@dataclass(frozen=True)
class SpotCheck:
    """One direction of attention.

    Attributes:
        queries: that were checked.
        of: so many.
        error: over the result, both as root mean squares.
        allowed: the largest error that passes.
    """

    queries: int
    of: int
    error: float
    allowed: float

    @property
    def ok(self) -> bool:
        """Whether it is right; NaN is not."""
        return self.error <= self.allowed


@torch.no_grad()
def spot_check(plan: RoutingPlan, streams: tuple[Tensor, Tensor, Tensor]) -> SpotCheck:
    """Attend with all queries, and check some of them in float64.

    Args:
        plan: of the direction.
        streams: queries and keys, layer-normed, and values.
    """
    found, _ = selected_attention(*streams, plan, bounded_scores=True)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(plan.queries, generator=generator)[:QUERIES].to(found.device)
    query, key, value = streams
    wanted = loop(query.double(), key, value, plan, rows)
    error = (found[rows].double() - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    return SpotCheck(len(rows), plan.queries, float(error), ALLOWED[query.dtype])


def loop(
    query: Tensor, key: Tensor, value: Tensor, plan: RoutingPlan, rows: Tensor | None = None
) -> Tensor:
    """Selected attention query by query, as it is defined, in the type of the queries. One table.

    Args:
        query: [queries, query heads, D].
        key: [tokens, key/value heads, D].
        value: like key.
        plan: with the block table.
        rows: [rows] int64, some queries; None for all of them.

    Returns:
        [rows, query heads, D].
    """
    if plan.table is None:
        raise ValueError("this plan holds no block table")
    if rows is None:
        rows = torch.arange(plan.queries, device=query.device)
    firsts = plan.blocks.instance_offsets.tolist()
    instances = owners_of_offsets(plan.query_offsets)[rows].tolist()
    out = query.new_zeros(len(rows), *query.shape[1:])
    for number, (row, instance) in enumerate(zip(rows.tolist(), instances, strict=True)):
        first, count = firsts[instance], firsts[instance + 1] - firsts[instance]
        ids = plan.table[0, row].long()
        blocks = first + ids[(ids >= 0) & (ids < count)]
        starts = plan.blocks.token_offsets[blocks].long()
        tokens = ranges(starts, plan.blocks.token_offsets[blocks + 1] - starts)
        heads = group_heads(query[row, None], key.shape[1])
        seen, read = (each[tokens].to(query.dtype) for each in (key, value))
        scores = heads @ seen.permute(1, 2, 0) / query.shape[2] ** 0.5
        out[number] = (scores.softmax(-1) @ read.transpose(0, 1)).flatten(0, 1)
    return out
