# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the ranks are, measured in a moment, so that unequal cards get unequal shares."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Sequence

PRODUCTS = 20
"""Matrix products that are timed, after as many to warm up."""

ALIKE = 0.9
"""Devices of at least this speed, of the fastest, count as equally fast: the rest is noise."""


def seconds_of_products(device: torch.device, dtype: torch.dtype, side: int = 4096) -> float:
    """The time of some matrix products [side, side], which most of the network consists of."""
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(PRODUCTS):
            matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - start
    return seconds


def rank_speeds(device: torch.device, dtype: torch.dtype, ranks: int) -> tuple[float, ...]:
    """The speed of every rank, the fastest 1; all ranks call it, and get the same.

    Args:
        device: of this rank.
        dtype: that the network computes in.
        ranks: in torch's default process group.
    """
    own = torch.tensor([seconds_of_products(device, dtype)], dtype=torch.float64, device=device)
    found = own.new_empty(ranks)
    distributed.all_gather_into_tensor(found, own)
    return relative_speeds(found.tolist())


def relative_speeds(seconds: Sequence[float]) -> tuple[float, ...]:
    """The speed of each rank, the fastest 1, from the times that all took for the same work."""
    fastest = min(seconds)
    speeds = (fastest / own for own in seconds)
    return tuple(1.0 if speed >= ALIKE else speed for speed in speeds)
