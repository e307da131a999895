# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points and surfaces for the search of nearest ones, and that search by brute force."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.nearest import Surfaces


def lattice(count: int, axes: int, seed: int) -> Tensor:
    """Points with coordinates in eighths: float32 knows their distances exactly."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, (count, axes), generator=generator) / 8


def brute_nearest(query: Tensor, points: Tensor, count: int) -> Tensor:
    """The first of a stable sort of all squared distances, in float64."""
    distance = (query[:, None].double() - points.double()).square().sum(-1)
    return distance.sort(stable=True, dim=1).indices[:, :count]


def random_surfaces() -> tuple[Tensor, Tensor, Surfaces]:
    """Queries, blocks near them, and what these see: all, half, one pixel, nothing, far things."""
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(6, 3, 150, generator=generator) - 0.5
    points[1, :, 1::2] = torch.inf
    points[2, :, 1:] = torch.inf
    points[3] = torch.inf
    points[4] += 9
    points[5] += 9
    points[5, :, 7] = torch.inf
    near = torch.randint(0, 6, (21, 5), generator=generator)
    return torch.rand(21, 3, generator=generator) - 0.5, near, Surfaces(points, 1.0)


def brute_surface(query: Tensor, near: Tensor, surfaces: Surfaces) -> Tensor:
    """All squared distances, infinite ones replaced, in float64 and rounded once."""
    delta = query[:, None, :, None].double() - surfaces.points.double()[near]
    distance = delta.square().sum(2)
    return distance.masked_fill(distance.isinf(), surfaces.far**2).amin(2).float()
