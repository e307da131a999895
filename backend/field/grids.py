# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular grids over the model's cube, evaluated in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from kernels.core.precision import widened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .field import VolumeField
    from .volumes import DenseVolume

_POINTS_PER_CHUNK = 1 << 18


def grid_points(
    half_side: float, count: int, order: Literal["zyx", "xyz"], device: torch.device | None = None
) -> Tensor:
    """Points (x, y, z) of a grid with both ends, [count^3, 3].

    Args:
        half_side: the cube is [-half_side, half_side]^3.
        count: points per side.
        order: which axis runs slowest to fastest; feature grids are "zyx", mesh grids "xyz".
        device: of the points.
    """
    line = torch.linspace(-half_side, half_side, count, device=device)
    axes = torch.meshgrid(line, line, line, indexing="ij")
    return torch.stack(axes[::-1] if order == "zyx" else axes, -1).view(-1, 3)


def evaluate(quantity: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """A quantity at many points [points, 3], in chunks of bounded memory; no gradient."""
    with torch.no_grad():
        return torch.cat([quantity(chunk) for chunk in torch.split(points, _POINTS_PER_CHUNK)])


@torch.no_grad()
def distances_by_plane(
    field: VolumeField[DenseVolume],
    half_side: float,
    count: int,
    device: torch.device | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Signed distances on the "zyx" grid, one plane of z after the other.

    Yields:
        Points [count^2, 3], x fastest, and their distances [count^2].
    """
    line = torch.linspace(-half_side, half_side, count, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    for z in line:
        points = torch.stack([x, y, z.expand_as(x)], -1).view(-1, 3)
        yield points, field.decoder.signed_distance(_sample_plane(field.volume, line, z), points)


def _sample_plane(volume: DenseVolume, line: Tensor, z: Tensor) -> Tensor:
    """`volume.sample` where x and y are from a line, [len(line)^2, channels], x fastest.

    One axis at a time: on a CPU far less work than point by point.
    """
    features = widened(volume.features)
    for axis, coordinates in ((1, z.view(1)), (2, line), (3, line)):
        features = _interpolate(features, axis, coordinates / volume.half_side)
    return features.flatten(1).T.to(volume.features.dtype)


def _interpolate(features: Tensor, axis: int, coordinates: Tensor) -> Tensor:
    """Linear between the samples of one axis, which span -1..1, and constant beyond its ends."""
    last = features.shape[axis] - 1
    position = (0.5 * (coordinates + 1)).clamp(0, 1) * last
    low = position.long()
    shape = [-1 if other == axis else 1 for other in range(features.dim())]
    fraction = (position - low).to(features.dtype).view(shape)
    below = features.index_select(axis, low)
    above = features.index_select(axis, (low + 1).clamp(max=last))
    return torch.lerp(below, above, fraction)


def dilated(cells: Tensor, reach: int) -> Tensor:
    """Boolean cells [z, y, x] grown by `reach` in every direction, corners included."""
    for axis in range(3):
        before, cells = cells, cells.clone()
        for shift in range(1, min(reach, before.shape[axis] - 1) + 1):
            count = before.shape[axis] - shift
            cells.narrow(axis, shift, count).logical_or_(before.narrow(axis, 0, count))
            cells.narrow(axis, 0, count).logical_or_(before.narrow(axis, shift, count))
    return cells
