# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement of analytic shapes seen in small views: found, compared, cancelled, reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend import pipeline
from backend.field.config import HALF_SIDE
from backend.field.decoders import DirectDecoder
from backend.field.field import VolumeField
from backend.field.grids import grid_points
from backend.mesh import surfaces
from backend.mesh.isosurface import extract_isosurface
from backend.pipeline import normalize_scene, reconstruct
from backend.refine import fit, fit_clock, novel_view_error, refine
from backend.refine.config import SECONDS, Level, RefineConfig
from backend.refine.fit import LevelFit, Rows, batches_of_level
from backend.refine.narrow_band import NarrowBand, sample_grid
from backend.refine.refine import Refinement, split_views
from backend.refine.training_rays import TrainingRays, pixels_for
from backend.request import ReconstructRequest
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest, Cancelled, NoSurface
from backend.shared.progress import Progress
from backend.views.views import load_views
from tests import captures

VIEWS, SIZE = 8, 48
LEVELS = (
    Level(24, 4.0, 30, (30, 60), "volsdf", 8e-3, 0.12, 0.5, 0.6),
    Level(32, 4.0, 30, (60, 200), "neus", 4e-3, 0.08, 2.0, 0.6),
)
CONFIG = RefineConfig(levels=LEVELS, rays_per_step=1024, seconds=600.0)
VOXEL = 2 * HALF_SIDE / (LEVELS[-1].resolution - 1)
MESH = 48


@dataclass(frozen=True)
class Ball:
    """The sphere of the captures."""

    radius: float = 0.4
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance [n] of points [n, 3]."""
        distance: torch.Tensor = (points - torch.tensor(self.center)).norm(dim=1) - self.radius
        return distance


@dataclass(frozen=True)
class Torus:
    """A ring around the z axis."""

    ring: float = 0.27
    tube: float = 0.13

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance [n] of points [n, 3]."""
        return torch.hypot(torch.hypot(points[:, 0], points[:, 1]) - self.ring, points[:, 2]) - (
            self.tube
        )

    def hit(self, origin, directions):
        """Depth [...] of the first intersection, by steps of the signed distance."""
        flat = torch.from_numpy(directions.reshape(-1, 3))
        length, depth = flat.norm(dim=1), torch.zeros(len(flat)).double()
        for _ in range(60):
            depth += self(torch.from_numpy(origin) + depth[:, None] * flat) / length
        met = self(torch.from_numpy(origin) + depth[:, None] * flat).abs() < 1e-3
        return torch.where(met, depth, torch.inf).view(directions.shape[:-1]).numpy()


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Small meshes to compare and to color from, so that these tests are quick."""
    monkeypatch.setattr(novel_view_error, "RESOLUTION", MESH)
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", MESH)


@pytest.fixture(scope="module")
def ball_capture(tmp_path_factory, make_capture):
    """Small views of a ball; do not write to it."""
    return make_capture(tmp_path_factory.mktemp("refine") / "ball", VIEWS, SIZE)


@pytest.fixture(scope="module")
def ball(ball_capture):
    """Small views of a ball in memory."""
    return load_views(read_capture(ball_capture))


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """Small views of a torus in memory."""
    folder = tmp_path_factory.mktemp("refine") / "torus"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(captures.SHAPES, "torus", (Torus(),))
        captures.write_analytic_capture(folder, VIEWS, SIZE, "torus")
    return load_views(read_capture(folder))


def _refinement(views, config=CONFIG, count=None):
    return Refinement(views.views[:count], normalize_scene(views), HALF_SIDE, config)


def _vertices(shape) -> torch.Tensor:
    with torch.no_grad():
        mesh = extract_isosurface(shape, HALF_SIDE, MESH, Progress())
    return torch.from_numpy(mesh.vertices).float()


@pytest.mark.parametrize(
    ("views", "truth", "start"),
    [
        ("ball", Ball(0.4), Ball(0.4 - 2 * VOXEL)),
        ("ball", Ball(0.4), Ball(0.4 + VOXEL)),
        ("ring", Torus(0.27, 0.13), Torus(0.27, 0.13 - VOXEL)),
    ],
)
def test_a_shape_is_recovered(request, views, truth, start) -> None:
    """From a start that is whole voxels off, the surface ends 1/2 voxel or less from the truth."""
    field = _refinement(request.getfixturevalue(views)).run(start, Progress())
    assert field is not None
    found = _vertices(field.signed_distance)
    assert truth(found).abs().mean() < VOXEL / 2
    # As near to it everywhere: no floaters, no holes.
    assert truth(found).abs().max() < 3 * VOXEL
    on_truth = _vertices(truth)
    assert field.signed_distance(on_truth).abs().mean() < VOXEL / 2


def test_colors_are_recovered(ball) -> None:
    """The field's colors on the surface are nearer to the painted ones than any one color is."""
    field = _refinement(ball).run(Ball(0.35), Progress())
    assert field is not None
    points = _vertices(Ball())
    painted = torch.from_numpy(captures.surface_color(points.double().numpy())).float()
    found = field.appearance(points)
    assert found.shape == painted.shape
    error = (found - painted).square().mean().sqrt()
    assert error < 0.6 * (painted - painted.mean(0)).square().mean().sqrt()


