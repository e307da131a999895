# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nearest of many points: the search behind 3D-aware block routing (section 3.4).

Distances and their minimum are computed together, so nothing of size queries x points is stored.
Sums of squares are float32, term by term in the order of the axes and never fused, so that every
implementation finds the same bits; among equal distances the lower index wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .core.dispatch import run_triton, uses_triton
from .core.segments import chunks

MOST_NEAREST = 256
"""Most points that are found for a query: a Triton program holds them in registers."""

PAIRS_PER_CHUNK = 1 << 18  # distances of a chunk, which fit in the cache of a CPU core


@dataclass(frozen=True)
class Surfaces:
    """Blocks of pixels; each pixel sees one point of a surface, or nothing.

    Attributes:
        points: [blocks, 3, pixels] float32, infinite where a pixel sees nothing.
        far: the distance that a pixel which sees nothing counts as.
    """

    points: Tensor
    far: float


def nearest(query: Tensor, points: Tensor, count: int) -> Tensor:
    """The points nearest to each query, nearest first.

    Args:
        query: [queries, axes] float32.
        points: [points, axes] float32.
        count: points per query, up to `MOST_NEAREST`.

    Returns:
        [queries, min(count, points)] int64.

    Raises:
        ValueError: if `count` is larger.
        TypeError: if anything is not float32.
    """
    _check_types(query, points)
    if count > MOST_NEAREST:
        raise ValueError(f"{count} nearest points; at most {MOST_NEAREST} are found at once")
    count = min(count, len(points))
    if uses_triton(query):
        from .gpu.nearest import fused_nearest

        return run_triton(fused_nearest, query, points, count)
    found = query.new_empty(len(query), count, dtype=torch.int64)
    for first, last in _query_chunks(len(query), len(points)):
        found[first:last] = smallest(squared_distance(query[first:last], points.T), count)
    return found


def squared_surface_distance(query: Tensor, near: Tensor, surfaces: Surfaces) -> Tensor:
    """The squared distance of each query to the surface points that candidate blocks see.

    A pixel that sees nothing counts as the distance `far`, even if others see points beyond it.

    Args:
        query: [queries, 3] float32.
        near: [queries, candidates] int64, blocks.
        surfaces: of all blocks.

    Returns:
        [queries, candidates]: the smallest squared distance to a point of the block.

    Raises:
        TypeError: if anything is not float32.
    """
    _check_types(query, surfaces.points)
    if uses_triton(query):
        from .gpu.nearest import fused_squared_surface_distance

        return run_triton(
            fused_squared_surface_distance, query, near, surfaces.points, surfaces.far
        )
    result = query.new_empty(near.numel())
    order = torch.argsort(near.flatten(), stable=True)
    readers = torch.bincount(near.flatten(), minlength=len(surfaces.points))
    for block, pairs in zip(surfaces.points, order.split(readers.tolist()), strict=True):
        seen = block[:, block[0].isfinite()]
        lowest = _lowest(query[pairs // max(1, near.shape[1])], seen)
        blind = seen.shape[1] < block.shape[1]
        result[pairs] = lowest.clamp_max(surfaces.far**2) if blind else lowest
    return result.view_as(near)


def smallest(distance: Tensor, count: int) -> Tensor:
    """The columns of the smallest numbers of each row, smallest first, equal ones in order.

    A number and its column are sorted as one integer: the bits of floats that are not negative
    ascend as the floats do.

    Args:
        distance: [rows, columns] float32, not negative.
        count: up to the number of columns.

    Returns:
        [rows, count] int64.
    """
    column = torch.arange(distance.shape[1], device=distance.device)
    keys = (distance.contiguous().view(torch.int32).long() << 32) | column
    return keys.topk(count, largest=False).values & 0xFFFFFFFF


def squared_distance(query: Tensor, points: Tensor) -> Tensor:
    """[queries, axes] and [axes, points] to [queries, points]."""
    total = query.new_zeros(len(query), points.shape[1])
    for of_query, of_point in zip(query.T, points, strict=True):
        delta = of_query[:, None] - of_point
        total += delta.square_()
    return total


def _check_types(*points: Tensor) -> None:
    """Raise TypeError unless all are float32: shorter distances would select other blocks."""
    if wrong := [str(each.dtype) for each in points if each.dtype != torch.float32]:
        raise TypeError(f"distances are found in float32, not in {' and '.join(wrong)}")


def _lowest(query: Tensor, points: Tensor) -> Tensor:
    """The smallest squared distance [queries] to points [axes, points]; infinite without any."""
    if points.shape[1] == 0:
        return query.new_full((len(query),), torch.inf)
    spans = _query_chunks(len(query), points.shape[1])
    found = [squared_distance(query[first:last], points).amin(1) for first, last in spans]
    return torch.cat(found) if found else query.new_empty(0)


def _query_chunks(queries: int, points: int) -> list[tuple[int, int]]:
    return chunks(0, queries, PAIRS_PER_CHUNK // max(1, points))
