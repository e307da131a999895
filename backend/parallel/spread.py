# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the rows of one global list, such as blocks or tokens, are spread over ranks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from kernels.core.segments import positions, starts_of_sizes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Spread:
    """Which rank has each row of a global list. A rank keeps its rows in the order of the list.

    Attributes:
        rank: [rows] int64.
        ranks: how many there are.
    """

    rank: Tensor
    ranks: int

    @cached_property
    def counts(self) -> Tensor:
        """Rows of every rank, [ranks] int64."""
        return torch.bincount(self.rank, minlength=self.ranks)

    @cached_property
    def count_list(self) -> list[int]:
        """The same as numbers."""
        numbers: list[int] = self.counts.tolist()
        return numbers

    @cached_property
    def row(self) -> Tensor:
        """The number of each row on its rank, [rows] int64."""
        order = torch.argsort(self.rank, stable=True)
        row = torch.empty_like(order)
        row[order] = positions(self.rank[order], starts_of_sizes(self.counts))
        return row

    def split(self, sizes: Tensor) -> Spread:
        """Every row split into sizes[row] rows, [rows] int64: from blocks to their tokens."""
        return Spread(torch.repeat_interleave(self.rank, sizes), self.ranks)

    def on(self, rank: int) -> Tensor:
        """The rows of a rank, by their numbers in the global list, [count] int64."""
        return torch.nonzero(self.rank == rank)[:, 0]
