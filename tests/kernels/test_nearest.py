# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference implementation of the search for nearest points and surfaces."""

from __future__ import annotations

import pytest
import torch

from kernels.nearest import MOST_NEAREST, Surfaces, nearest, smallest, squared_surface_distance
from tests.kernels.nearest_cases import (
    defined_nearest,
    defined_surface_distance,
    lattice,
    random_surfaces,
)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize(("points", "count"), [(1, 1), (7, 16), (300, 16), (40, 9)])
def test_nearest_points_are_the_definition(points, count, axes):
    """On a lattice, where distances are exact and many are equal, indices are exact, too."""
    query, cloud = lattice(33, axes, seed=1), lattice(points, axes, seed=2)
    assert torch.equal(nearest(query, cloud, count), defined_nearest(query, cloud, count))


def test_equal_numbers_keep_their_order():
    """Zeros, equal numbers and infinities are taken from the left."""
    row = torch.tensor([[torch.inf, 2.0, 0.0, 2.0, 0.0, torch.inf]])
    assert smallest(row, 6).tolist() == [[2, 4, 1, 3, 0, 5]]


def test_no_queries_and_no_points():
    """Without queries or without points the result is empty."""
    assert nearest(torch.zeros(0, 3), torch.zeros(4, 3), 2).shape == (0, 2)
    assert nearest(torch.zeros(4, 3), torch.zeros(0, 3), 2).shape == (4, 0)


def test_too_many_are_refused():
    """More than a program can hold is an error with both numbers."""
    with pytest.raises(ValueError, match=f"at most {MOST_NEAREST}"):
        nearest(torch.zeros(1, 3), torch.zeros(4, 3), MOST_NEAREST + 1)


def test_surface_distances_are_the_definition():
    """Blocks that see everything, something or nothing: the smallest distance, `far` included."""
    query, near, surfaces = random_surfaces()
    found = squared_surface_distance(query, near, surfaces)
    # three differences are squared and summed: each rounds once
    wanted = defined_surface_distance(query, near, surfaces)
    torch.testing.assert_close(found, wanted, atol=0, rtol=1e-6)
    nothing = surfaces.points.isinf().all(2).all(1)[near]
    assert nothing.any()
    assert (found[nothing] == surfaces.far**2).all()


def test_points_must_be_float32():
    """Other types would find other neighbors, so they are an error."""
    zeros = torch.zeros(3, 3)
    for query, points in ((zeros.half(), zeros), (zeros, zeros.double())):
        with pytest.raises(TypeError, match="float32"):
            nearest(query, points, 1)
    surfaces = Surfaces(torch.zeros(2, 3, 4).half(), 1.0)
    with pytest.raises(TypeError, match="float16"):
        squared_surface_distance(zeros, torch.zeros(3, 1, dtype=torch.int64), surfaces)