def test_a_shape_that_got_worse_is_left_out(ball) -> None:
    """Where the start is the truth, the blurred first level cannot beat it: the start is kept."""
    assert _refinement(ball).run(Ball(), Progress()) is None


def test_few_views_cannot_be_compared(ball) -> None:
    """Three views leave none to hold out: the start stays, unless the comparison is off."""
    levels = tuple(replace(level, steps=3) for level in LEVELS)
    config = replace(CONFIG, levels=levels)
    assert _refinement(ball, config, 3).run(None, Progress()) is None
    field = _refinement(ball, replace(config, held_out=0), 3).run(None, Progress())
    assert field is not None
    assert field.signed_distance(torch.zeros(1, 3)).item() < 0


def test_what_is_too_thin_for_a_coarse_mesh_keeps_its_start(ball, monkeypatch) -> None:
    """No surface at the resolution of the comparison ends the fit, not the job."""

    def nothing(*_):
        raise NoSurface("nothing", "nothing")

    monkeypatch.setattr(novel_view_error, "extract_isosurface", nothing)
    assert _refinement(ball, CONFIG, 8).run(None, Progress()) is None


def test_held_out_views_may_show_no_whole_pixel(ball) -> None:
    """A blade that the held-out views see edge-on is fitted all the same."""
    refinement = _refinement(ball, CONFIG, 8)
    edges = replace(refinement._held_out, coverage=refinement._held_out.coverage * 0.5)
    refinement._held_out = edges
    assert refinement.run(None, Progress()) is not None


def test_a_start_beside_the_object_is_no_error(ball) -> None:
    """If nothing of the start lies in the hull no surface is left: the start is kept."""
    start = Ball(0.05, (0.42, 0.42, 0.42))
    assert _refinement(ball).run(start, Progress()) is None


def test_the_true_shape_has_the_least_error(ball) -> None:
    """The error on unseen views grows with the radius that is missing, or too much."""
    look = _refinement(ball)._metric
    assert len(look.held_out_views) == 2
    assert len(look.color_views) == VIEWS - 2
    exact, small, smaller, large = (
        look.squared_error(Ball(radius), Progress()) for radius in (0.4, 0.34, 0.25, 0.46)
    )
    assert exact < small < smaller
    assert exact < large


def _field(radius: float) -> VolumeField:
    """A gray ball as a field."""
    axis = torch.linspace(-HALF_SIDE, HALF_SIDE, 24)
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    band = NarrowBand.around(torch.sqrt(x * x + y * y + z * z) - radius, 4.0, HALF_SIDE)
    rows = torch.cat([band.row_distance()[:, None], torch.zeros(len(band.voxels), 3)], 1)
    return VolumeField(band.volume(rows), DirectDecoder(3), 100.0)


def test_a_worse_fit_is_rejected(ball) -> None:
    """A better shape is taken, a worse one and one without a surface are not."""
    refinement = _refinement(ball)
    assert refinement._gained(_field(0.4), Ball(0.3), Progress())
    assert not refinement._gained(_field(0.3), Ball(0.4), Progress())
    nothing = replace(
        _field(0.4),
        volume=NarrowBand.around(torch.ones(8, 8, 8), 1.0, 1.0).volume(torch.ones(0, 4)),
    )
    assert not refinement._gained(nothing, Ball(0.3), Progress())


