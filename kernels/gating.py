# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates: branches of attention weighed channel by channel and summed, in one pass.

The sparse stage has two levels of them: the branches of each direction, then the directions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .core.dispatch import launch, uses_triton

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Gated:
    """What one direction of attention learned, before its gates."""

    branches: tuple[Tensor, ...]  # [tokens, width] each
    logits: Tensor | None = None  # [tokens, branches * width]; None for one branch without a gate

    def total(self) -> Tensor:
        """The gated sum, [tokens, width]."""
        return self.branches[0] if self.logits is None else gated_sum(self.logits, self.branches)


def gated_sum(logits: Tensor, branches: Sequence[Tensor]) -> Tensor:
    """sigmoid(l_1) * b_1 + sigmoid(l_2) * b_2 (+ sigmoid(l_3) * b_3), as in eqs. (2), (7), (8).

    Args:
        logits: [tokens, branches * width], what the gate's linear map says: for the first
            branch, then for the next.
        branches: two or three of [tokens, width].

    Returns:
        [tokens, width].

    Raises:
        ValueError: if there is not one logit per element of each branch.
    """
    _check(logits, branches)
    if not uses_triton(logits):
        gates = torch.sigmoid(logits).chunk(len(branches), dim=-1)
        return functools.reduce(torch.add, map(torch.mul, gates, branches))
    from .gpu.gating import FusedGatedSum

    fused: Tensor = launch(FusedGatedSum.apply, logits, *branches)
    return fused


def deferred_sum(logits: Tensor, branches: tuple[Tensor, ...]) -> Gated:
    """A gated sum that the kernel of `gated_merge` takes in parts; elsewhere it is taken at once.

    Arguments as for `gated_sum`. The reference would only keep the parts in memory for longer.
    """
    if uses_triton(logits):
        return Gated(branches, logits)
    return Gated((gated_sum(logits, branches),))


def gated_merge(logits: Tensor, cross: Gated, own: Gated) -> Tensor:
    """The gated sum of two gated sums, none of which is written: eqs. (2) and (7), or (8).

    Args:
        logits: [tokens, 2 * width], for the other stream and the own one.
        cross: what was learned from the other stream: two branches, or one without a gate.
        own: what was learned from the own stream: three branches, or one without a gate.

    Returns:
        [tokens, width].

    Raises:
        ValueError: if there is not one logit per element of each branch.
    """
    if cross.logits is None or own.logits is None or not uses_triton(logits):
        return gated_sum(logits, (cross.total(), own.total()))
    _check(logits, (cross.branches[0], own.branches[0]))
    _check(cross.logits, cross.branches, 2)
    _check(own.logits, own.branches, 3)
    from .gpu.gated_merge import FusedGatedMerge

    inner = cross.logits, own.logits, *cross.branches, *own.branches
    fused: Tensor = launch(FusedGatedMerge.apply, logits, *inner)
    return fused


def _check(logits: Tensor, branches: Sequence[Tensor], count: int = 0) -> None:
    """A kernel would read outside of tensors that do not fit."""
    shapes = [list(branch.shape) for branch in branches]
    *tokens, width = shapes[0]
    wanted = [*tokens, (count or len(shapes)) * width]
    if shapes.count(shapes[0]) != len(shapes) or list(logits.shape) != wanted:
        raise ValueError(f"logits {list(logits.shape)} for branches {shapes}")
