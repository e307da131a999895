# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gated sums: branches of attention weighed channel by channel and added, eqs. (2), (7) and (8).

A sparse layer nests two of them: eq. (2) sums the branches of each direction, eqs. (7) and (8) sum
the two directions. Both have the form that `reference.definitions.gated_sum` defines. On CUDA the
inner sums are deferred, so that one kernel computes both levels and never stores an inner sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .core.dispatch import run_triton, uses_triton
from .reference import definitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class GatedSum:
    """A gated sum: computed, or deferred until its result or a sum around it is computed.

    Attributes:
        branches: [tokens, width] each; one alone, without logits, is the computed sum.
        logits: [tokens, branches * width], or None.
    """

    branches: tuple[Tensor, ...]
    logits: Tensor | None = None

    def compute(self) -> Tensor:
        """The sum, [tokens, width]."""
        if self.logits is None:
            return self.branches[0]
        return _fused(self.logits, *self.branches, counts=(len(self.branches), 0))


def gated_sum(logits: Tensor, branches: Sequence[Tensor]) -> GatedSum:
    """Eq. (2), as `reference.definitions.gated_sum` defines it: deferred where Triton runs.

    A deferred sum on a CPU would only keep the branches in memory for longer.

    Args:
        logits: [tokens, branches * width], the output of the gate's linear map: for the first
            branch, then for the next.
        branches: two or three, [tokens, width] each.

    Raises:
        ValueError: if there is not one logit per element of each branch.
    """
    _check(logits, branches, len(branches))
    if uses_triton(logits):
        return GatedSum(tuple(branches), logits)
    return GatedSum((definitions.gated_sum(logits, branches),))


def gated_merge(logits: Tensor, cross: GatedSum, own: GatedSum) -> Tensor:
    """Eqs. (7) and (8): the gated sum of the two directions of a stream, [tokens, width].

    Args:
        logits: [tokens, 2 * width], for the other stream, then for the own one.
        cross: attention to the other stream: two branches, or a computed sum.
        own: attention to the own stream: three branches, or a computed sum.

    Raises:
        ValueError: if there is not one logit per element of each branch.
    """
    if cross.logits is None or own.logits is None:
        return gated_sum(logits, (cross.compute(), own.compute())).compute()
    _check(logits, (cross.branches[0], own.branches[0]), 2)
    _check(cross.logits, cross.branches, 2)
    _check(own.logits, own.branches, 3)
    counts = len(cross.branches), len(own.branches)
    tensors = cross.logits, own.logits, logits, *cross.branches, *own.branches
    return _fused(*tensors, counts=counts)


def _fused(*tensors: Tensor, counts: tuple[int, int]) -> Tensor:
    """The sum of branches, or of two sums of so many branches, by one kernel."""
    from .gpu.gating import FusedGatedSum

    fused: Tensor = run_triton(FusedGatedSum.apply, *tensors, counts)
    return fused


def _check(logits: Tensor, branches: Sequence[Tensor], count: int) -> None:
    """Raise ValueError for shapes with which a kernel would read outside of a tensor."""
    shapes = [list(branch.shape) for branch in branches]
    *tokens, width = shapes[0]
    wanted = [*tokens, count * width]
    if shapes.count(shapes[0]) != len(shapes) or list(logits.shape) != wanted:
        raise ValueError(f"logits {list(logits.shape)} for branches {shapes}")
