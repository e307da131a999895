# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stereo as a stage of the pipeline: when it runs, and where its result goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from backend import pipeline
from backend.mesh import surfaces
from backend.pipeline import reconstruct
from backend.refine.refine import Refinement
from backend.request import ReconstructRequest
from backend.shared.progress import Progress
from backend.stereo.stereo_start import StereoStart


class Bite:
    """A cavity in the top of the ball of the captures."""

    def cut_from(self, hull):
        """The hull without a smaller ball around its top."""
        top = torch.tensor([0.0, 0.0, 0.5])
        return lambda points: torch.maximum(hull(points), 0.25 - (points - top).norm(dim=1))


@pytest.fixture
def views(tmp_path, make_capture):
    """Small views of a ball."""
    return make_capture(tmp_path / "views", 6, 40)


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 48)


def _request(views, output, refine):
    sizes = {"texture_size": "64", "faces": 2000, "device": "cpu"}
    return ReconstructRequest(views, output, refine=refine, **sizes)


def _found(monkeypatch, start: StereoStart) -> None:
    monkeypatch.setattr(pipeline, "find_stereo_start", lambda *_: start)


def test_the_fit_begins_where_stereo_ends(views, tmp_path, monkeypatch) -> None:
    """It receives the cavities; if it is refused, they stay in the result."""
    received = []

    def refused(self, start, progress, carve=None, preview=None):
        received.append((start, carve))

    monkeypatch.setattr(Refinement, "run", refused)
    bite = Bite()
    _found(monkeypatch, StereoStart(bite, "", 0.8))
    report = reconstruct(_request(views, tmp_path / "out", "auto"), Progress())
    assert received == [(None, bite.cut_from)]
    assert report.counts["stereo_accepted"] == 1
    assert report.metrics["stereo_error_ratio"] == 0.8
    mesh = trimesh.load(tmp_path / "out" / "mesh.glb", force="mesh")
    radius = np.linalg.norm(mesh.vertices - mesh.bounds.mean(0), axis=1)
    assert radius.min() < 0.8 * radius.max()


def test_without_cavities_the_fit_begins_with_the_hull(views, tmp_path, monkeypatch) -> None:
    """As if there were no stereo; the report has the reason in numbers."""
    received = []

    def refused(self, start, progress, carve=None, preview=None):
        received.append((start, carve))

    monkeypatch.setattr(Refinement, "run", refused)
    _found(monkeypatch, StereoStart(None, "views look no better with it", 0.97))
    report = reconstruct(_request(views, tmp_path / "out", "auto"), Progress())
    assert received == [(None, None)]
    assert report.counts["stereo_accepted"] == 0
    assert report.metrics["stereo_error_ratio"] == 0.97


@pytest.mark.parametrize(("refine", "reason"), [("off", "off"), ("1", "too little time")])
def test_stereo_is_left_out(views, tmp_path, monkeypatch, refine, reason) -> None:
    """Where the fit is, and where it has less time than it needs."""
    monkeypatch.setattr(Refinement, "run", lambda *_: None)
    report = reconstruct(_request(views, tmp_path / "out", refine), Progress())
    (stage,) = [stage for stage in report.stages if stage.name == "stereo"]
    assert stage.note == reason
    assert stage.seconds == 0
    assert "stereo_accepted" not in report.counts
