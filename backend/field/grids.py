# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular grids over the model's cube, evaluated in bounded pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

_POINTS_AT_ONCE = 1 << 18


def grid_points(
    half_side: float, count: int, order: Literal["zyx", "xyz"], device: torch.device | None = None
) -> Tensor:
    """Points (x, y, z) of a grid with both ends, [count^3, 3].

    Args:
        half_side: the cube is [-half_side, half_side]^3.
        count: points per side.
        order: which axis runs slowest to fastest; feature grids are "zyx", mesh grids "xyz".
        device: where the points shall be.
    """
    line = torch.linspace(-half_side, half_side, count, device=device)
    axes = torch.meshgrid(line, line, line, indexing="ij")
    return torch.stack(axes[::-1] if order == "zyx" else axes, -1).view(-1, 3)


def evaluate(quantity: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """A field's answer for many points without the memory for all at once; no gradient."""
    with torch.no_grad():
        return torch.cat([quantity(piece) for piece in torch.split(points, _POINTS_AT_ONCE)])
