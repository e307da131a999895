# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows are blended with which weights, prepared once for several blends and gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .segments import offsets_of_sizes


@dataclass(frozen=True)
class RowUses:
    """Where each row is used: an index, inverted.

    Attributes:
        entries: flat positions in the index, sorted by their row, [n * k] int64.
        used: the rows that are used, ascending, [used] int64.
        offsets: into the entries, of each used row, [used + 1] int64.
    """

    entries: Tensor
    used: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, index: Tensor) -> RowUses:
        """Invert an index [n, k] int64, negative for missing rows, by sorting."""
        row, entries = index.flatten().sort(stable=True)
        missing = int((row < 0).sum())
        used, counts = torch.unique_consecutive(row[missing:], return_counts=True)
        return cls(entries, used, offsets_of_sizes(counts) + missing)


@dataclass(frozen=True)
class BlendPlan:
    """A blend of rows, see `kernels.blending`.

    Attributes:
        index: of the rows, [n, k] integer; a negative one names a row of zeros.
        weights: [n, k], float32 or float64.
    """

    index: Tensor
    weights: Tensor

    @cached_property
    def packed(self) -> tuple[Tensor, Tensor]:
        """Index and weights as the kernels read them: int64 and float32, contiguous."""
        weights = self.weights.detach().float().contiguous()
        return self.index.long().contiguous(), weights

    @cached_property
    def uses(self) -> RowUses:
        """Where each row is used."""
        return RowUses.of(self.packed[0])
