# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The references of compositing, blending and decoding against plain loops and differences."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.kernels.checks import fields
from kernels.blending import blend_rows
from kernels.compositing import ray_sums, ray_weights
from kernels.core.sparse_grid import Bricks, SparseGrid
from kernels.sparse_field import decode, sample

COUNTS = (0, 3, 1, 0, 6)
RAY = torch.repeat_interleave(torch.arange(5), torch.tensor(COUNTS))


def random(*shape, seed=0):
    """Normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_light_by_hand():
    """Every sample takes its share of what the ones before it left; rays know only themselves."""
    thickness = random(len(RAY)).abs()
    found, number = ray_weights(thickness, RAY, 5), 0
    for count in COUNTS:
        light = 1.0
        for _ in range(count):
            taken = light * (1 - math.exp(-float(thickness[number])))
            assert found[number].item() == pytest.approx(taken, rel=1e-12)
            light, number = light - taken, number + 1


def test_sums_by_hand():
    """Sums per ray, zero without samples."""
    values = random(len(RAY), 3)
    wanted = torch.stack([values[ray == RAY].sum(0) for ray in range(5)])
    torch.testing.assert_close(ray_sums(values, RAY, 5), wanted)
    assert ray_sums(values[:0], RAY[:0], 2).tolist() == [[0] * 3] * 2


def test_gradients_along_rays():
    """Both pass gradcheck."""
    thickness, values = random(len(RAY)).abs().requires_grad_(), random(len(RAY), 2)
    assert torch.autograd.gradcheck(lambda t: ray_weights(t, RAY, 5), thickness)
    assert torch.autograd.gradcheck(lambda v: ray_sums(v, RAY, 5), values.requires_grad_())


def test_missing_rows_are_zeros():
    """A negative index adds nothing, also where there is no row at all."""
    index = torch.tensor([[0, -1], [-1, -1]])
    rows = torch.tensor([[2.0, 4.0]], requires_grad=True)
    assert blend_rows(rows, index, torch.full((2, 2), 0.5)).tolist() == [[1, 2], [0, 0]]
    none = torch.zeros(0, 2, requires_grad=True)
    zeros = blend_rows(none, torch.full((2, 2), -1), torch.ones(2, 2))
    zeros.sum().backward()
    assert zeros.tolist() == [[0, 0], [0, 0]]


def test_gradients_of_decoding():
    """Rows, coarse grid and layers pass gradcheck together."""
    index = torch.full((4, 4, 4), -1)
    index[1:3, 1:3] = torch.arange(16).view(2, 2, 4)
    points = torch.rand(9, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    shapes = (16, 3), (3, 2, 2, 2), (5, 3), (2, 5)
    given = [random(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]

    def function(rows, coarse, *layers):
        return decode(points, SparseGrid(rows, Bricks(index), coarse, 0.525), [layers, layers[:1]])

    assert torch.autograd.gradcheck(function, given)


def test_a_coarse_cell_answers_for_its_missing_voxels():
    """At a voxel itself the feature is its row, or the cell that it lies in."""
    index = torch.full((4, 4, 4), -1)
    index[3, 0, 1] = 0
    coarse = torch.arange(8.0).view(1, 2, 2, 2)
    grid = SparseGrid(torch.tensor([[100.0]]), Bricks(index), coarse, 1.5)
    points = torch.tensor([[-0.5, -1.5, 1.5], [0.5, -1.5, 1.5], [-1.5, 1.5, -1.5]])
    assert sample(points, grid)[:, 0].tolist() == pytest.approx([100, 5, 2])


@pytest.mark.parametrize("side", [2, 3, 4])
def test_bricks_say_the_same_voxel_by_voxel(side):
    """A table of bricks gives the rows that a table of all its voxels gives."""
    numbers = torch.full((3, 3, 3), -1, dtype=torch.int32)
    numbers.view(-1)[torch.tensor([2, 5, 13, 26])] = torch.tensor([3, 0, 1, 2], dtype=torch.int32)
    size = 3 * side
    voxels = torch.full((size, size, size), -1, dtype=torch.int32)
    for z, y, x in torch.nonzero(numbers >= 0) * side:
        first = int(numbers[z // side, y // side, x // side]) * side**3
        brick = torch.arange(first, first + side**3, dtype=torch.int32).view(side, side, side)
        voxels[z : z + side, y : y + side, x : x + side] = brick
    coarse, rows = random(2, 3, 3, 3), random(4 * side**3, 2)
    points = 1.2 * (torch.rand(500, 3, dtype=torch.float64) - 0.5)
    by_brick, by_voxel = (
        sample(points, SparseGrid(rows, bricks, coarse, 0.525))
        for bricks in (Bricks(numbers, side), Bricks(voxels))
    )
    assert torch.equal(by_brick, by_voxel)
    assert Bricks(numbers, side).resolution == size


@pytest.mark.parametrize("name", ["light along rays", "sums over rays", "blended rows"])
def test_references_in_16_bits_sum_in_more(name):
    """What comes out is rounded once: half a unit of the last place per number, on average less."""
    function, inputs = fields(torch.device("cpu"))[name]
    short = [each.half() for each in inputs]
    found, wanted = function(*short), function(*(each.double() for each in short))
    assert found.dtype == torch.float16
    error = (found.double() - wanted).square().mean().sqrt()
    assert error <= 2.0**-11 * wanted.square().mean().sqrt()
