# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch options of the attention kernels: padded sizes, warps and pipeline stages.

How large and how parallel a program is stands in a table, `launch_table.json`; here it is fitted to
the tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..core.dispatch import interpreting
from ..core.routing_plan import RUN_TOKENS
from .launch_table import Limits, launch_table

if TYPE_CHECKING:
    from torch import Tensor

LEAST_ROWS = 16  # of a matrix instruction, and its least inner width
WIDEST_HEAD = 128


_INTERPRETED = Limits(1024, 64, 1, 1)  # the interpreter's time is per program, whatever its size


@dataclass(frozen=True)
class Launch:
    """One compiled variant of an attention kernel; all sizes but `head` are powers of 2.

    Attributes:
        tile: queries.
        group: heads of one program.
        parts: programs that share the heads of a key/value head.
        head: width of a head.
        width: of a head, padded.
        keys: of one program of the key kernel.
        precision: of float32 products.
        warps: of a program.
        stages: of the software pipeline.
    """

    tile: int
    group: int
    parts: int
    head: int
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
            "HEAD": self.head,
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
    """The launch of the table for (queries per tile, heads per key/value head, width of a head).

    Args:
        kernel: "forward", "query" or "key".
        dtype: of the tensors.
        shape: see above.
        architecture: the first number of the GPU's compute capability.
    """
    if interpreting():
        return fitted(kernel, dtype, shape, _INTERPRETED)
    row = launch_table().limits(kernel, dtype.itemsize, _padded(shape[2]), architecture)
    return fitted(kernel, dtype, shape, row)


def fitted(kernel: str, dtype: torch.dtype, shape: tuple[int, int, int], limits: Limits) -> Launch:
    """A row of the table for a shape; arguments as for `launch`."""
    tile, heads, width = shape
    padded = _padded(width)
    group = max(min(_power_of_2(heads), limits.rows // tile), LEAST_ROWS // tile, 1)
    warps = limits.warps
    if kernel != "key":  # fewer rows need fewer warps; the rows of the key kernel are keys
        least = max(1, padded // 32)
        warps = max(min(least, warps), warps * tile * group // limits.rows)
    precision = "tf32x3" if dtype == torch.float32 else "tf32"
    parts = -(-heads // group)
    return Launch(tile, group, parts, width, padded, limits.keys, precision, warps, limits.stages)


def _padded(width: int) -> int:
    return max(LEAST_ROWS, _power_of_2(width))


def _power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()
