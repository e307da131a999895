# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a rank needs for its blocks in one layer of the sparse stage.

The time of a layer is a sum over its queries: a few kinds of work, each at a rate of its own. Work
is counted per block from the routing plans, before anything runs; rates are fitted to measured
times, by `python3 -m backend bench scaling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.core.segments import owners_of_offsets

if TYPE_CHECKING:
    from kernels.core.routing_plan import RoutingPlan

KINDS = ("products", "channels", "scores")
"""The columns of work: multiply-adds of the linear maps; numbers of a token stream, which norms,
gates and activations go through; scores of all three branches, one per query head and pair."""


@dataclass(frozen=True)
class LayerSize:
    """What decides the work per token and pair.

    Attributes:
        width: channels of a token.
        key_value_width: channels of all key/value heads together.
        query_heads: attention heads.
        hidden: channels inside the MLP.
    """

    width: int
    key_value_width: int
    query_heads: int
    hidden: int

    def products(self, fused: int = 0) -> int:
        """Multiply-adds of the linear maps for one token of a stream that attends.

        Args:
            fused: features of the dense stage, as wide as a token, that are added before the layer.
        """
        outer = 2 * self.width**2  # query and output
        gates = (3 + 2 + 2) * self.width**2  # own direction, other direction, their merge
        mlp = 2 * self.width * self.hidden
        return outer + gates + mlp + self.read_products(fused, directions=2)

    def read_products(self, fused: int = 0, *, directions: int = 1) -> int:
        """The same for a token that is only a key and a value, in so many directions."""
        narrow = 2 * self.width * self.key_value_width
        compression = directions * 2 * 2 * self.key_value_width**2
        return narrow + compression + fused * self.width**2


@dataclass(frozen=True)
class CostModel:
    """Rates of one device.

    Attributes:
        rates: seconds per unit of each kind of work, in the order of `KINDS`.
        layer: seconds of a layer besides, however little work there is.
    """

    rates: tuple[float, ...]
    layer: float

    def costs(self, work: Tensor) -> Tensor:
        """Work [..., kinds] to seconds [...], float64."""
        return work.double() @ torch.tensor(self.rates, dtype=torch.float64, device=work.device)

    def seconds(self, work: Tensor) -> float:
        """Time of a layer with the work [..., kinds] of all its blocks."""
        return self.layer + float(self.costs(work).sum())


COSTS = CostModel(rates=(1.82e-11, 1.13e-07, 3.33e-09), layer=0.016)
"""Seconds on one core, fitted to 36 layers of three objects, widths 256 to 1024: 6 % off on average
and 19 % at most, on objects left out of the fit 8 and 23 %. Only ratios matter to the assignment;
those of a GPU are not measured."""


def layer_work(own: RoutingPlan, cross: RoutingPlan, size: LayerSize, fused: int = 0) -> Tensor:
    """The work of each block of a stream that attends, [blocks, kinds] float64.

    Args:
        own: how the stream attends to itself.
        cross: how it attends to the other stream.
        size: of the layer.
        fused: see `LayerSize.products`.
    """
    owner, tokens = own.blocks.owners(), own.blocks.token_offsets.diff().long()
    pairs = tokens[owner]  # of the window
    for plan in (own, cross):
        pairs = pairs + selected_keys(plan) + _compressed_keys(plan)
    scores = torch.zeros_like(tokens).index_add(0, owner, size.query_heads * pairs)
    return torch.stack([size.products(fused) * tokens, size.width * tokens, scores], 1).double()


def selected_keys(plan: RoutingPlan) -> Tensor:
    """Keys that each query selects, [queries] int64, on average over the heads.

    Without a table, where blocks are selected by score, it is zero: all queries then select equally
    many blocks, and their number stands for these.
    """
    if plan.table is None:
        return torch.zeros(plan.queries, dtype=torch.int64, device=plan.query_offsets.device)
    first = plan.blocks.instance_offsets.long()
    instance = owners_of_offsets(plan.query_offsets)
    valid = (plan.table >= 0) & (plan.table < first.diff()[instance][:, None])
    block = plan.table.clamp_min(0).long() + first[instance][:, None]
    lengths = plan.blocks.token_offsets.diff().long()
    lengths = lengths[block.clamp_max(max(0, plan.blocks.count - 1))]
    return torch.where(valid, lengths, 0).sum((0, 2)) // plan.table.shape[0]


def _compressed_keys(plan: RoutingPlan) -> Tensor:
    """Blocks in the instance of each query, [queries] int64."""
    counts = plan.blocks.instance_offsets.diff().long()
    return counts[owners_of_offsets(plan.query_offsets)]
