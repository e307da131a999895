# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real photographs: what refinement adds where poses, masks and light are as they are."""

from __future__ import annotations

import numpy as np
import pytest

from backend.job import Job
from backend.pipeline import carve, extract_mesh, find_cavities, normalize_scene, refine
from backend.request import ReconstructRequest
from backend.result.report import Report
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.progress import Progress
from backend.texturing import bake_textures
from backend.views.selection import MAX_IMAGE_SIZE
from backend.views.views import load_views, read_view
from tests.unused_views import score_unused

USED, ALL = 24, 69
SIZE = 256  # of the unused photographs


@pytest.mark.slow
def test_refinement_explains_unused_photographs_better(shared, tmp_path) -> None:
    """24 of 69 photographs: the other 45 look 1 dB better inside their outlines, which fit."""
    frames = read_capture(shared / "data" / "captures" / "maryrose_tankard").frames
    used = set(np.linspace(0, ALL - 1, USED).round().astype(int).tolist())
    write_transforms(tmp_path / "transforms.json", [frames[number] for number in sorted(used)])
    views = load_views(read_capture(tmp_path / "transforms.json"), max_size=MAX_IMAGE_SIZE)
    unused = [
        read_view(frame, max_size=SIZE) for number, frame in enumerate(frames) if number not in used
    ]
    normalization, report = normalize_scene(views), Report(request={}, device="cpu", checkpoint={})
    job = Job(
        ReconstructRequest(tmp_path, tmp_path), views, normalization, None, report, Progress()
    )
    hull = carve(job)
    fitted = refine(job, hull, find_cavities(job, hull))
    decibels = {}
    for name, surface in (("hull", hull), ("fitted", fitted)):
        mesh = extract_mesh(job, surface)
        textures = bake_textures(job, mesh, surface, hull, None)
        decibels[name], overlap = score_unused(mesh, textures, normalization, unused)
    assert overlap >= 0.95
    assert decibels["fitted"] >= decibels["hull"] + 1
