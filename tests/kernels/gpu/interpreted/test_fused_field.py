# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositing, blending and decoding in Triton against their definitions in float64."""

from __future__ import annotations

import pytest
import torch

from kernels.blending import blend_rows
from kernels.compositing import ray_sums, ray_weights
from kernels.core.segments import offsets_of_sizes
from kernels.core.sparse_grid import Bricks, SparseGrid
from kernels.reference import field_definitions
from kernels.sparse_field import decode

EPS = torch.finfo(torch.float32).eps
COUNTS = torch.tensor([0, 3, 70, 1, 0, 150, 20])  # samples of rays, also none and several pieces
RAY = torch.repeat_interleave(torch.arange(len(COUNTS)), COUNTS)
OFFSETS = offsets_of_sizes(COUNTS)


def both(function, definition, *tensors):
    """Value and gradients by the kernel in float32, and by the definition in float64."""
    results = []
    for dtype, compute in ((torch.float32, function), (torch.float64, definition)):
        given = [tensor.to(dtype).requires_grad_() for tensor in tensors]
        out = compute(*given)
        towards = torch.linspace(-1, 1, out.numel()).to(dtype).view_as(out)
        grads = torch.autograd.grad(out, given, towards, materialize_grads=True)
        results.append([out.detach().double(), *(grad.double() for grad in grads)])
    return zip(*results, strict=True)


def kernel_weights(thickness):
    """`ray_weights` of all rays."""
    return ray_weights(thickness, RAY, OFFSETS)


def kernel_sums(values):
    """`ray_sums` of all rays."""
    return ray_sums(values, RAY, OFFSETS)


def defined_weights(thickness):
    """`ray_weights` by its definition, ray by ray."""
    rays = thickness.split(COUNTS.tolist())
    return torch.cat([field_definitions.ray_weights(ray) for ray in rays])


def defined_sums(values):
    """`ray_sums` by its definition."""
    return torch.stack([ray.sum(0) for ray in values.split(COUNTS.tolist())])


