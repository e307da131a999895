# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a piecewise computation takes at once: what a CPU caches, what keeps a GPU busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CHUNK_BYTES = 1 << 30
"""Of the intermediate results of one chunk on a GPU: launches no longer count, and any card has
them. Not a share of what is free: results do not depend on what else runs."""


def rows_per_chunk(device: torch.device, bytes_per_row: int, on_cpu: int) -> int:
    """How many rows are computed at once.

    Args:
        device: that computes.
        bytes_per_row: of all intermediate results together.
        on_cpu: the answer on the CPU.
    """
    return on_cpu if device.type == "cpu" else max(1, CHUNK_BYTES // bytes_per_row)
