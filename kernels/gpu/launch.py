# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch options of the attention kernels: padded sizes, warps and pipeline stages.

A table instead of autotuning: the same launch in every run. Its numbers come from the compiler
(no spilled registers from sm_80 to sm_120, shared memory within the 99 KiB of Ada), not from
measurements on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..core.dispatch import interpreting
from ..core.routing_plan import RUN_TOKENS

if TYPE_CHECKING:
    from torch import Tensor

LEAST_ROWS = 16  # of a matrix instruction, and its least inner width
WIDEST_HEAD = 128


@dataclass(frozen=True)
class Limits:
    """What fits in the registers of a program.

    Attributes:
        rows: queries x heads.
        keys: of one program of the key kernel.
        warps: of a program.
        stages: of the software pipeline.
    """

    rows: int
    keys: int
    warps: int
    stages: int


_TABLE = {
    # kernel, bytes per element, width of a head
    ("forward", 2, 32): Limits(128, 64, 4, 3),
    ("forward", 2, 64): Limits(128, 64, 4, 2),
    ("forward", 2, 128): Limits(64, 64, 8, 2),
    ("query", 2, 32): Limits(128, 64, 4, 3),
    ("query", 2, 64): Limits(128, 64, 8, 2),
    ("query", 2, 128): Limits(64, 64, 8, 1),
    ("key", 2, 32): Limits(64, 64, 4, 2),
    ("key", 2, 64): Limits(64, 64, 8, 2),
    ("key", 2, 128): Limits(64, 64, 8, 1),
    # float32 is three products of tensor floats each, whose parts are many registers
    ("forward", 4, 32): Limits(16, 64, 4, 1),
    ("forward", 4, 64): Limits(16, 64, 4, 1),
    ("forward", 4, 128): Limits(16, 64, 8, 1),
    ("query", 4, 32): Limits(16, 64, 4, 1),
    ("query", 4, 64): Limits(16, 64, 8, 1),
    ("query", 4, 128): Limits(16, 64, 8, 2),
    ("key", 4, 32): Limits(16, 16, 4, 1),
    ("key", 4, 64): Limits(16, 16, 4, 1),
    ("key", 4, 128): Limits(16, 16, 8, 1),
}
_OWN = {
    # Products of Hopper's warpgroups read shared memory: they leave registers for twice the rows.
    9: {("key", 2, 32): Limits(128, 64, 4, 2)},
    # Consumer Blackwell compiles like Ada, with a few registers more.
    12: {
        ("forward", 2, 64): Limits(64, 64, 4, 2),
        ("query", 2, 64): Limits(64, 64, 8, 2),
        ("query", 2, 128): Limits(64, 64, 8, 2),
        ("key", 2, 32): Limits(64, 64, 4, 3),
    },
}
"""What differs on an architecture, by the first number of its compute capability."""
_INTERPRETED = Limits(1024, 64, 1, 1)  # the interpreter's time is per program, whatever its size


@dataclass(frozen=True)
class Launch:
    """One compiled variant of an attention kernel; all sizes are powers of 2.

    Attributes:
        tile: queries.
        group: heads of one program.
        parts: programs that share the heads of a key/value head.
        width: of a head, padded.
        keys: of one program of the key kernel.
        precision: of float32 products.
        warps: of a program.
        stages: of the software pipeline.
    """

    tile: int
    group: int
    parts: int
    width: int
    keys: int
    precision: str
    warps: int
    stages: int

    @property
    def options(self) -> dict[str, Any]:
        """What every attention kernel is compiled for."""
        return {
            "TILE": self.tile,
            "GROUP": self.group,
            "PARTS": self.parts,
            "WIDTH": self.width,
            "RUN": RUN_TOKENS,
            "PRECISION": self.precision,
            "num_warps": self.warps,
            "num_stages": self.stages,
        }


def launch_of(kernel: str, query: Tensor, key: Tensor, tile: int) -> Launch:
    """The launch of "forward", "query" or "key" for these tensors.

    Args:
        kernel: which one.
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
    capability = torch.cuda.get_device_capability(query.device) if query.is_cuda else (8, 0)
    shape = (tile, heads // key.shape[1], head_width)
    return launch(kernel, query.dtype, shape, capability[0])


def launch(
    kernel: str, dtype: torch.dtype, shape: tuple[int, int, int], architecture: int
) -> Launch:
    """The launch for (queries per tile, heads per key/value head, width of a head).

    Args:
        kernel: "forward", "query" or "key".
        dtype: of the tensors.
        shape: see above.
        architecture: the first number of the GPU's compute capability.
    """
    tile, heads, width = shape
    padded = max(LEAST_ROWS, _power_of_2(width))
    limits = (_TABLE | _OWN.get(architecture, {}))[kernel, dtype.itemsize, max(32, padded)]
    if interpreting():
        limits = _INTERPRETED
    group = max(min(_power_of_2(heads), limits.rows // tile), LEAST_ROWS // tile, 1)
    warps = limits.warps
    if kernel != "key":  # fewer rows need fewer warps; the rows of the key kernel are keys
        least = max(1, padded // 32)
        warps = max(min(least, warps), warps * tile * group // limits.rows)
    precision = "tf32x3" if dtype == torch.float32 else "tf32"
    parts = -(-heads // group)
    return Launch(tile, group, parts, padded, limits.keys, precision, warps, limits.stages)


def _power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()
