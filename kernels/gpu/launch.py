# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the attention kernels are launched: padded sizes, warps and pipeline stages.

A table instead of autotuning: the same launch on every run, under the interpreter too. Its
numbers come from the compiler (no spills, shared memory within an Ada card's 99 KiB).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

LEAST_ROWS = 16  # of a matrix instruction, and its least inner width
WIDEST_HEAD = 128


@dataclass(frozen=True)
class Shape:
    """One compiled variant of the attention kernels; all sizes are powers of 2."""

    tile: int  # queries
    group: int  # heads that share a key/value head, padded
    width: int  # of a head, padded
    precision: str  # of float32 products
    warps: int
    stages: int


def shape_of(query: Tensor, key: Tensor, tile: int) -> Shape:
    """The variant for these tensors.

    Args:
        query: [queries, query heads, D].
        key: [tokens, key/value heads, D].
        tile: queries per tile.

    Raises:
        ValueError: if heads do not divide, or are too wide.
    """
    heads, head_width = query.shape[1:]
    if heads % key.shape[1] or head_width > WIDEST_HEAD:
        raise ValueError(
            f"{heads} query heads of width {head_width} on {key.shape[1]} key/value heads: heads "
            f"must divide, and be at most {WIDEST_HEAD} wide"
        )
    group = max(_power_of_2(heads // key.shape[1]), LEAST_ROWS // tile)
    width = max(LEAST_ROWS, _power_of_2(head_width))
    return variant(tile, group, width, query.dtype)


def variant(tile: int, group: int, width: int, dtype: torch.dtype) -> Shape:
    """The launch of a padded shape."""
    wide = tile * group * width * dtype.itemsize > 128 * 32 * 2
    warps = max(1, min(8 if wide else 4, tile * group // 16))
    stages = 3 if width * dtype.itemsize <= 128 else 1
    precision = "ieee" if dtype == torch.float32 else "tf32"
    return Shape(tile, group, width, precision, warps, stages)


def _power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()
