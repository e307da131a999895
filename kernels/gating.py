# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates: branches of attention weighed channel by channel and summed, in one pass."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import torch

from .dispatch import uses_triton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def gated_sum(logits: Tensor, branches: Sequence[Tensor]) -> Tensor:
    """sigmoid(l_1) * b_1 + sigmoid(l_2) * b_2 (+ sigmoid(l_3) * b_3), as in eqs. (2), (7), (8).

    Args:
        logits: [tokens, branches * width], what the gate's linear map says: for the first
            branch, then for the next.
        branches: two or three of [tokens, width].

    Returns:
        [tokens, width].
    """
    if not uses_triton(logits):
        gates = torch.sigmoid(logits).chunk(len(branches), dim=-1)
        return functools.reduce(torch.add, map(torch.mul, gates, branches))
    from .gpu.gating import FusedGatedSum

    with torch.cuda.device_of(logits):  # Triton launches on the current card
        return FusedGatedSum.apply(logits, *branches)  # type: ignore[no-any-return,no-untyped-call]
