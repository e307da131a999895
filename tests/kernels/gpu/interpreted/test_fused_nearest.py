# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for nearest points in Triton: the same indices and bits as the reference."""

from __future__ import annotations

import pytest
import torch

from kernels.core.dispatch import forced
from kernels.nearest import nearest, squared_surface_distance
from tests.kernels.nearest_cases import defined_nearest, lattice, random_surfaces


@pytest.mark.parametrize(
    ("axes", "points", "count"), [(2, 9, 9), (3, 1, 1), (3, 7, 16), (3, 300, 16), (3, 140, 33)]
)
def test_indices_are_exact_also_among_equals(axes, points, count):
    """On a lattice full of equal distances the lower index wins, as in a stable sort."""
    query, cloud = lattice(19, axes, seed=1), lattice(points, axes, seed=2)
    assert torch.equal(nearest(query, cloud, count), defined_nearest(query, cloud, count))


def test_any_points():
    """Sums of squares round as the reference's do, so the indices are equal anywhere."""
    generator = torch.Generator().manual_seed(0)
    query, cloud = (torch.randn(count, 3, generator=generator) for count in (23, 200))
    found = nearest(query, cloud, 16)
    with forced("reference"):
        assert torch.equal(found, nearest(query, cloud, 16))


def test_surfaces():
    """Distances to what blocks see are the reference's, bit by bit."""
    query, near, surfaces = random_surfaces()
    found = squared_surface_distance(query, near, surfaces)
    with forced("reference"):
        assert torch.equal(found, squared_surface_distance(query, near, surfaces))


def test_nothing_to_do():
    """No queries, no candidates: no program is launched, shapes are right."""
    query, near, surfaces = random_surfaces()
    assert nearest(query[:0], query, 3).shape == (0, 3)
    assert squared_surface_distance(query[:0], near[:0], surfaces).shape == (0, 5)
    assert squared_surface_distance(query, near[:, :0], surfaces).shape == (21, 0)
