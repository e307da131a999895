# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stereo on small views of a bowl: found, bounded by silhouettes, judged, repeated, cancelled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from backend.field.config import HALF_SIDE
from backend.mesh.isosurface import extract_isosurface
from backend.refine.training_rays import pixels_for
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    pixel_rays,
)
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.stereo import cavities, hull_grid, stereo_start
from backend.stereo.convex_carve import CarveConfig, ConvexCarve, MinimumCut
from backend.stereo.exposure import exposure_gains
from backend.stereo.hull_grid import GridRays, HullGrid
from backend.stereo.judge import SeenMesh, Verdict
from backend.stereo.prepared_views import StereoViews
from backend.stereo.stereo_start import find_stereo_start
from backend.stereo.votes import Votes
from backend.views.views import View
from backend.views.visual_hull import VisualHull

SIZE, RAYS, VIEWS = 80, 2, 12
AROUND = Normalization((0.0, 0.0, 0.0), 1.0)


@dataclass(frozen=True)
class Bowl:
    """A hollow ball without its upper part."""

    outer: float = 0.45
    inner: float = 0.35
    rim: float = 0.1

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance [n] of points [n, 3], near the edges of the rim a lower bound."""
        radius = points.norm(dim=1)
        shell = torch.maximum(radius - self.outer, self.inner - radius)
        return torch.maximum(shell, points[:, 2] - self.rim)


def painted(points: torch.Tensor) -> torch.Tensor:
    """A color [n, 3] with structure in every small patch."""
    phases = torch.tensor([0.0, 2.0, 4.0])
    waves = torch.sin(31 * points + phases) * torch.cos(23 * points.roll(1, 1) + 1)
    return 0.5 + 0.25 * waves + 0.2 * torch.sin(47 * points.sum(1, keepdim=True))


def photographs(shape, count: int, size: int = SIZE) -> tuple[View, ...]:
    """Views from all around, by sphere tracing."""
    lens = intrinsics_from_fov(size, size, np.radians(42.0))
    views = []
    for number, direction in enumerate(fibonacci_sphere(count)):
        pose = look_at(1.5 * direction, np.zeros(3))
        origin, rays = pixel_rays(lens.scaled(RAYS * size, RAYS * size), pose)
        rays = normalize(torch.from_numpy(rays).float().view(-1, 3), dim=1)
        points = torch.from_numpy(origin).float() + 0.9 * rays
        for _ in range(40):
            points = points + shape(points)[:, None].clamp(max=0.3) * rays
        seen = shape(points).abs() < 2e-3
        color = torch.where(seen[:, None], painted(points), 1.0)
        pixels = torch.cat([color, seen[:, None].float()], 1).view(size, RAYS, size, RAYS, 4)
        pixels = pixels.mean((1, 3)).numpy()
        views.append(View(str(number), pixels[..., :3], pixels[..., 3], lens, pose))
    return tuple(views)


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Fewer voxels, so that these tests are quick."""
    monkeypatch.setattr(hull_grid, "RESOLUTION", 64)
    monkeypatch.setattr(stereo_start, "JUDGE_RESOLUTION", 64)
    monkeypatch.setattr(cavities, "LEAST_VOXELS", 10)


@pytest.fixture(scope="module")
def bowl():
    """Views of a painted bowl; do not write to them."""
    return photographs(Bowl(), VIEWS)


@pytest.fixture(scope="module")
def ball():
    """Views of a painted ball."""
    return photographs(Bowl(inner=0.0, rim=1.0), 8, 48)


@pytest.fixture(scope="module")
def found(bowl):
    """What stereo finds in the bowl."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hull_grid, "RESOLUTION", 64)
        patch.setattr(stereo_start, "JUDGE_RESOLUTION", 64)
        return find_stereo_start(bowl, AROUND, hull_of(bowl), HALF_SIDE, Progress())


def hull_of(views):
    """The signed distance of the hull."""
    return VisualHull.from_views(views, AROUND, torch.device("cpu")).signed_distance


def surface_error(distance) -> float:
    """The mean distance of a surface from the bowl's."""
    mesh = extract_isosurface(distance, HALF_SIDE, 64, Progress())
    return float(Bowl()(torch.from_numpy(mesh.vertices).float()).abs().mean())


def test_the_inside_of_a_bowl_is_found(bowl, found) -> None:
    """The hull fills the bowl; with its cavity the surface is right to a third of a voxel."""
    assert found.cavities is not None
    assert found.error_ratio < 0.9
    hull = hull_of(bowl)
    carved = found.cavities.cut_from(hull)
    middle = torch.tensor([[0.0, 0.0, -0.2], [0.1, 0.1, 0.0]])
    assert (hull(middle) < 0).all()
    assert (carved(middle) > 0).all()
    assert surface_error(hull) > 0.012
    assert surface_error(carved) < 0.75 * surface_error(hull)


def test_the_hull_stays_the_outer_bound(bowl, found) -> None:
    """Nowhere is the start below the hull; far from cavities it is the hull itself."""
    hull = hull_of(bowl)
    points = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    before, after = hull(points), found.cavities.cut_from(hull)(points)
    assert (after >= before).all()
    below = points[:, 2] < -0.1
    outer = below & (points.norm(dim=1) > 0.43)
    assert (after[outer] == before[outer]).float().mean() > 0.99


