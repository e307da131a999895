# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, decoders and the renderer against formulas and finite differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from backend.field.config import HALF_SIDE, DecoderConfig
from backend.field.decoders import DirectDecoder, MlpDecoder
from backend.field.density import density, render_step, step_alpha
from backend.field.field import TwoLevelField, VolumeField
from backend.field.grids import evaluate, grid_points
from backend.field.ray_sampling import Occupancy, RaySampler
from backend.field.renderer import absorb
from backend.field.volumes import DenseVolume, SparseVolume
from kernels.core.sparse_grid import Bricks


def _linear_volume(count: int, dtype: torch.dtype = torch.float32) -> DenseVolume:
    """Channels x, y, z."""
    points = grid_points(HALF_SIDE, count, "zyx").to(dtype)
    return DenseVolume(points.T.reshape(3, count, count, count), HALF_SIDE)


def _points(count: int = 40, reach: float = 0.5) -> torch.Tensor:
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1) * reach


def test_grids_name_their_axes() -> None:
    """The same points in both orders: z or x slowest, columns always x, y, z."""
    zyx, xyz = (grid_points(1.0, 3, order).view(3, 3, 3, 3) for order in ("zyx", "xyz"))
    assert zyx[0, 1, 2].tolist() == [1, 0, -1]
    assert xyz[0, 1, 2].tolist() == [-1, 0, 1]


def test_dense_volume_is_trilinear_and_clamped() -> None:
    """A linear function comes back exactly; outside of the cube the border goes on."""
    volume, points = _linear_volume(9), _points()
    torch.testing.assert_close(volume.sample(points), points, atol=1e-6, rtol=0)
    assert volume.sample(torch.tensor([[2.0, 0.0, -2.0]]))[0].tolist() == pytest.approx(
        [HALF_SIDE, 0, -HALF_SIDE], abs=1e-6
    )


def _full_sparse(dense: DenseVolume) -> SparseVolume:
    side = dense.features.shape[-1]
    index = torch.randperm(side**3, generator=torch.Generator().manual_seed(1))
    rows = torch.empty(side**3, dense.features.shape[0]).to(dense.features)
    rows[index] = dense.features.flatten(1).T
    return SparseVolume(rows, Bricks(index.view(side, side, side).int()), _linear_volume(3))


def test_a_full_sparse_volume_is_a_dense_one() -> None:
    """With every voxel kept, in any order of rows, both volumes give the same."""
    dense, points = _linear_volume(9), _points()
    torch.testing.assert_close(_full_sparse(dense).sample(points), dense.sample(points))


def test_an_empty_sparse_volume_is_the_nearest_dense_voxel() -> None:
    """QUIRK 15: where nothing is kept the corners are blended from nearest dense voxels."""
    coarse = _linear_volume(3)
    volume = SparseVolume(torch.zeros(0, 3), Bricks(torch.full((6, 6, 6), -1).int()), coarse)
    corners = grid_points(HALF_SIDE, 6, "zyx")
    expected = coarse.features[:, :, :, :].repeat_interleave(2, 1).repeat_interleave(2, 2)
    expected = expected.repeat_interleave(2, 3).flatten(1).T
    torch.testing.assert_close(volume.sample(corners), expected, atol=1e-5, rtol=0)


def test_decoders_start_as_a_small_sphere() -> None:
    """Zero weights give the sphere of a tenth of the half side, and gray."""
    decoder = MlpDecoder(DecoderConfig(4, 8, 2, 3, 3, "both", HALF_SIDE))
    for parameter in decoder.parameters():
        parameter.data.zero_()
    points = _points()
    distance = decoder.signed_distance(torch.randn(40, 4), points)
    torch.testing.assert_close(distance, points.norm(dim=1) - 0.1 * HALF_SIDE)
    appearance = decoder.appearance(torch.randn(40, 4))
    assert appearance.shape[1] == decoder.config.appearance_channels == 8
    assert (appearance == 0.5).all()
    assert [len(getattr(decoder, name)) for name in ("sdf", "rgb", "material")] == [5, 7, 7]


