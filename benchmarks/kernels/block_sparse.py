# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selected attention by FlashInfer's kernel for blocks of any size, for comparison.

Only its documented interface is called: a plan of which blocks of queries see which blocks of keys,
made once, and a run. It has no masks inside of a block, so it computes the same as LSRM only query
by query; a tile of queries sees the union of their blocks. Its narrowest heads are 64 wide.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from kernels.core.routing_plan import RoutingPlan

NARROWEST = 64  # head
_WORKSPACE = 256 << 20  # bytes


@dataclass(frozen=True)
class BlockSparseAttention:
    """A block table as FlashInfer's plan.

    Attributes:
        wrapper: its planned kernel.
        order: [queries] int64, the queries as the tiles have them.
    """

    wrapper: Any
    order: Tensor

    @classmethod
    def of(cls, plan: RoutingPlan, heads: tuple[int, int], query: Tensor) -> BlockSparseAttention:
        """Prepare the first table of a plan, in its tiles.

        Args:
            plan: with a table that selects no block twice.
            heads: of queries, and of keys and values.
            query: [queries, query heads, D] of the width and type that will be attended.

        Raises:
            ImportError: if FlashInfer is not installed.
        """
        library = importlib.import_module("flashinfer.sparse")
        tiles, device = plan.selected[0], query.device
        seen = torch.zeros(tiles.count, tiles.blocks.count, dtype=torch.bool, device=device)
        seen[tiles.entry_tile, tiles.entry_block] = True
        rows = (tiles.queries >= 0).sum(1, dtype=torch.int32)
        columns = tiles.blocks.token_offsets.diff().int()
        workspace = torch.empty(_WORKSPACE, dtype=torch.uint8, device=device)
        wrapper = library.VariableBlockSparseAttentionWrapper(workspace)
        wrapper.plan(
            *(each.expand(heads[1], *each.shape).contiguous() for each in (seen, rows, columns)),
            *heads,
            max(NARROWEST, query.shape[2]),
            causal=False,
            sm_scale=1 / math.sqrt(query.shape[2]),
            q_data_type=query.dtype,
            kv_data_type=query.dtype,
        )
        return cls(wrapper, tiles.queries[tiles.queries >= 0].long())

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[queries, query heads, D], as `selected_attention` without its log-sum-exp."""
        width = query.shape[2]
        padding = max(0, NARROWEST - width)
        streams = (
            F.pad(each, (0, padding)).transpose(0, 1).contiguous()
            for each in (query[self.order], key, value)
        )
        found = self.wrapper.run(*streams).transpose(0, 1)[..., :width]
        out = torch.empty_like(query)
        out[self.order] = found
        return out
