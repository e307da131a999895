# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference implementations of compositing, blending and decoding against their definitions."""

from __future__ import annotations

import pytest
import torch

from benchmarks.kernels.checks import fields
from kernels.blending import blend_rows
from kernels.compositing import ray_sums, ray_weights
from kernels.core.segments import offsets_of_sizes
from kernels.core.sparse_grid import Bricks, SparseGrid
from kernels.reference import field_definitions
from kernels.sparse_field import decode, sample

COUNTS = (0, 3, 1, 0, 6)
RAY = torch.repeat_interleave(torch.arange(5), torch.tensor(COUNTS))
OFFSETS = offsets_of_sizes(torch.tensor(COUNTS))


def random(*shape, seed=0):
    """Normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def defined_weights(thickness):
    """The definition, ray by ray."""
    return torch.cat([field_definitions.ray_weights(ray) for ray in thickness.split(COUNTS)])


def test_ray_weights_are_the_definition():
    """Every sample absorbs its share of the light that the ones before it left."""
    thickness = random(len(RAY)).abs()
    found = ray_weights(thickness, RAY, OFFSETS)
    torch.testing.assert_close(found, defined_weights(thickness), rtol=1e-12, atol=0)


def test_sums_by_hand():
    """Sums per ray, zero without samples."""
    values = random(len(RAY), 3)
    wanted = torch.stack([values[ray == RAY].sum(0) for ray in range(5)])
    torch.testing.assert_close(ray_sums(values, RAY, OFFSETS), wanted)
    assert ray_sums(values[:0], RAY[:0], torch.zeros(3).long()).tolist() == [[0] * 3] * 2


def test_gradients_along_rays():
    """Both pass gradcheck."""
    thickness, values = random(len(RAY)).abs().requires_grad_(), random(len(RAY), 2)
    assert torch.autograd.gradcheck(lambda t: ray_weights(t, RAY, OFFSETS), thickness)
    assert torch.autograd.gradcheck(lambda v: ray_sums(v, RAY, OFFSETS), values.requires_grad_())


def test_missing_rows_are_zeros():
    """A negative index adds nothing, also where there is no row at all."""
    index = torch.tensor([[0, -1], [-1, -1]])
    rows = torch.tensor([[2.0, 4.0]], requires_grad=True)
    assert blend_rows(rows, index, torch.full((2, 2), 0.5)).tolist() == [[1, 2], [0, 0]]
    none = torch.zeros(0, 2, requires_grad=True)
    zeros = blend_rows(none, torch.full((2, 2), -1), torch.ones(2, 2))
    zeros.sum().backward()
    assert zeros.tolist() == [[0, 0], [0, 0]]


def test_blended_rows_are_the_definition():
    """Sums of weighted rows, some of them missing."""
    index = torch.randint(-3, 7, (20, 5), generator=torch.Generator().manual_seed(1))
    rows, weights = random(7, 3), random(20, 5, seed=1)
    wanted = field_definitions.blend_rows(rows, index, weights)
    torch.testing.assert_close(blend_rows(rows, index, weights), wanted)


@pytest.mark.parametrize("kept", [0, 5, 27])
def test_decoding_is_the_definition(kept):
    """Points in and around the cube, with none, some or all of the bricks, by two networks."""
    chosen = torch.randperm(27, generator=torch.Generator().manual_seed(0))[:kept]
    numbers = torch.full((27,), -1, dtype=torch.int32)
    numbers[chosen] = torch.arange(kept, dtype=torch.int32)
    bricks = Bricks(numbers.view(3, 3, 3), 2)
    points = 1.3 * (torch.rand(200, 3, dtype=torch.float64) - 0.5)
    coarse, rows = random(4, 3, 3, 3), random(kept * 8, 4)
    networks = [random(5, 4), random(2, 5, seed=1)], [random(1, 4)]
    feature = field_definitions.sample(points, rows, row_of_every_voxel(bricks), coarse, 0.525)
    grid = SparseGrid(rows, bricks, coarse, 0.525)
    torch.testing.assert_close(sample(points, grid), feature)
    wanted = torch.cat([field_definitions.decode(feature, network) for network in networks], 1)
    torch.testing.assert_close(decode(points, grid, networks), wanted)


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


def test_missing_voxels_have_the_feature_of_their_coarse_cell():
    """At a voxel itself the feature is its row, or the cell that it lies in."""
    index = torch.full((4, 4, 4), -1)
    index[3, 0, 1] = 0
    coarse = torch.arange(8.0).view(1, 2, 2, 2)
    grid = SparseGrid(torch.tensor([[100.0]]), Bricks(index), coarse, 1.5)
    points = torch.tensor([[-0.5, -1.5, 1.5], [0.5, -1.5, 1.5], [-1.5, 1.5, -1.5]])
    assert sample(points, grid)[:, 0].tolist() == pytest.approx([100, 5, 2])


def row_of_every_voxel(bricks):
    """The rows of all voxels, [z, y, x], -1 where none is kept."""
    size, side, numbers = bricks.resolution, bricks.side, bricks.numbers
    rows = torch.full((size, size, size), -1, dtype=torch.int32)
    for z, y, x in torch.nonzero(numbers >= 0) * side:
        first = int(numbers[z // side, y // side, x // side]) * side**3
        brick = torch.arange(first, first + side**3, dtype=torch.int32).view(side, side, side)
        rows[z : z + side, y : y + side, x : x + side] = brick
    return rows


@pytest.mark.parametrize("side", [2, 3, 4])
def test_bricks_have_the_rows_of_their_voxels(side):
    """A table of bricks gives the features that a table of all its voxels gives."""
    numbers = torch.full((3, 3, 3), -1, dtype=torch.int32)
    numbers.view(-1)[torch.tensor([2, 5, 13, 26])] = torch.tensor([3, 0, 1, 2], dtype=torch.int32)
    bricks = Bricks(numbers, side)
    coarse, rows = random(2, 3, 3, 3), random(4 * side**3, 2)
    points = 1.2 * (torch.rand(500, 3, dtype=torch.float64) - 0.5)
    by_brick, by_voxel = (
        sample(points, SparseGrid(rows, each, coarse, 0.525))
        for each in (bricks, Bricks(row_of_every_voxel(bricks)))
    )
    assert torch.equal(by_brick, by_voxel)
    assert bricks.resolution == 3 * side


@pytest.mark.parametrize("name", ["light along rays", "sums over rays", "blended rows"])
def test_references_in_16_bits_sum_in_more(name):
    """Results are rounded once: half a unit in the last place per number, on average less."""
    function, inputs = fields(torch.device("cpu"))[name]
    short = [each.half() for each in inputs]
    found, wanted = function(*short), function(*(each.double() for each in short))
    assert found.dtype == torch.float16
    error = (found.double() - wanted).square().mean().sqrt()
    assert error <= 2.0**-11 * wanted.square().mean().sqrt()