def test_density_is_a_laplace_distribution() -> None:
    """The sharpness s deep inside, s/2 on the surface, nothing far outside; alpha follows."""
    distance = torch.tensor([-10.0, 0.0, 10.0])
    torch.testing.assert_close(density(distance, 80.0), torch.tensor([80.0, 40.0, 0.0]))
    alpha = step_alpha(torch.zeros(1), 80.0, 0.01)
    assert alpha.item() == pytest.approx(1 - math.exp(-0.4), abs=1e-6)


@dataclass(frozen=True)
class Ball:
    """A sphere, as sharp as its density says."""

    radius: float
    inverse_std: float = 400.0

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        """Exact."""
        distance: torch.Tensor = points.norm(dim=1) - self.radius
        return distance

    def appearance(self, points: torch.Tensor) -> torch.Tensor:
        """A color per direction."""
        return torch.sigmoid(points)

    def density(self, points: torch.Tensor) -> torch.Tensor:
        """VolSDF's."""
        return density(self.signed_distance(points), self.inverse_std)


def _rays(count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1) * 1.5
    targets = (torch.rand(count, 3, generator=generator) - 0.5) * 0.3
    return origins, torch.nn.functional.normalize(targets - origins, dim=1)


def test_a_sphere_is_seen_where_it_is() -> None:
    """Surface points of opaque rays lie on the sphere within the width of its density."""
    origins, directions = _rays()
    sampler = RaySampler(HALF_SIDE, render_step(HALF_SIDE, 1024))
    light = absorb(Ball(0.3), origins, directions, sampler)
    assert light.valid.all()
    distance = light.surface_points().norm(dim=1) - 0.3
    assert distance.abs().max() < 3 / 400
    # Straight outwards, but for rays that end early and blur the surface point by some steps.
    outwards = torch.nn.functional.normalize(light.surface_points(), dim=1)
    normals = light.normals(Ball(0.3), 0.005)
    assert ((normals * outwards).sum(1)[light.valid] > 0.999).all()
    assert (normals[~light.valid] == 0).all()
    depth = light.depth(origins, directions)
    along = ((light.surface_points() - origins) * directions).sum(1)
    torch.testing.assert_close(depth, along)


def test_rays_that_miss_have_no_samples() -> None:
    """Beside the cube, away from it, and along a face: no sample, clear, white, depth 0."""
    origins = torch.tensor([[2.0, 2.0, 2.0], [2.0, 0.0, 0.0], [-2.0, HALF_SIDE + 1e-4, 0.0]])
    directions = torch.tensor([[1.0, 0.0, 0.0]]).expand(3, 3)
    light = absorb(Ball(0.3), origins, directions, RaySampler(HALF_SIDE, 0.01))
    assert light.samples.ray.numel() == 0
    assert light.opacity.tolist() == [0, 0, 0]
    assert (light.over_white(torch.zeros(0, 3)) == 1).all()
    assert (light.depth(origins, directions) == 0).all()


def test_no_rays_are_no_error() -> None:
    """An empty bundle of rays gives an empty picture."""
    light = absorb(Ball(0.3), torch.zeros(0, 3), torch.zeros(0, 3), RaySampler(HALF_SIDE, 0.01))
    assert light.opacity.shape == (0,)


def test_samples_lie_on_one_lattice() -> None:
    """Every interval begins at a multiple of the step from the camera, whatever the occupancy."""
    cells = torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.3
    occupancy = Occupancy(cells, HALF_SIDE)
    origins, directions = _rays()
    everything = RaySampler(HALF_SIDE, 0.01).sample(origins, directions)
    some = RaySampler(HALF_SIDE, 0.01, occupancy).sample(origins, directions)
    kept = occupancy.contains(everything.points)
    assert torch.equal(some.start, everything.start[kept])
    assert torch.equal(some.ray, everything.ray[kept])
    number = everything.start / 0.01
    assert (number - number.round()).abs().max() < 1e-2  # accumulated in float32
    inside = everything.points.abs().amax(1)
    assert inside.max() <= HALF_SIDE + 1e-6


