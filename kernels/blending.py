# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weighted sums of rows, differentiable in the rows: the gather of trilinear sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from .core.dispatch import run_triton, uses_triton
from .core.segments import offsets_of_sizes

if TYPE_CHECKING:
    from torch import Tensor


def blend_rows(rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """result[n] = sum_k weights[n, k] * rows[index[n, k]]; weights carry no gradient.

    The kernel sums the gradient of a row in the order of the points, without atomics: the same
    bits in every run.

    Args:
        rows: [rows, channels].
        index: [n, k] integer, below `rows`; a negative index names a row of zeros.
        weights: [n, k], float32 or float64, the type of the sums.

    Returns:
        [n, channels], in the type of the rows.
    """
    return BlendPlan(index, weights).blend(rows)


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
    """A blend that is prepared once for several rows, and for their gradients.

    Attributes:
        index: see `blend_rows`.
        weights: see `blend_rows`.
    """

    index: Tensor
    weights: Tensor

    def blend(self, rows: Tensor) -> Tensor:
        """Blend rows [rows, channels] to [n, channels]; see `blend_rows`."""
        if uses_triton(rows):
            from .gpu.blending import FusedBlend

            fused: Tensor = run_triton(FusedBlend.apply, rows, self)
            return fused
        if len(rows) == 0:  # then every row is missing
            zeros = self.weights.new_zeros(len(self.index), rows.shape[1])
            return (rows.sum() + zeros).to(rows.dtype)
        weights = self.weights * (self.index >= 0)
        blended = (rows[self.index.clamp(min=0).long()] * weights[..., None]).sum(1)
        return blended.to(rows.dtype)

    @cached_property
    def packed(self) -> tuple[Tensor, Tensor]:
        """Index and weights as the kernels read them: int64 and float32, contiguous."""
        weights = self.weights.detach().float().contiguous()
        return self.index.long().contiguous(), weights

    @cached_property
    def uses(self) -> RowUses:
        """Where each row is used."""
        return RowUses.of(self.packed[0])
