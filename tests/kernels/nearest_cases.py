# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points and surfaces for the search of nearest ones, and what the definitions find."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.nearest import Surfaces
from kernels.reference import definitions


def lattice(count: int, axes: int, seed: int) -> Tensor:
    """Points with coordinates in eighths: their squared distances are exact in float32."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, (count, axes), generator=generator) / 8


def defined_nearest(query: Tensor, points: Tensor, count: int) -> Tensor:
    """The definition in float64."""
    return definitions.nearest(query.double(), points.double(), count)


def random_surfaces() -> tuple[Tensor, Tensor, Surfaces]:
    """Queries, candidate blocks, and points of all, half, one or none of their pixels, some far."""
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


def defined_surface_distance(query: Tensor, near: Tensor, surfaces: Surfaces) -> Tensor:
    """The definition in float64, rounded once."""
    seen = surfaces.points.double()
    return definitions.squared_surface_distance(query.double(), near, seen, surfaces.far).float()
