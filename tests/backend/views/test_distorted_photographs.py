# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real photographs through a lens that distorts: the result is that of the undistorted ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from backend.job import Job
from backend.pipeline import carve, extract_mesh, normalize_scene
from backend.request import ReconstructRequest
from backend.result.report import Report
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.lenses import Distortion, Lens
from backend.shared.progress import Progress
from backend.texturing import bake_textures
from backend.views.views import load_views, read_view
from tests.unused_views import score_unused

USED, UNUSED = slice(0, 69, 5), slice(1, 69, 12)
SIZE = 256  # of the unused photographs
# At the corners of these photographs, which see 18 degrees, pixels move by 40.
DISTORTION = Distortion((-1.2, 3.0, 0, 0, 0, 0), (0.01, -0.02))


@pytest.mark.slow
def test_distorted_photographs_give_the_same_result(shared, tmp_path):
    """Shape and colors from distorted photographs are as good on others, to 0.1 dB."""
    frames = read_capture(shared / "data" / "captures" / "maryrose_tankard").frames
    unused = [read_view(frame, max_size=SIZE) for frame in frames[UNUSED]]
    straight, bent = tmp_path / "straight", tmp_path / "bent"
    straight.mkdir()
    write_transforms(straight / "transforms.json", frames[USED])
    for kind in ("images", "masks"):
        (bent / kind).mkdir(parents=True)
    write_transforms(bent / "transforms.json", [distorted(frame, bent) for frame in frames[USED]])
    scores = [score(folder, unused) for folder in (straight, bent)]
    print(scores)  # noqa: T201 - shown by -s, for the record
    assert scores[1][0] == pytest.approx(scores[0][0], abs=0.1)
    assert scores[1][1] == pytest.approx(scores[0][1], abs=0.005)


def distorted(frame, folder):
    """A frame through the lens, with files of its own."""
    lens = Lens(frame.intrinsics, DISTORTION)
    size = frame.intrinsics.width
    pixels = np.stack(np.meshgrid(*2 * [np.arange(size) + 0.5]), axis=-1)
    rays = DISTORTION.undistort(lens.normalized(pixels))
    columns, rows = np.moveaxis(lens.pixels(rays) - 0.5, -1, 0)
    paths = []
    for path, order in ((frame.image_path, 3), (frame.mask_path, 1)):
        planes = np.atleast_3d(np.asarray(Image.open(path))).astype(np.float32)
        channels = [
            map_coordinates(planes[..., channel], [rows, columns], order=order, mode="nearest")
            for channel in range(planes.shape[2])
        ]
        values = np.rint(np.stack(channels, axis=-1)).clip(0, 255).astype(np.uint8)
        paths.append(folder / path.parent.name / f"{frame.name}.png")
        Image.fromarray(values.squeeze()).save(paths[-1])
    return replace(frame, image_path=paths[0], mask_path=paths[1], lens=lens)


def score(folder, unused):
    """Decibels inside the outlines of unused views, and the IoU of these, without a fit."""
    views = load_views(read_capture(folder))
    normalization, report = normalize_scene(views), Report(request={}, device="cpu", checkpoint={})
    request = ReconstructRequest(folder, folder, texture_size="512", faces=5_000)
    job = Job(request, views, normalization, None, report, Progress())
    hull = carve(job)
    mesh = extract_mesh(job, hull)
    textures = bake_textures(job, mesh, hull, hull, None)
    return score_unused(mesh, textures, normalization, unused)
