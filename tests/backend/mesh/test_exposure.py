# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposures of views: found where photographs differ, left alone where they do not."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backend.field.config import HALF_SIDE
from backend.mesh.exposure import PointColors, estimate_gains, solve_exposures
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.texture import BakeSettings, bake_base_color
from backend.mesh.unwrap import unwrap
from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.shared.cameras import Normalization
from backend.shared.capture.reader import read_capture
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.views.views import load_views

SAME = Normalization(center=(0.0, 0.0, 0.0), scale=1.0)
VIEWS = 10


@pytest.fixture(scope="module")
def ball():
    """The true surface of the captured ball."""
    return extract_isosurface(lambda p: p.norm(dim=1) - 0.4, HALF_SIDE, 48, Progress())


@pytest.fixture(scope="module")
def views(make_capture, tmp_path_factory):
    """Views of a painted ball."""
    folder = make_capture(tmp_path_factory.mktemp("exposure") / "views", views=VIEWS, size=96)
    return load_views(read_capture(folder)).views


def exposed(views, exposures):
    """Views with their linear colors multiplied by factors [views, 3]."""
    return [
        replace(view, image=linear_to_srgb(srgb_to_linear(view.image) * factor).astype(np.float32))
        for view, factor in zip(views, exposures, strict=True)
    ]


def test_views_that_agree_are_left_alone(ball, views):
    """Renders of one exposure have no gains, so that nothing is rounded."""
    assert estimate_gains(ball, views, SAME, Progress()) is None


def test_exposures_and_white_balances_are_found(ball, views):
    """Gains undo what the views were multiplied by, but for a factor common to all."""
    logarithms = np.random.default_rng(0).normal(0.0, 0.15, (VIEWS, 3)) - 0.2
    gains = estimate_gains(ball, exposed(views, np.exp(logarithms)), SAME, Progress())
    assert gains == pytest.approx(np.exp(logarithms.mean(axis=0) - logarithms), rel=0.03)


def test_colors_that_depend_on_the_view_are_no_exposure(ball, views):
    """A change over a part of each view, as of a highlight, gives no gains."""
    lit = []
    for number, view in enumerate(views):
        image = view.image.copy()
        half = image.shape[1] // 2
        side = slice(None, half) if number % 2 else slice(half, None)
        image[:, side] = np.clip(image[:, side] * 1.3, 0, 1)
        lit.append(replace(view, image=image))
    assert estimate_gains(ball, lit, SAME, Progress()) is None


def test_outliers_do_not_count():
    """A tenth of the points with wild colors moves no exposure by much."""
    random = np.random.default_rng(1)
    exposure = random.normal(0, 0.2, (5, 3))
    exposure -= exposure.mean(axis=0)
    colors = random.normal(-1, 0.5, (400, 1, 3)) + exposure
    colors[:40, 0] += 1.0
    seen = PointColors(colors, np.ones((400, 5)), np.arange(400) % 2 == 0)
    assert solve_exposures(seen) == pytest.approx(exposure, abs=0.02)


def test_views_without_common_points_are_no_error():
    """Nothing links the views: their exposures are left at 1."""
    colors = np.zeros((6, 3, 3))
    seen = PointColors(colors, np.eye(3)[np.arange(6) % 3], np.arange(6) < 3)
    assert solve_exposures(seen) == pytest.approx(np.zeros((3, 3)))


def test_cancel(ball, views):
    """A cancel stops the search."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        estimate_gains(ball, views, SAME, progress)


def test_texture_of_views_with_differing_exposures(ball, views):
    """Views of several exposures and white balances give the texture that those of one give."""
    unwrapped = unwrap(ball, 128, Progress())
    logarithms = np.random.default_rng(1).normal(0.0, 0.15, (VIEWS, 3))
    logarithms -= logarithms.mean(axis=0)
    taken = exposed(views, np.exp(logarithms))
    gains = estimate_gains(ball, taken, SAME, Progress())
    true, uneven, evened = (
        bake_base_color(unwrapped, shown, SAME, Progress(), BakeSettings(gains=factors))
        for shown, factors in ((views, None), (taken, None), (taken, gains))
    )
    assert np.abs(evened - true).mean() < 0.25 * np.abs(uneven - true).mean()


def test_pipeline_evens_out_exposures(make_capture, tmp_path):
    """Gains are in the report of a capture whose photographs differ, and of no other."""
    plain = make_capture(tmp_path / "plain", 8, 48)
    uneven = shutil.copytree(plain, tmp_path / "uneven")
    factors = np.exp(np.random.default_rng(2).normal(0.0, 0.2, (8, 3)))
    for path, factor in zip(sorted((uneven / "images").iterdir()), factors, strict=True):
        linear = srgb_to_linear(np.asarray(Image.open(path)) / 255) * factor
        display = linear_to_srgb(linear.clip(0, 1))
        Image.fromarray(np.rint(255 * display).astype(np.uint8)).save(path)
    options = {"refine": "off", "texture_size": "64", "faces": 1000, "material": "rgb"}
    for folder, differs in ((plain, False), (uneven, True)):
        request = ReconstructRequest(folder, tmp_path / "result", **options)
        report = reconstruct(request, Progress()).to_dict()
        assert bool(report["gains"]) == differs
    found = np.array(list(report["gains"].values()))
    expected = np.exp(np.log(factors).mean(axis=0)) / factors
    assert found == pytest.approx(expected, rel=0.1)
