# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of different lengths laid end to end."""

from __future__ import annotations

import torch
from torch import Tensor


def expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Number the entries of lists that lie end to end.

    Args:
        counts: [lists], the length of each; below zero counts as zero.

    Returns:
        For every entry the list it belongs to, and its place in that list, both [entries].
    """
    counts = counts.clamp_min(0)
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    starts = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - starts[owner]