def test_empty_space_may_be_skipped() -> None:
    """Occupancy that covers the surface generously changes a picture by its tail only."""
    ball, step = Ball(0.3), render_step(HALF_SIDE, 512)
    near = ball.signed_distance(grid_points(HALF_SIDE, 32, "zyx")).abs() < 0.04
    occupancy = Occupancy(near.view(32, 32, 32), HALF_SIDE).dilated(1)
    origins, directions = _rays()
    full = absorb(ball, origins, directions, RaySampler(HALF_SIDE, step))
    skipped = absorb(ball, origins, directions, RaySampler(HALF_SIDE, step, occupancy))
    assert len(skipped.samples.ray) < 0.6 * len(full.samples.ray)
    torch.testing.assert_close(skipped.surface_points(), full.surface_points(), atol=1e-4, rtol=0)


def test_each_level_is_evaluated_at_its_own_points() -> None:
    """Volume, decoder and sharpness are those of the level that a point belongs to."""
    dense = DenseVolume(torch.full((4, 3, 3, 3), 2.0), HALF_SIDE)
    index = torch.full((6, 6, 6), -1).int()
    index[:, :, 3:] = torch.arange(108).view(6, 6, 3).int()
    sparse = SparseVolume(torch.full((108, 4), -0.5), Bricks(index), dense)
    decoder = DirectDecoder(3)
    field = TwoLevelField(VolumeField(dense, decoder, 10.0), VolumeField(sparse, decoder, 70.0))
    points = torch.tensor([[0.4, 0.1, 0.2], [-0.4, 0.1, 0.2], [0.45, -0.3, 0.2]])
    assert field.in_sparse_volume(points).tolist() == [True, False, True]
    # eight weights that sum to 1 within their rounding
    assert field.signed_distance(points).tolist() == pytest.approx([-0.5, 2.0, -0.5], abs=1e-6)
    assert field.density(points)[0].item() == pytest.approx(70.0, rel=1e-4)
    assert field.density(points)[1].item() == pytest.approx(0.0, abs=1e-6)
    assert field.appearance(points).shape == (3, 3)
    evaluated = evaluate(field.signed_distance, points).tolist()
    assert evaluated == pytest.approx([-0.5, 2.0, -0.5], abs=1e-6)


def test_gradients_of_the_renderer() -> None:
    """Color, opacity and surface points, back to both levels' features, in float64."""
    generator = torch.Generator().manual_seed(0)
    side = 3
    points = grid_points(HALF_SIDE, side, "zyx").double()
    noise = 0.05 * torch.randn(4, side**3, generator=generator, dtype=torch.float64)
    features = noise.clone()
    features[0] += points.norm(dim=1) - 0.35
    rows = features.T[: side**3 // 2].contiguous()
    index = torch.arange(side**3).view(side, side, side).int()
    index[index >= len(rows)] = -1
    origins, directions = (t.double() for t in _rays(3))

    def render(dense: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        volume = DenseVolume(dense.view(4, side, side, side), HALF_SIDE)
        decoder = DirectDecoder(3)
        field = TwoLevelField(
            VolumeField(volume, decoder, 12.0),
            VolumeField(SparseVolume(rows, Bricks(index), volume), decoder, 9.0),
        )
        light = absorb(field, origins, directions, RaySampler(HALF_SIDE, 0.11))
        color = light.over_white(field.appearance(light.samples.points))
        return torch.cat([color, light.surface_points(), light.opacity[:, None]], 1)

    inputs = (features.requires_grad_(), rows.requires_grad_())
    assert torch.autograd.gradcheck(render, inputs, atol=1e-6)
