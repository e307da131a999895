# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nearest points in Triton: a program holds some queries and goes through all points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

if TYPE_CHECKING:
    from torch import Tensor

QUERIES = 8  # of a program of the search
POINTS = 128  # of one step; at least as many as are searched for
PAIRS = 8  # (query, block) of a program of the distances to surfaces
PIXELS = 128
EXACT = {"enable_fp_fusion": False}  # products are rounded before they are summed, as in PyTorch


@triton.jit
def nearest_kernel(
    query_ptr,  # [queries, AXES] float32
    points_ptr,  # [points, AXES] float32
    found_ptr,  # [queries, count] int64
    queries,
    points,
    count,
    AXES: tl.constexpr,
    BEST: tl.constexpr,
    QUERIES: tl.constexpr,
    POINTS: tl.constexpr,
):
    """Keep the BEST smallest of (distance, index), packed as in `nearest.smallest` and negated."""
    row = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    real = row < queries
    worst = -0x7FFFFFFFFFFFFFFF
    best = tl.full([QUERIES, BEST], worst, tl.int64)
    for first in range(0, points, POINTS):
        column = first + tl.arange(0, POINTS)
        squared = tl.zeros([QUERIES, POINTS], tl.float32)
        for axis in tl.static_range(AXES):
            of_query = tl.load(query_ptr + row * AXES + axis, mask=real, other=0.0)
            of_point = tl.load(points_ptr + column * AXES + axis, mask=column < points, other=0.0)
            delta = of_query[:, None] - of_point[None, :]
            squared += delta * delta
        key = (squared.to(tl.int32, bitcast=True).to(tl.int64) << 32) | column.to(tl.int64)[None, :]
        key = tl.topk(tl.where((column < points)[None, :], -key, worst), BEST)
        both = tl.reshape(tl.join(best, key), [QUERIES, 2 * BEST])
        best = tl.topk(both, BEST)
    rank = tl.arange(0, BEST)
    offset = row.to(tl.int64)[:, None] * count + rank[None, :]
    inside = real[:, None] & (rank < count)[None, :]
    tl.store(found_ptr + offset, (-best) & 0xFFFFFFFF, mask=inside)


@triton.jit
def surface_kernel(
    query_ptr,  # [queries, 3] float32
    near_ptr,  # [queries, candidates] int64
    points_ptr,  # [blocks, 3, pixels] float32
    distance_ptr,  # like near, float32
    pairs,
    candidates,
    pixels,
    far_squared,
    PAIRS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """The smallest squared distance of pairs (query, block); infinite points are `far` away."""
    pair = tl.program_id(0).to(tl.int64) * PAIRS + tl.arange(0, PAIRS)
    real = pair < pairs
    row = pair // candidates
    block = tl.load(near_ptr + pair, mask=real, other=0)
    lowest = tl.full([PAIRS], float("inf"), tl.float32)
    for first in range(0, pixels, PIXELS):
        pixel = first + tl.arange(0, PIXELS)
        inside = real[:, None] & (pixel < pixels)[None, :]
        squared = tl.zeros([PAIRS, PIXELS], tl.float32)
        for axis in tl.static_range(3):
            of_query = tl.load(query_ptr + row * 3 + axis, mask=real, other=0.0)
            offset = (block * 3 + axis)[:, None] * pixels + pixel[None, :]
            of_point = tl.load(points_ptr + offset, mask=inside, other=0.0)
            delta = of_query[:, None] - of_point
            squared += delta * delta
        squared = tl.where(squared < float("inf"), squared, far_squared)
        lowest = tl.minimum(lowest, tl.min(tl.where(inside, squared, float("inf")), 1))
    tl.store(distance_ptr + pair, lowest, mask=real)


def fused_nearest(query: Tensor, points: Tensor, count: int) -> Tensor:
    """`nearest.nearest`, with at least `count` points."""
    query, points = query.contiguous(), points.contiguous()
    found = query.new_empty((len(query), count), dtype=torch.int64)
    if found.numel():
        nearest_kernel[(triton.cdiv(len(query), QUERIES),)](
            query, points, found, len(query), len(points), count,
            AXES=query.shape[1], **sizes(count), **EXACT,
        )  # fmt: skip
    return found


def sizes(count: int) -> dict[str, int]:
    """What a search for `count` points is compiled for."""
    best = max(2, triton.next_power_of_2(count))
    return {"BEST": best, "QUERIES": QUERIES, "POINTS": max(POINTS, best)}


def fused_squared_surface_distance(
    query: Tensor, near: Tensor, points: Tensor, far: float
) -> Tensor:
    """`nearest.squared_surface_distance` of the points and the `far` of its `Surfaces`."""
    query, near, points = query.contiguous(), near.contiguous(), points.contiguous()
    distance = query.new_empty(near.shape)
    if near.numel():
        surface_kernel[(triton.cdiv(near.numel(), PAIRS),)](
            query, near, points, distance,
            near.numel(), near.shape[1], points.shape[2], far**2,
            PAIRS=PAIRS, PIXELS=PIXELS, **EXACT,
        )  # fmt: skip
    return distance
