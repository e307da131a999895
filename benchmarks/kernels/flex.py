# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention by torch's flex_attention with a block mask, for comparison.

Its blocks are a fixed grid of 128 queries x 128 keys; a mask decides inside of them. Nothing of
size queries x keys is written, but a matrix queries x blocks is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from kernels.core.segments import owners_of_offsets

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan

SIDE = 128


@dataclass(frozen=True)
class FlexAttention:
    """A block table as the block mask of flex_attention, made once."""

    mask: BlockMask
    attend: Callable[..., Any]

    @classmethod
    def of(cls, plan: RoutingPlan, *, compiled: bool) -> FlexAttention:
        """Prepare the first table of a plan.

        Args:
            plan: with a table that selects no block twice.
            compiled: by Inductor, which needs a C++ compiler, or on a GPU.
        """
        selected, owners = _selected_blocks(plan), plan.blocks.owners()

        def attends(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return selected[query, owners[key]]

        columns = _touched(selected, owners)
        mask = BlockMask.from_kv_blocks(
            columns.sum(1, dtype=torch.int32)[None, None],
            columns.int().argsort(dim=1, descending=True, stable=True).int()[None, None],
            BLOCK_SIZE=SIDE,
            mask_mod=attends,
            seq_lengths=(plan.queries, len(owners)),
        )
        attend: Callable[..., Any] = flex_attention
        # Not dynamic: a kernel for any size, from the second plan on, would be a slower one.
        return cls(mask, torch.compile(attend, dynamic=False) if compiled else attend)

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[queries, query heads, D], as `selected_attention` without its log-sum-exp."""
        streams = (stream.transpose(0, 1)[None] for stream in (query, key, value))
        out: Tensor = self.attend(*streams, block_mask=self.mask, enable_gqa=True)
        return out[0].transpose(0, 1)


def _selected_blocks(plan: RoutingPlan) -> Tensor:
    """Whether a query selects a block, [queries, blocks of all instances] bool."""
    if plan.table is None:
        raise ValueError("this plan holds no block table")
    first = plan.blocks.instance_offsets.long()
    instance = owners_of_offsets(plan.query_offsets)[:, None]
    ids, begin = plan.table[0].long(), first[instance]
    valid = (ids >= 0) & (ids < first.diff()[instance])
    selected = torch.zeros(
        plan.queries, plan.blocks.count + 1, dtype=torch.bool, device=plan.table.device
    )
    selected.scatter_(1, torch.where(valid, ids + begin, plan.blocks.count), value=True)
    return selected[:, :-1]


def _touched(selected: Tensor, owners: Tensor) -> Tensor:
    """Which columns of 128 keys one of 128 queries attends to, [rows, columns] bool."""
    row = torch.arange(len(selected), device=selected.device) // SIDE
    rows = torch.zeros(int(row[-1]) + 1, selected.shape[1], device=selected.device)
    rows.index_reduce_(0, row, selected.float(), "amax")
    column = torch.arange(len(owners), device=selected.device) // SIDE
    overlap = torch.zeros(selected.shape[1], int(column[-1]) + 1, device=selected.device)
    overlap[owners, column] = 1
    return rows @ overlap > 0
