# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The band of voxels that refinement fits, and the rays through it."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn.functional import normalize

from backend.field.config import HALF_SIDE
from backend.field.grids import grid_points
from backend.field.ray_sampling import RaySampler, Samples
from backend.field.volumes import DenseVolume
from backend.materials.environment_map import EnvironmentMap, pixel_directions
from backend.refine.config import Level, RefineConfig
from backend.refine.fit import LevelFit, Rows
from backend.refine.gloss import Gloss, LightLobes
from backend.refine.narrow_band import NarrowBand, carved, resampled, sample_grid
from backend.refine.training_rays import (
    SampledRays,
    TrainingRays,
    continues,
    sample_in_batches,
    sample_rays,
)
from backend.shared.progress import Progress

RADIUS = 0.3
WIDTH = 2.0  # voxels


def _ball(points: torch.Tensor) -> torch.Tensor:
    distance: torch.Tensor = points.norm(dim=1) - RADIUS
    return distance


def _two_balls(points: torch.Tensor) -> torch.Tensor:
    """One behind the other along x, with room for a band between."""
    centers = (torch.tensor([[x, 0.0, 0.0]]) for x in (-0.25, 0.25))
    return torch.stack([(points - center).norm(dim=1) - 0.18 for center in centers]).amin(0)


def _band(shape, side: int, width: float = WIDTH) -> NarrowBand:
    grid = sample_grid(shape, grid_points(HALF_SIDE, side, "zyx"), side)
    return NarrowBand.around(grid, width, HALF_SIDE)


@pytest.fixture(scope="module")
def band() -> NarrowBand:
    """A ball on an odd grid."""
    return _band(_ball, 19)


def test_rows_are_the_voxels_near_the_surface(band: NarrowBand) -> None:
    """A voxel is a row exactly if it is near; index, points and distance agree about it."""
    near = (band.distance.abs() < WIDTH * band.spacing).nonzero().tolist()
    assert band.voxels.tolist() == near
    assert band.index[tuple(band.voxels.T)].tolist() == list(range(len(near)))
    assert int((band.index >= 0).sum()) == len(near)
    torch.testing.assert_close(_ball(band.points), band.row_distance(), atol=1e-6, rtol=0)


def test_neighbors(band: NarrowBand) -> None:
    """Before and behind along z, y, x, or itself; inner rows are those that lack none."""
    row_of = {tuple(voxel): row for row, voxel in enumerate(band.voxels.tolist())}
    steps = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
    inner = []
    for (z, y, x), row in row_of.items():
        around = [(z + dz, y + dy, x + dx) for dz, dy, dx in steps]
        assert band.neighbors[row].tolist() == [row_of.get(voxel, row) for voxel in around]
        if all(voxel in row_of for voxel in around):
            inner.append(row)
    assert band.inner.tolist() == inner
    assert inner


def test_neighbors_at_the_faces_of_the_cube() -> None:
    """A band that fills the grid has no neighbors beyond it, and none on the opposite face."""
    band = NarrowBand.around(torch.zeros(4, 4, 4), 1.0, HALF_SIDE)
    assert len(band.voxels) == 64
    first, last = band.neighbors[0].tolist(), band.neighbors[63].tolist()
    assert first == [0, 16, 0, 4, 0, 1]
    assert last == [47, 63, 59, 63, 62, 63]
    assert len(band.inner) == 8


def test_cells_are_occupied_if_all_corners_are_rows(band: NarrowBand) -> None:
    """There interpolation needs nothing but rows; every other cell is left out."""
    kept = band.index >= 0
    cells = band.occupancy.cells
    side = band.distance.shape[0] - 1
    assert cells.shape == (side, side, side)
    corners = [
        kept[z : side + z, y : side + y, x : side + x]
        for z, y, x in itertools.product((0, 1), repeat=3)
    ]
    assert torch.equal(cells, torch.stack(corners).all(0))
    assert cells.any()


