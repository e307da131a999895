# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hull bounds the surface as far as it explains the masks it was carved from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion

from backend.field.config import HALF_SIDE
from backend.mesh.isosurface import extract_isosurface
from backend.pipeline import normalize_scene
from backend.refine.outer_bound import SLACK_FACTOR, outer_bound
from backend.shared.capture.reader import read_capture
from backend.shared.progress import Progress
from backend.views.views import load_views
from backend.views.visual_hull import VisualHull

SIZE, VIEWS = 96, 10
DISTANCE = 1.5  # of the cameras
POINTS = torch.tensor([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [0.0, 0.0, 0.5]])


@pytest.fixture(scope="module")
def views(make_capture, tmp_path_factory):
    """A ball from all around."""
    folder = tmp_path_factory.mktemp("bound") / "views"
    return load_views(read_capture(make_capture(folder, VIEWS, SIZE, "sphere")))


def _slack(views, normalization) -> float:
    """How much farther out the bound lies than the hull."""
    hull = VisualHull.from_views(views, normalization, torch.device("cpu")).signed_distance
    mesh = extract_isosurface(hull, HALF_SIDE, 96, Progress())
    bound = outer_bound(hull, mesh, views, normalization)
    difference = hull(POINTS) - bound(POINTS)
    assert difference.max() - difference.min() < 1e-6
    return float(difference[0])


def _pixel(views, normalization) -> float:
    """The width of a pixel at the object, normalized frame."""
    return float(DISTANCE / views.views[0].intrinsics.fx * normalization.scale)


def test_exact_masks_are_trusted(views) -> None:
    """The hull of exact masks fills them up to half a pixel: no more slack than that."""
    normalization = normalize_scene(views)
    slack = _slack(views.views, normalization)
    assert 0 <= slack <= SLACK_FACTOR * 0.5 * _pixel(views, normalization)


def test_masks_that_disagree_let_the_hull_out(views) -> None:
    """Every second mask is too small by some pixels: the others show that it was too much.

    The hull is eroded by about that many pixels all around, and half of the views see it.
    """
    normalization, cut = normalize_scene(views), 4
    changed = [
        replace(view, mask=binary_erosion(view.mask > 0.5, iterations=cut).astype(np.float32))
        if number % 2
        else view
        for number, view in enumerate(views.views)
    ]
    expected = SLACK_FACTOR * 0.5 * cut * _pixel(views, normalization)
    assert _slack(changed, normalization) == pytest.approx(expected, rel=0.5)