def test_silhouettes_stay_filled(bowl) -> None:
    """However much the votes take away, every ray inside a mask still meets the object."""
    views = [view.shrunk(40) for view in bowl]
    prepared = StereoViews.from_views(views, AROUND, np.ones(len(views)))
    grid = HullGrid.from_hull(hull_of(bowl), HALF_SIDE)
    rays = [GridRays.from_view(prepared, view, grid) for view in range(len(views))]
    nothing = torch.zeros_like(grid.distance)
    votes = Votes(nothing + 0.5, nothing, nothing, nothing)
    carve = ConvexCarve(grid, votes, CarveConfig())
    solid = carve.run(prepared, rays, Progress())
    assert 0 < solid.sum() < grid.inside.sum()
    met = torch.cat([along.first(solid)[1] for along in rays])
    assert met.float().mean() > 0.98


def test_the_cut_of_a_region_is_that_of_the_whole_grid() -> None:
    """The list of cells leaves nothing out: where the rest is too dear to fill, it stays empty."""
    random = torch.Generator().manual_seed(0)
    shape = (9, 7, 8)
    region = torch.rand(shape, generator=random) < 0.4
    weight, cost = 0.2 * torch.rand(shape, generator=random), torch.rand(shape, generator=random)
    cut, whole = MinimumCut(weight, region), MinimumCut(weight, torch.ones_like(region))
    cut.solve(cost - 0.5, 300, Progress())
    whole.solve(torch.where(region, cost - 0.5, 50.0), 300, Progress())
    assert torch.equal(cut.solid, whole.solid)
    assert 0 < cut.solid.sum() < region.sum()


def test_a_torn_rim_is_refused(bowl) -> None:
    """A hole that few views see refuses a shape that is better in all others."""
    truth = Bowl()

    def torn(points: torch.Tensor) -> torch.Tensor:
        bite = 0.16 - (points - torch.tensor([0.4, 0.0, 0.1])).norm(dim=1)
        return torch.maximum(truth(points), bite)

    def seen(shape):
        mesh = extract_isosurface(shape, HALF_SIDE, 64, Progress())
        return SeenMesh.from_views(mesh, bowl, AROUND, Progress())

    hull = seen(hull_of(bowl))
    whole = Verdict.compare(seen(truth), hull, Progress())
    bitten = Verdict.compare(seen(torn), hull, Progress())
    assert whole.accepted
    assert whole.ratios.max() < bitten.ratios.max()
    assert bitten.ratios.max() > 1.5
    assert not bitten.accepted


def test_a_convex_shape_stays_its_hull(ball) -> None:
    """Where there is nothing to find, nothing is cut."""
    assert find_stereo_start(ball, AROUND, hull_of(ball), HALF_SIDE, Progress()).cavities is None


def test_two_runs_agree_to_the_bit(ball) -> None:
    """The random hypotheses have a seed."""
    views = ball[:6]
    prepared = StereoViews.from_views(views, AROUND, np.ones(len(views)))
    grid = HullGrid.from_hull(hull_of(views), HALF_SIDE)
    rays = [GridRays.from_view(prepared, view, grid) for view in range(len(views))]
    first, second = (
        stereo_start.vote(
            prepared,
            stereo_start.match_views(prepared, grid, rays, Progress()),
            grid,
            Progress(),
        )
        for _ in "ab"
    )
    assert torch.equal(first.near, second.near)
    assert torch.equal(first.free, second.free)
    assert first.support.max() > 0


@pytest.mark.parametrize("after", [0.05, 0.3, 0.5])
def test_cancel(ball, after) -> None:
    """Stereo ends at its next check, wherever it is."""

    def listener(stage, fraction, _message):
        assert stage == "stereo"
        if fraction >= after:
            progress.cancel()

    progress = Progress(listener)
    with pytest.raises(Cancelled):
        find_stereo_start(ball, AROUND, hull_of(ball), HALF_SIDE, progress)


@pytest.mark.parametrize("count", [2, 4, 5])
def test_too_few_views(bowl, count) -> None:
    """There is nothing to hold back: the hull stays, and the reason is given."""
    start = find_stereo_start(bowl[:count], AROUND, hull_of(bowl[:count]), HALF_SIDE, Progress())
    assert start.cavities is None
    assert start.note == "too few views"


def test_views_of_different_sizes(bowl) -> None:
    """They lie on one canvas, and a point is at the same place in all of them."""
    views = [bowl[0], bowl[1].shrunk(48), bowl[2].shrunk(33)]
    prepared = StereoViews.from_views(views, AROUND, np.ones(3))
    assert prepared.gray.shape == (3, SIZE, SIZE)
    assert pixels_for(views, 10**6) == [SIZE, 48, 33]
    for view in range(3):
        rays = prepared.rays(view)
        pixels, depth = prepared.project(view, prepared.to_model(view, 1.3 * rays))
        expected = prepared.object_pixels(view).flip(1) + 0.5
        torch.testing.assert_close(pixels, expected, atol=1e-3, rtol=0)
        torch.testing.assert_close(depth, torch.full_like(depth, 1.3))


def test_exposures_are_compared(bowl) -> None:
    """A view twice as dark has half the gain; small differences are left alone."""
    factors = np.array([1.0, 0.5] * (VIEWS // 2))
    dark = [
        replace(view, image=view.image * np.float32(factor))
        for view, factor in zip(bowl, factors, strict=True)
    ]
    mesh = extract_isosurface(hull_of(bowl), HALF_SIDE, 64, Progress())
    seen = SeenMesh.from_views(mesh, bowl, AROUND, Progress())
    gains = exposure_gains(dark, mesh, seen.geometries)
    np.testing.assert_allclose(gains[1::2] / gains[::2], 0.5, rtol=0.15)
    assert (exposure_gains(bowl, mesh, seen.geometries) == 1).all()
