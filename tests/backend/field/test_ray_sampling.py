# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling against a lattice tested one interval at a time, and light spread over the samples."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from backend.field.config import HALF_SIDE
from backend.field.density import section_thickness
from backend.field.ray_sampling import Occupancy, RaySampler, Samples
from backend.field.renderer import composite


def _rays(seed: int, count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays from around the cube, from inside, along an axis, away, and of another length."""
    generator = torch.Generator().manual_seed(seed)
    origins = normalize(torch.randn(count, 3, generator=generator), dim=1) * 1.5
    targets = (torch.rand(count, 3, generator=generator) - 0.5) * 0.9
    directions = normalize(targets - origins, dim=1)
    origins[0] = targets[0]
    origins[1, :2], directions[1] = 0.2, torch.tensor([0.0, 0.0, -1.0])
    origins[1, 2] = 1.3
    directions[2] = -directions[2]
    directions[3] *= 2
    return origins, directions


def _one_by_one(
    sampler: RaySampler, origins: torch.Tensor, directions: torch.Tensor
) -> list[tuple[int, float, float]]:
    """Ray, start and end of every interval whose middle lies in an occupied cell of the cube."""
    steps = np.full(4 + math.ceil(3 / sampler.step), sampler.step, np.float32)
    lattice = torch.from_numpy(np.cumsum(np.append(np.float32(0), steps), dtype=np.float32))
    found = []
    for ray, (origin, direction) in enumerate(zip(origins, directions, strict=True)):
        for start, end in itertools.pairwise(lattice):
            point = origin + direction * ((start + end) / 2)
            if point.abs().max() <= sampler.half_side and _occupied(sampler.occupancy, point):
                found.append((ray, float(start), float(end)))
    return found


def _occupied(occupancy: Occupancy | None, point: torch.Tensor) -> bool:
    """Whether the cell of a point of the cube is occupied."""
    if occupancy is None:
        return True
    count = occupancy.cells.shape[0]
    cell = [min(int((c + HALF_SIDE) / (2 * HALF_SIDE) * count), count - 1) for c in point.tolist()]
    return bool(occupancy.cells[cell[2], cell[1], cell[0]])


@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.parametrize(("cells", "step"), [(1, 0.05), (5, 0.07), (13, 0.3), (17, 0.011)])
def test_testing_runs_skips_no_sample(cells: int, step: float, share: float) -> None:
    """The samples are those of testing every interval alone: grids and steps of all sizes."""
    generator = torch.Generator().manual_seed(cells)
    occupied = torch.rand(cells, cells, cells, generator=generator) < share
    occupied[cells // 2, 0, cells - 1] = True
    sampler = RaySampler(HALF_SIDE, step, Occupancy(occupied, HALF_SIDE))
    _check(sampler, seed=cells)


@pytest.mark.parametrize("step", [0.013, 0.4])
def test_the_whole_cube_is_sampled(step: float) -> None:
    """Without an occupancy every interval with its middle in the cube is there."""
    _check(RaySampler(HALF_SIDE, step), seed=3)


@pytest.mark.parametrize(("cells", "step"), [(41, 0.005), (64, 0.02), (67, 0.06)])
def test_lone_cells_are_found(cells: int, step: float) -> None:
    """Where most runs are dropped, every sample of a single cell is found, wherever it lies."""
    generator = torch.Generator().manual_seed(cells)
    origins = normalize(torch.randn(200, 3, generator=generator), dim=1) * 1.5
    for voxel in torch.randint(0, cells, (20, 3), generator=generator):
        occupied = torch.zeros(cells, cells, cells, dtype=torch.bool)
        occupied[tuple(voxel)] = True
        occupancy = Occupancy(occupied, HALF_SIDE)
        position = voxel.flip(0) + torch.rand(200, 3, generator=generator)
        targets = position * (2 * HALF_SIDE / cells) - HALF_SIDE
        directions = normalize(targets - origins, dim=1)
        everything = RaySampler(HALF_SIDE, step).sample(origins, directions)
        kept = occupancy.contains(everything.points)
        some = RaySampler(HALF_SIDE, step, occupancy).sample(origins, directions)
        assert torch.equal(some.ray, everything.ray[kept])
        assert torch.equal(some.start, everything.start[kept])


def _check(sampler: RaySampler, seed: int) -> None:
    """The sampler finds what testing one by one finds, in order, and its points are middles."""
    origins, directions = _rays(seed)
    samples = sampler.sample(origins, directions)
    expected = _one_by_one(sampler, origins, directions)
    columns = samples.ray.tolist(), samples.start.tolist(), samples.end.tolist()
    assert list(zip(*columns, strict=True)) == expected
    middle = (samples.start + samples.end) / 2
    points = origins[samples.ray] + directions[samples.ray] * middle[:, None]
    torch.testing.assert_close(samples.points, points, atol=1e-6, rtol=0)


def _ladder(counts: list[int]) -> Samples:
    """Samples of several rays with a step of 1 at arbitrary points."""
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    start = torch.cat([torch.arange(count) for count in counts]).double()
    return Samples(ray, start, start + 1, torch.zeros(len(ray), 3).double())


def test_light_is_absorbed_front_to_back() -> None:
    """Each sample takes its share of what those before it on its own ray have left."""
    counts = [3, 0, 1, 5, 0]
    samples = _ladder(counts)
    generator = torch.Generator().manual_seed(0)
    thickness = torch.rand(len(samples.ray), generator=generator).double() * 2
    light = composite(samples, thickness, len(counts))
    expected, left = [], [1.0] * len(counts)
    for ray, value in zip(samples.ray.tolist(), thickness.tolist(), strict=True):
        expected.append(left[ray] * (1 - math.exp(-value)))
        left[ray] *= math.exp(-value)
    assert light.weights.tolist() == pytest.approx(expected, abs=1e-14)
    assert light.opacity.tolist() == pytest.approx([1 - part for part in left], abs=1e-14)
    white = light.over_white(torch.ones(len(thickness), 3).double())
    torch.testing.assert_close(white, torch.ones(len(counts), 3).double())


def test_gradients_of_compositing() -> None:
    """Opacity and blended values, back to the thickness and the values, in float64."""
    samples = _ladder([3, 0, 4])
    generator = torch.Generator().manual_seed(0)
    thickness = torch.rand(7, generator=generator).double().requires_grad_()
    values = torch.rand(7, 3, generator=generator).double().requires_grad_()

    def picture(thickness: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        light = composite(samples, thickness, 3)
        return torch.cat([light.over_white(values), light.opacity[:, None]], 1)

    assert torch.autograd.gradcheck(picture, (thickness, values))


@pytest.mark.parametrize("steps", [1, 4, 63])
@pytest.mark.parametrize("far", [0.005, 0.1])
def test_half_the_light_is_left_at_the_surface(steps: int, far: float) -> None:
    """From a distance to the zero level set remains 1/2 of what was there, in any steps."""
    inverse_std = 80.0
    distance = torch.linspace(far, 0, steps + 1).double()
    follows = torch.ones(steps + 1, dtype=torch.bool)
    follows[-1] = False
    left = math.exp(-section_thickness(distance, follows, inverse_std).sum().item())
    there = 1 / (1 + math.exp(-far * inverse_std))
    # Light of at least 1/2, and 1e-6 added to it in every step.
    assert left == pytest.approx(0.5 / there, abs=2e-6)


def test_nothing_is_absorbed_on_the_way_out() -> None:
    """Where the distance grows, and between samples that do not meet, light stays."""
    distance = torch.tensor([-0.1, 0.0, 0.1, -0.2, -0.3])
    follows = torch.tensor([True, True, False, True, False])
    thickness = section_thickness(distance, follows, 50.0)
    assert thickness[[0, 1, 2, 4]].tolist() == [0, 0, 0, 0]
    assert thickness[3] > 0
    assert section_thickness(distance[:0], follows[:0], 50.0).shape == (0,)


def test_gradients_of_sections() -> None:
    """Thickness, back to the signed distances that fall along a ray, in float64."""
    distance = torch.tensor([0.05, 0.03, 0.012, -0.01, -0.02]).double().requires_grad_()
    follows = torch.tensor([True, True, False, True, False])
    assert torch.autograd.gradcheck(lambda d: section_thickness(d, follows, 60.0), (distance,))