def random(*shape, seed=0):
    """Normal numbers in float32."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def thickness(scale):
    """Optical thickness of the samples, 0..scale, some of them clear."""
    generator = torch.Generator().manual_seed(1)
    return scale * (torch.rand(len(RAY), generator=generator) - 0.2).clamp(min=0)


def test_light_along_rays():
    """Weights and their gradient; sums over up to 150 samples round 150 times, of terms up to 1."""
    for found, wanted in both(kernel_weights, defined_weights, thickness(0.1)):
        assert (found - wanted).abs().max() <= 150 * EPS


def test_rays_stop_where_no_light_is_left():
    """Beyond a thickness of 17 light is below the precision of float32, and weights are zero."""
    for found, wanted in both(kernel_weights, defined_weights, thickness(2.0)):
        assert (found - wanted).abs().max() <= 150 * EPS
        assert (found[-60:-20] == 0).all()  # the end of the longest ray


def test_sums_over_rays():
    """Sums of up to 150 samples in 40 channels; a ray without samples sums to zero."""
    for found, wanted in both(kernel_sums, defined_sums, random(len(RAY), 40)):
        torch.testing.assert_close(found, wanted, atol=150 * EPS, rtol=0)


def test_no_rays():
    """Nothing in, nothing out."""
    nothing = torch.zeros(0, dtype=torch.int64)
    assert ray_weights(torch.zeros(0), nothing, torch.zeros(1).long()).shape == (0,)
    assert ray_sums(torch.zeros(0, 3), nothing, torch.zeros(3).long()).tolist() == [[0] * 3] * 2


def blend_case():
    """Index and weights of 70 points with 8 corners among 11 rows, a sixth of them missing."""
    generator = torch.Generator().manual_seed(2)
    index = torch.randint(-2, 11, (70, 8), generator=generator)
    index[index == 5] = 6
    return index, torch.rand(70, 8, generator=generator)


@pytest.mark.parametrize("channels", [4, 40])
def test_blended_rows(channels):
    """Eight products per point, and about 50 uses per row on the way back."""
    index, weights = blend_case()

    def kernel(rows):
        return blend_rows(rows, index, weights)

    def definition(rows):
        return field_definitions.blend_rows(rows, index, weights.double())

    for found, wanted in both(kernel, definition, random(11, channels)):
        torch.testing.assert_close(found, wanted, atol=64 * 4 * EPS, rtol=0)
    rows = torch.ones(11, 2, requires_grad=True)
    blend_rows(rows, index.int(), weights).sum().backward()
    assert (rows.grad[5] == 0).all()


def test_blends_of_nothing():
    """No points, or no rows: empty, or zeros, with gradients."""
    none = torch.zeros(0, 3, requires_grad=True)
    zeros = blend_rows(none, torch.full((4, 8), -1), torch.ones(4, 8))
    zeros.sum().backward()
    assert torch.equal(zeros, torch.zeros(4, 3))
    assert none.grad.shape == (0, 3)
    rows = torch.ones(5, 3, requires_grad=True)
    blend_rows(rows, torch.zeros(0, 8).long(), torch.zeros(0, 8)).sum().backward()
    assert (rows.grad == 0).all()


def decode_case(kept, side):
    """A 12^3 grid over 4^3 cells with a share of its bricks, 90 points in and around the cube."""
    generator, edge = torch.Generator().manual_seed(4), 12 // side
    numbers = torch.full((edge**3,), -1, dtype=torch.int32)
    kept_bricks = torch.randperm(edge**3, generator=generator)[: int(kept * edge**3)]
    numbers[kept_bricks] = torch.arange(len(kept_bricks), dtype=torch.int32)
    points = 1.3 * (torch.rand(90, 3, generator=generator) - 0.5)
    return points, Bricks(numbers.view(edge, edge, edge), side), len(kept_bricks) * side**3


@pytest.mark.parametrize(("kept", "side"), [(0.0, 1), (0.6, 1), (0.6, 4), (1.0, 2)])
def test_decoded_points(kept, side, monkeypatch):
    """Rows, coarse cells or both, through two networks, with all gradients; none is ambiguous.

    A sum of products of a layer rounds 20 times; gradients of rows add up to 90 points.
    """
    monkeypatch.setattr("kernels.gpu.sparse_field.PROGRAMS", 4)  # that take up to two turns
    points, bricks, count = decode_case(kept, side)
    shapes = (count, 6), (6, 4, 4, 4), (20, 6), (20, 20), (3, 20)
    tensors = [random(*shape, seed=seed) / shape[-1] ** 0.5 for seed, shape in enumerate(shapes)]

    voxels = torch.arange(12, dtype=torch.int32).expand(1, 3, -1)
    row_of_voxel = bricks.rows(voxels).view(12, 12, 12)

    def kernel(rows, coarse, *layers):
        grid = SparseGrid(rows, bricks, coarse, 0.525)
        return decode(points, grid, [layers, [layers[0], layers[2]]])

    def definition(rows, coarse, *layers):
        grid = rows, row_of_voxel, coarse, 0.525
        feature = field_definitions.sample(points.double(), *grid)
        networks = layers, [layers[0], layers[2]]
        return torch.cat([field_definitions.decode(feature, each) for each in networks], 1)

    for found, wanted in both(kernel, definition, *tensors):
        largest = max([1.0, *wanted.abs().flatten().tolist()])
        assert found.shape == wanted.shape
        assert ((found - wanted).abs() <= 90 * 4 * EPS * largest).all()


def test_decoding_no_points():
    """No points give no outputs, and gradients of zero."""
    _, bricks, count = decode_case(0.5, 2)
    rows, layer = random(count, 6).requires_grad_(), random(2, 6)
    grid = SparseGrid(rows, bricks, random(6, 4, 4, 4), 0.525)
    out = decode(torch.zeros(0, 3), grid, [[layer]])
    assert out.shape == (0, 2)
    out.sum().backward()
    assert (rows.grad == 0).all()
