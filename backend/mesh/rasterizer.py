# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rasterization of triangles by scanline spans, in plain torch, for textures and for views."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kernels.core.segments import enumerate_segments


@dataclass(frozen=True)
class Fragments:
    """Every pixel center that a triangle covers, one entry for each such pair.

    Attributes:
        pixel: row-major pixel index, [n].
        face: triangle index, [n].
        barycentric: weights of the three corners, affine on the screen, [n, 3].
    """

    pixel: torch.Tensor
    face: torch.Tensor
    barycentric: torch.Tensor

    def interpolate(self, values: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """Vertex values [vertices, channels] of faces [faces, 3] at fragments, [n, channels]."""
        corners = values.index_select(0, faces.flatten()).view(*faces.shape, values.shape[1])
        at_corners = gather_planes(corners.permute(1, 2, 0), self.face)
        return (at_corners * self.barycentric.T[:, None]).sum(0).T


def gather_planes(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Values [..., count], of faces or vertices, at an index [n] of the last axis, [..., n].

    A CPU is several times faster on long planes than on short rows.
    """
    planes = values.flatten(0, -2)
    found = planes.gather(1, index.expand(len(planes), -1))
    return found.view(*values.shape[:-1], len(index))


def rasterize(corners: torch.Tensor, width: int, height: int) -> Fragments:
    """Find the pixel centers inside triangles.

    Args:
        corners: float [faces, 3, 2], (x, y) in pixels, corner convention: pixel (i, j) has its
            center at (i + 0.5, j + 0.5).
        width: pixels per row.
        height: rows.
    """
    face, row = _rows_of_faces(corners, height)
    left, right = _span(gather_planes(_downward(corners).permute(1, 2, 0), face), row)
    first = (left - 0.5).ceil().clamp(0, width).long()
    last = (right - 0.5).ceil().clamp(0, width).long()
    span, offset = enumerate_segments(last - first)
    face, row, first = (each.index_select(0, span) for each in (face, row, first))
    column = first + offset
    barycentric = _barycentric(corners.permute(1, 2, 0), face, column + 0.5, row + 0.5)
    return Fragments(row * width + column, face, barycentric)


def _rows_of_faces(corners: torch.Tensor, height: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs (face, row) for every row of pixel centers a triangle reaches."""
    y = corners[:, :, 1]
    first = (y.amin(1) - 0.5).ceil().clamp(0, height).long()
    last = (y.amax(1) - 0.5).ceil().clamp(0, height).long()
    face, offset = enumerate_segments(last - first)
    return face, first.index_select(0, face) + offset


def _downward(corners: torch.Tensor) -> torch.Tensor:
    """The corners [faces, 3, 2] by ascending y, so that triangles round a shared edge alike."""
    order = corners[:, :, 1].argsort(dim=1)
    return corners.gather(1, order[..., None].expand(-1, -1, 2))


def _span(corners: torch.Tensor, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Leftmost and rightmost x at which the line of pixel centers crosses each triangle.

    The corners, [3, 2, rows], are ordered by ascending y.
    """
    y = row + 0.5
    left = torch.full_like(y, torch.inf)
    right = torch.full_like(y, -torch.inf)
    for start, end in ((0, 1), (1, 2), (0, 2)):
        (x0, y0), (x1, y1) = corners[start], corners[end]
        crosses = (y0 <= y) & (y <= y1) & (y0 < y1)
        at = x0 + (x1 - x0) * (y - y0) / torch.where(y0 < y1, y1 - y0, torch.ones_like(y0))
        at = torch.where(y == y1, x1, at)  # exactly: other edges end there, too
        left = torch.where(crosses, torch.minimum(left, at), left)
        right = torch.where(crosses, torch.maximum(right, at), right)
    nothing = left > right
    return left.masked_fill(nothing, 0.0), right.masked_fill(nothing, 0.0)


def _barycentric(
    corners: torch.Tensor, face: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Affine weights [n, 3] of points in triangles: of all, [3, 2, faces], those of a list [n]."""
    a, b, c = corners
    ab, ac = b - a, c - a
    area = ab[0] * ac[1] - ab[1] * ac[0]
    area = torch.where(area == 0, torch.ones_like(area), area)
    ax, ay, bx, by, cx, cy, area = gather_planes(torch.stack([*a, *ab, *ac, area]), face)
    px, py = x - ax, y - ay
    weight_b = (px * cy - py * cx) / area
    weight_c = (bx * py - by * px) / area
    weights = torch.stack([1 - weight_b - weight_c, weight_b, weight_c]).clamp_(0, 1)
    return (weights / weights.sum(0)).T
