# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders are scored as the docstring of `scoring` says."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from backend.result.scores import score_image
from backend.shared.cameras import intrinsics_from_fov
from backend.shared.capture.capture import Frame
from backend.shared.errors import BadRequest
from backend.shared.srgb import linear_to_srgb
from benchmarks.paper.layouts.scene import Target
from benchmarks.paper.measures import PerceptualMeasures
from benchmarks.paper.scoring import Render, score_target
from tests.backend.views.test_image_formats import put_exr as write_exr

SIZE = 16
NONE = PerceptualMeasures(flip=False, lpips=None)
HALF = 0.5 / 255
"""What 8 bits may change."""


@pytest.fixture
def light():
    """Linear light [height, width, 3] of an object in the left half of the frame."""
    return np.random.default_rng(3).uniform(0.1, 0.6, (SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def coverage():
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:, : SIZE // 2] = 1.0
    return mask


@pytest.fixture
def put_exr(tmp_path):
    """A function that writes linear light, premultiplied if there is alpha."""

    def put(name, light, alpha=None):
        planes = {"R": light[..., 0], "G": light[..., 1], "B": light[..., 2]}
        if alpha is not None:
            planes = {key: plane * alpha for key, plane in planes.items()} | {"A": alpha}
        write_exr(
            tmp_path / name,
            {key: np.ascontiguousarray(plane, np.float32) for key, plane in planes.items()},
        )
        return tmp_path / name

    return put


@pytest.fixture
def target(tmp_path, light, coverage):
    """The light as displayed, as a target view."""
    color = np.rint(255 * linear_to_srgb(light)).astype(np.uint8)
    Image.fromarray(color).save(tmp_path / "true.png")
    Image.fromarray((255 * coverage).astype(np.uint8)).save(tmp_path / "mask.png")
    lens = intrinsics_from_fov(SIZE, SIZE, 0.7)
    return Target(Frame("v", tmp_path / "true.png", tmp_path / "mask.png", lens, np.eye(4)))


def test_the_truth_scores_as_the_truth(target, light, coverage, put_exr):
    """What is left is the rounding of the true image to 8 bits."""
    file = put_exr("render.exr", light, coverage)
    measures = score_target(file, target, SIZE, NONE, aligned=False).measures
    assert measures["psnr"] > -20 * np.log10(HALF)
    assert measures["iou"] == 1.0
    assert measures["ssim"] == pytest.approx(1, abs=1e-3)
    assert "psnr_linear" not in measures


def test_alignment_takes_out_a_factor_for_each_channel(target, light, coverage, put_exr):
    """A render under a light of another color scores as the truth; unaligned it does not."""
    file = put_exr("render.exr", light * (0.5, 0.8, 1.3), coverage)
    scored = score_target(file, target, SIZE, NONE, aligned=True)
    assert scored.measures["psnr"] > 45
    assert scored.measures["psnr_unaligned"] < 25
    plain = score_target(file, target, SIZE, NONE, aligned=False)
    assert plain.measures["psnr"] == pytest.approx(scored.measures["psnr_unaligned"])
    assert np.abs(scored.image - scored.truth)[coverage > 0].max() < 4 * HALF


def test_linear_light_is_not_clipped(target, light, coverage, put_exr):
    """PSNR-H sees what is brighter than white: one channel of one pixel is off by 2."""
    target = Target(target.frame, radiance=put_exr("true.exr", light))
    off = light.copy()
    off[3, 3, 1] += 2.0
    file = put_exr("render.exr", off, coverage)
    measures = score_target(file, target, SIZE, NONE, aligned=False).measures
    assert measures["psnr_linear"] == pytest.approx(-10 * np.log10(4 / (3 * SIZE**2)), abs=0.01)


def test_alignment_of_linear_light(target, light, coverage, put_exr):
    """It is that of the image in linear light, whatever its exposure is."""
    target = Target(target.frame, radiance=put_exr("true.exr", 3 * light))
    file = put_exr("render.exr", light, coverage)
    assert score_target(file, target, SIZE, NONE, aligned=True).measures["psnr_linear"] > 80


def test_larger_renders_are_averaged_down(light, coverage, put_exr):
    """In premultiplied linear light, as a pixel of the small image sees it."""
    file = put_exr("render.exr", light, coverage)
    small = Render.read(file, SIZE // 2, SIZE // 2)
    cells = light.reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(small.light - cells)[:, : SIZE // 4].max() < 1e-6
    assert small.coverage[:, : SIZE // 4].min() == 1.0
    assert small.light[:, SIZE // 4 :].max() == 0.0


def test_scores_are_those_of_evaluate(target, light, coverage, put_exr):
    """One implementation: the measures of images are `score_image`'s."""
    file = put_exr("render.exr", light * 0.8, coverage)
    scored = score_target(file, target, SIZE, NONE, aligned=False)
    assert scored.measures == asdict(score_image(scored.image, scored.truth))


def test_measures_that_cannot_be_taken_are_named(tmp_path):
    """A file that is asked for and is not there is an error, not a gap in the table."""
    notes = PerceptualMeasures(flip=False, lpips=None).notes()
    assert [note.split()[0] for note in notes] == ["FLIP", "LPIPS"]
    with pytest.raises(BadRequest, match=r"gone\.safetensors"):
        PerceptualMeasures.available(str(tmp_path / "gone.safetensors"))


def test_lpips_of_a_network(target, light, coverage, put_exr):
    """Zero for equal images and above zero for others, with weights made up."""
    import torch

    from backend.training.losses.perceptual import PerceptualDistance

    torch.manual_seed(1)
    network = PerceptualDistance([(4,), (5,)])
    for parameter in network.parameters():
        parameter.abs_()
    measures = PerceptualMeasures(flip=False, lpips=network)
    image = np.random.default_rng(0).random((8, 8, 3), np.float32)
    assert measures.compare(image, image)["lpips"] == 0.0
    assert measures.compare(image, image * 0.5)["lpips"] > 0.0