def test_a_volume_interpolates_the_rows(band: NarrowBand) -> None:
    """Inside the band, volume and filled grid are one trilinear function of the rows."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(len(band.voxels), 4, generator=generator)
    points = (torch.rand(4000, 3, generator=generator) * 2 - 1) * HALF_SIDE
    points = points[band.occupancy.contains(points)]
    assert len(points) > 100
    grid = DenseVolume(band.filled(rows[:, 0])[None], HALF_SIDE)
    sampled = band.volume(rows).sample(points)
    # A position on the grid is rounded to 2^-24 of its 18 cells; rows differ by a few units there.
    torch.testing.assert_close(sampled[:, :1], grid.sample(points), atol=2e-5, rtol=0)
    index, weights = band.corners(points)
    assert (index >= 0)[weights > 0].all()
    blended = (rows[index] * weights[..., None]).sum(1)
    torch.testing.assert_close(blended, sampled, atol=2e-5, rtol=0)


def test_a_volume_answers_everywhere() -> None:
    """No surface appears away from the true one: each point's sign is that of its distance.

    A coarse block reaches 1.5 sqrt(3) voxels from its middle, less than a band of 4 voxels.
    """
    band = _band(_ball, 24, width=4.0)
    volume = band.volume(band.row_distance()[:, None])
    points = grid_points(HALF_SIDE, 40, "zyx")
    away = _ball(points).abs() > 3**0.5 * band.spacing  # all eight corners on one side
    assert torch.equal(volume.sample(points)[away, 0] > 0, _ball(points)[away] > 0)


def test_filled_changes_the_band_only(band: NarrowBand) -> None:
    """Outside of the band the grid is what it was, and the band itself is not touched."""
    before = band.distance.clone()
    filled = band.filled(torch.full((len(band.voxels),), 7.0))
    assert torch.equal(filled == 7.0, band.index >= 0)
    assert torch.equal(filled[band.index < 0], before[band.index < 0])
    assert torch.equal(band.distance, before)


def test_smoothing_keeps_what_is_smooth(band: NarrowBand) -> None:
    """A constant stays everywhere; a linear function wherever two smoothings see only rows."""
    constant = torch.full((len(band.voxels),), 0.3)
    torch.testing.assert_close(band.smoothed(constant), constant)
    linear = band.points @ torch.tensor([1.0, -2.0, 0.5])
    is_inner = torch.zeros(len(band.voxels), dtype=torch.bool)
    is_inner[band.inner] = True
    deep = is_inner & is_inner[band.neighbors].all(1)
    assert deep.any()
    torch.testing.assert_close(band.smoothed(linear)[deep], linear[deep])


def test_resampling_keeps_the_ends() -> None:
    """A linear grid comes back as the same linear function on more samples."""
    axis = torch.linspace(-1, 1, 5)
    finer = resampled(axis.expand(5, 5, 5), 12)
    torch.testing.assert_close(finer, torch.linspace(-1, 1, 12).expand(12, 12, 12))


def test_carving(band: NarrowBand) -> None:
    """Inside and near the surface nothing lies below the bound; the rest is as it was."""
    half_space = torch.tensor([1.0, 0.0, 0.0])

    def bound(points: torch.Tensor) -> torch.Tensor:
        return points @ half_space - 0.1

    result = carved(band.distance, bound, WIDTH, HALF_SIDE)
    limit = sample_grid(bound, grid_points(HALF_SIDE, 19, "zyx"), 19)
    looked_at = band.distance < WIDTH * band.spacing
    expected = torch.where(looked_at, torch.maximum(band.distance, limit), band.distance)
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)
    assert (result >= band.distance).all()
    inside = result < 0
    assert inside.any()
    assert (limit[inside] < 1e-6).all()


def _rays(origins: torch.Tensor, directions: torch.Tensor) -> TrainingRays:
    colors = torch.linspace(0.1, 0.9, 3 * len(origins)).view(-1, 3).to(origins)
    return TrainingRays(origins, directions, colors, colors[:, 0])


def _parallel(offsets: torch.Tensor) -> TrainingRays:
    """Rays along +x at some distances from the axis."""
    origins = torch.stack([torch.full_like(offsets, -1.5), offsets, torch.zeros_like(offsets)], 1)
    return _rays(origins, torch.tensor([[1.0, 0.0, 0.0]]).expand(len(offsets), 3))


def _of(samples: Samples, ray: int) -> torch.Tensor:
    """The x of the samples of one ray."""
    return samples.points[samples.ray == ray, 0]


def test_rays_end_where_they_go_inside() -> None:
    """A ray through the middle is not sampled behind it; one that stays outside is, throughout."""
    band = _band(_ball, 41)
    middle, grazing = 0.01, RADIUS + 0.5 * band.spacing
    rays = _parallel(torch.tensor([middle, grazing]))
    samples = sample_rays(rays, band, torch.full((len(rays),), 0.5)).samples
    everything = RaySampler(HALF_SIDE, band.spacing, band.occupancy).sample(
        rays.origins, rays.directions
    )
    assert (_of(everything, 0) > 0).any()
    through = _of(samples, 0)
    assert (through < -RADIUS).any()
    assert (through > -RADIUS).any()
    assert (through < 0).all()
    # The ray's own shift of the lattice may add or drop one sample at either end.
    assert abs(len(_of(samples, 1)) - len(_of(everything, 1))) <= 2
    assert (_of(samples, 1) > 0).any()


def test_rays_go_on_when_they_leave_a_band_outwards() -> None:
    """A ray that passes beside one ball is still sampled at the next, and ends inside that."""
    band = _band(_two_balls, 81, 4.0)
    beside = 0.18 + 0.8 * band.spacing
    origin = torch.tensor([[-1.5, 0.0, 0.0]])
    aim = normalize(torch.tensor([[0.25, 0.0, 0.0]]) - torch.tensor([[-0.25, beside, 0.0]]), dim=1)
    grazing = torch.tensor([[-0.25, beside, 0.0]]) - 1.2 * aim
    straight = torch.tensor([[1.0, 0.0, 0.0]])
    rays = _rays(torch.cat([grazing, origin]), torch.cat([aim, straight]))
    samples = sample_rays(rays, band, torch.full((len(rays),), 0.5)).samples
    assert (_of(samples, 0) < -0.1).any()
    assert (_of(samples, 0) > 0.05).any()
    assert (_of(samples, 0) < 0.25).all()
    assert (_of(samples, 1) < -0.25).all()


def test_batches() -> None:
    """Every ray is in one batch, in order, with its samples; batches differ by one ray at most."""
    band = _band(_ball, 21)
    rays = _parallel(torch.linspace(-0.29, 0.5, 11))
    batches = sample_in_batches(rays, band, 4, torch.Generator(), Progress())
    assert [len(batch) for batch in batches] == [3, 4, 4]
    assert torch.equal(torch.cat([batch.rays.origins for batch in batches]), rays.origins)
    for batch in batches:
        along = batch.samples
        counts = batch.offsets.diff()
        assert torch.equal(along.ray, torch.repeat_interleave(torch.arange(len(batch)), counts))
        # These rays run along x: their samples have their y.
        assert torch.allclose(along.points[:, 1], batch.rays.origins[along.ray, 1])
    assert not batches[-1].offsets.diff()[-1]
    assert batches[0].offsets.diff().any()
    (one,) = sample_in_batches(rays, band, 100, torch.Generator(), Progress())
    assert len(one) == len(rays)


def test_samples_of_a_band_continue_where_the_next_is_a_step_away() -> None:
    """Also where a ray leaves the band and enters it again, and at its end."""
    band = _band(_ball, 41)
    grazing = RADIUS - 0.5 * band.spacing
    rays = _parallel(torch.tensor([0.01, 0.1, 0.2, grazing]))
    samples = sample_rays(rays, band, torch.full((len(rays),), 0.5)).samples
    step = samples.points[:, 0].diff()
    next_to = (samples.ray.diff() == 0) & ((step - band.spacing).abs() < 1e-5)
    assert torch.equal(samples.follows[:-1], next_to)
    assert not samples.follows[-1]
    assert next_to.any()
    assert not next_to.all()


def test_what_follows_what() -> None:
    """A sample continues the last if it is of the same ray and begins where that ended."""
    ray = torch.tensor([0, 0, 0, 1, 1])
    start = torch.tensor([0.0, 1.0, 3.0, 4.0, 5.0])
    samples = Samples(ray, start, start + 1, torch.zeros(5, 3))
    assert continues(samples).tolist() == [True, False, False, True, False]
    nothing = Samples(ray[:0], start[:0], start[:0], torch.zeros(0, 3))
    assert continues(nothing).shape == (0,)


def _fit_in_float64(opacity, gloss=None) -> tuple[LevelFit, SampledRays]:
    """A fit of a ball with random colors, and rays that meet it."""
    grid = sample_grid(_ball, grid_points(HALF_SIDE, 12, "zyx").double(), 12)
    band = NarrowBand.around(grid, 3.0, HALF_SIDE)
    generator = torch.Generator().manual_seed(0)
    colors = torch.randn(len(band.voxels), 3, generator=generator, dtype=torch.float64)
    level = Level(12, 3.0, 10, (20.0, 40.0), opacity, 1e-3, 0.1, 1.0, 0.6)
    rows = Rows(band.row_distance(), colors)
    fit = LevelFit(band, rows, band.row_distance() - 1, level, RefineConfig(), gloss)
    origins = normalize(torch.randn(12, 3, generator=generator).double(), dim=1) * 1.5
    targets = (torch.rand(12, 3, generator=generator).double() - 0.5) * 0.5
    rays = _rays(origins, normalize(targets - origins, dim=1))
    return fit, sample_rays(rays, band, torch.full((len(rays),), 0.5))


def _rendered(fit, batch) -> torch.Tensor:
    """Color and opacity of all rays, [rays, 4]."""
    return torch.column_stack(fit._render(batch, 0.5))


def _gloss_in_float64() -> Gloss:
    """Reflectances around a half under a smooth light, all different."""
    directions, _ = pixel_directions(16, 32)
    lobes = LightLobes.from_environment(EnvironmentMap(0.3 + 0.2 * directions))
    lobes = LightLobes(lobes.radiance.double(), lobes.split_sum.double())
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 4, 3, 3, 3, generator=generator, dtype=torch.float64)
    return Gloss(lobes, logits.requires_grad_(), HALF_SIDE)


@pytest.mark.parametrize(("opacity", "glossy"), [("volsdf", 0), ("neus", 0), ("neus", 1)])
def test_gradients_of_a_rendered_pixel(opacity, glossy) -> None:
    """Color and opacity of every pixel, back to all that is fitted, against differences."""
    gloss = _gloss_in_float64() if glossy else None
    fit, batch = _fit_in_float64(opacity, gloss)
    parts = (fit.rows.distance, fit.rows.color, *([gloss.logits] if gloss else []))
    generator = torch.Generator().manual_seed(2)
    along = [torch.randn(part.shape, generator=generator).double() for part in parts]
    pixels = _rendered(fit, batch)
    assert pixels.shape == (len(batch), 4)
    assert (pixels[:, 3] > 0.1).any()
    slopes = []
    for value in pixels.flatten():
        gradients = torch.autograd.grad(
            value, parts, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        slopes.append(sum((g * a).sum() for g, a in zip(gradients, along, strict=True)))
    step, sides = 1e-6, []
    for shift in (step, -2 * step):
        with torch.no_grad():
            for part, direction in zip(parts, along, strict=True):
                part.add_(shift * direction)
            sides.append(_rendered(fit, batch).flatten())
    difference = (sides[0] - sides[1]) / (2 * step)
    # Third derivatives of 40^3 times the square of the step, and rounding over the step.
    torch.testing.assert_close(torch.stack(slopes), difference, atol=1e-6, rtol=1e-6)
    assert difference.abs().max() > 0.1


def test_gradients_of_the_priors() -> None:
    """Eikonal and smoothness terms pass the same comparison, and a plane costs nothing."""
    fit, _ = _fit_in_float64("neus")
    distance = fit.rows.distance
    along = torch.randn(distance.shape, generator=torch.Generator().manual_seed(3)).double()
    (gradient,) = torch.autograd.grad(fit._prior_loss(), distance)
    step, sides = 1e-6, []
    for shift in (step, -2 * step):
        with torch.no_grad():
            distance += shift * along
            sides.append(fit._prior_loss())
    difference = (sides[0] - sides[1]) / (2 * step)
    torch.testing.assert_close((gradient * along).sum(), difference, atol=1e-6, rtol=1e-6)
    with torch.no_grad():
        distance.copy_(fit._band.points.double() @ torch.tensor([0.6, 0.0, 0.8]).double())
        assert fit._prior_loss().item() < 1e-12