def test_progress(ball) -> None:
    """Fractions of the stage only grow, and the messages name the level."""
    reports = []
    _refinement(ball).run(Ball(0.35), Progress(lambda *report: reports.append(report)))
    refining = [(fraction, message) for stage, fraction, message in reports if stage == "refine"]
    fractions = [fraction for fraction, _ in refining]
    assert len(refining) == sum(level.steps for level in LEVELS)
    assert fractions == sorted(fractions)
    assert 0.0 < fractions[0] < 0.95 < fractions[-1] < 1.0
    assert refining[0][1] == "step 1 of 2"
    assert refining[-1][1] == "step 2 of 2"


def test_the_last_level_learns_from_all_views(ball, monkeypatch) -> None:
    """The last level is fitted to the rays of the held-out views, too."""
    seen = []

    def recorded(rays, **rest):
        seen.append(len(rays))
        return batches_of_level(rays, **rest)

    monkeypatch.setattr(refine, "batches_of_level", recorded)
    assert _refinement(ball).run(Ball(0.33), Progress()) is not None
    first, held_out, last = seen
    assert held_out > 0
    assert last == first + held_out


@pytest.mark.parametrize("after", [0.0, 0.7])
def test_cancel(ball, after) -> None:
    """A refinement that is cancelled ends at its next step, at whatever level it is."""
    reports = []

    def listener(stage, fraction, message):
        reports.append(stage)
        if stage == "refine" and fraction >= after:
            progress.cancel()

    progress = Progress(listener)
    with pytest.raises(Cancelled):
        _refinement(ball).run(Ball(0.35), progress)
    assert reports[-1] == "refine"


def test_a_cancelled_refinement_does_not_begin(ball) -> None:
    """Cancelled before it runs, it takes no step."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        _refinement(ball).run(None, progress)


def test_seconds_are_kept(ball, monkeypatch) -> None:
    """On a clock that ticks once per look, a level of a hundred thousand steps ends in time."""
    now = iter(range(100_000))
    clock = SimpleNamespace(perf_counter=lambda: float(next(now)))
    monkeypatch.setattr(fit, "time", clock)
    monkeypatch.setattr(fit_clock, "time", clock)
    levels = tuple(replace(level, steps=100_000) for level in LEVELS)
    steps = []
    # Each step reads the clock once, for the time limit.
    seconds = 40
    config = replace(CONFIG, levels=levels, seconds=float(seconds))
    _refinement(ball, config, 5).run(None, Progress(lambda stage, *_: steps.append(stage)))
    assert seconds / 2 < steps.count("refine") <= seconds


@pytest.mark.parametrize(
    ("count", "held_out", "kept_back"),
    [(8, 2, [2, 6]), (16, 2, [4, 12]), (7, 2, [3]), (3, 2, []), (9, 0, [])],
)
def test_views_are_held_out_evenly(count, held_out, kept_back) -> None:
    """A few, evenly taken, if there are enough to spare them; every view is in one part."""
    training, judging = split_views(list(range(count)), replace(CONFIG, held_out=held_out))
    assert judging == kept_back
    assert training == [view for view in range(count) if view not in kept_back]


def test_the_surface_stays_in_the_hull(ball) -> None:
    """However hard a level pulls outwards, no row falls below the hull."""
    hull = Ball(0.4)
    side = LEVELS[0].resolution
    grid = sample_grid(hull, grid_points(HALF_SIDE, side, "zyx"), side)
    band = NarrowBand.around(grid, LEVELS[0].band, HALF_SIDE)
    bound = band.row_distance()
    rays = TrainingRays.from_views(
        ball.views, normalize_scene(ball), CONFIG.halo, torch.device("cpu")
    )
    everywhere = replace(rays, coverage=torch.ones_like(rays.coverage))
    rows = Rows(band.row_distance(), torch.zeros(len(band.voxels), 3))
    level = replace(LEVELS[0], steps=10, distance_rate=0.02)
    seen = batches_of_level(everywhere, band, level, CONFIG, Progress())
    fitted = LevelFit(band, rows, bound, level, CONFIG).run(
        seen, [], 600.0, Progress(), lambda _: None
    )
    assert (fitted.rows.distance >= bound).all()
    assert (fitted.rows.distance < bound + 1e-6).any()


def test_the_same_seed_gives_the_same_field(ball) -> None:
    """Two runs agree to the bit, however long each takes."""
    levels = (replace(LEVELS[0], steps=5),)
    fields = [
        _refinement(ball, replace(CONFIG, levels=levels), 5).run(None, Progress()) for _ in "ab"
    ]
    first, second = (field.volume.rows for field in fields)
    assert torch.equal(first, second)


def test_another_seed_gives_another_field(ball) -> None:
    """The choice of rays follows the seed."""
    levels = (replace(LEVELS[0], steps=5),)
    fields = [
        _refinement(ball, replace(CONFIG, levels=levels, seed=seed), 5).run(None, Progress())
        for seed in (0, 1)
    ]
    first, second = (field.volume.rows for field in fields)
    assert not torch.equal(first, second)


def test_less_time_means_fewer_steps() -> None:
    """The schedule of a short fit is the whole one with fewer steps, at least one a level."""
    whole, short = RefineConfig(), RefineConfig().within(10.0)
    for level, fewer in zip(whole.levels, short.levels, strict=True):
        assert fewer.steps == pytest.approx(level.steps * 10.0 / SECONDS, abs=0.5)
        assert replace(fewer, steps=level.steps) == level
    assert short.seconds == 10.0
    assert [level.steps for level in whole.within(0.0).levels] == [1] * len(whole.levels)
    assert whole.within(1000.0).levels == whole.levels


def _request(views, output, **options) -> ReconstructRequest:
    sizes = {"texture_size": "128", "faces": 2000, "device": "cpu"}
    return ReconstructRequest(views, output, **(sizes | options))


def test_reconstruct_refines(ball_capture, tmp_path, monkeypatch) -> None:
    """With seconds to refine, the result is written and its report has the stage."""
    monkeypatch.setattr(pipeline, "RefineConfig", partial(RefineConfig, levels=LEVELS))
    report = reconstruct(_request(ball_capture, tmp_path / "out", refine="1"), Progress())
    stages = {stage.name: stage for stage in report.stages}
    assert stages["refine"].seconds > 0
    assert stages["refine"].note == ""
    assert list(stages).index("refine") < list(stages).index("mesh")
    assert (tmp_path / "out" / "mesh.glb").stat().st_size > 0
    # A third of a pixel around an outline of 17 pixels' radius.
    assert report.metrics["iou"] > 0.96


def test_reconstruct_keeps_the_hull_if_it_is_better(ball_capture, tmp_path, monkeypatch) -> None:
    """When refinement gives up, the result is that of the hull, with a warning."""
    monkeypatch.setattr(Refinement, "run", lambda *_: None)
    report = reconstruct(_request(ball_capture, tmp_path / "out", refine="auto"), Progress())
    assert any("left out" in warning for warning in report.warnings)
    assert np.isfinite(report.metrics["psnr"])


@pytest.mark.parametrize(
    "options",
    [
        *({"refine": value} for value in ("", "on", "0", "-1", "1.5", "1e3", "nan", " 5", "Auto")),
        *({"texture_size": value} for value in ("15", "20000", "", "Auto", "-512", "512.0")),
        {"faces": 99},
        *({"seed": value} for value in (-1, 1 << 31)),
        {"material": "gold"},
    ],
)
def test_bad_requests_are_refused(tmp_path, options) -> None:
    """The message names the value, and nothing is written."""
    with pytest.raises(BadRequest) as error:
        reconstruct(_request(tmp_path, tmp_path / "out", **options), Progress())
    assert error.value.code == "BAD_REQUEST"
    assert str(next(iter(options.values()))) in error.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["off", "auto", "10", "30"])
def test_good_requests_pass(tmp_path, value) -> None:
    """Off, auto, and whole seconds."""
    _request(tmp_path, tmp_path / "out", refine=value).check()


def test_large_views_are_averaged_down(ball) -> None:
    """All masks together keep at most so many pixels; views of different sizes shrink alike."""
    covered = sum(int((view.mask > 0).sum()) for view in ball.views)
    assert pixels_for(ball.views, covered) == [SIZE] * len(ball.views)
    small = [
        view.shrunk(size)
        for view, size in zip(ball.views, pixels_for(ball.views, covered // 4), strict=True)
    ]
    assert {max(view.mask.shape) for view in small} == {SIZE // 2}
    for view, whole in zip(small, ball.views, strict=True):
        # Averages keep the covered area, in pixels of a quarter of the size.
        assert view.mask.sum() == pytest.approx(whole.mask.sum() / 4, rel=1e-3)
        assert view.intrinsics.fx == pytest.approx(whole.intrinsics.fx / 2)
