# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of materials and normals against values worked out by hand, and the command."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from backend.commands.command_line import main
from backend.result.material_scores import (
    MaterialScores,
    Passes,
    angles_between,
    color_factors,
    score_materials,
    score_passes,
)
from backend.shared.capture.capture import PASSES
from backend.shared.errors import BadImage
from backend.shared.srgb import srgb_to_linear
from tests.captures import deep_png

SIZE = 48
# Half a step of 16 bits, in what is stored.
ROUNDING = 0.5 / 65535
UP = (0.0, 0.0, 1.0)
PERFECT = 100


def passes(color=(0.5, 0.5, 0.5), roughness=0.5, metallic=0.0, normal=UP, pixels=4):
    """The same values at all pixels."""
    return Passes(
        base_color=np.full((pixels, 3), color, np.float32),
        roughness=np.full(pixels, roughness, np.float32),
        metallic=np.full(pixels, metallic, np.float32),
        normal=np.full((pixels, 3), normal, np.float32),
    )


def test_equal_passes():
    """Equal passes have no error in any measure."""
    scores = score_materials(passes(), passes(), (1, 1, 1))
    assert asdict(scores) == pytest.approx(
        {
            "base_color_psnr": PERFECT,
            "base_color_psnr_aligned": PERFECT,
            "roughness_error": 0,
            "metallic_error": 0,
            "normal_error_mean": 0,
            "normal_error_median": 0,
        }
    )


def test_base_color_is_compared_as_displayed():
    """Linear colors of sRGB 0.6 and 0.5 differ by 0.1, which is 20 decibels."""
    shown = [passes(srgb_to_linear(np.full(3, value))) for value in (0.6, 0.5)]
    scores = score_materials(*shown, (1, 1, 1))
    assert scores.base_color_psnr == pytest.approx(20, abs=1e-4)
    assert scores.base_color_psnr_aligned == pytest.approx(20, abs=1e-4)


def test_aligned_base_color():
    """A base color that is wrong by a factor for each channel is right after the alignment."""
    true = np.array([[0.1, 0.2, 0.3], [0.4, 0.3, 0.2]], np.float32)
    render = replace(passes(pixels=2), base_color=true * np.float32([2, 0.5, 1]))
    factors = color_factors(render.base_color, true)
    assert factors == pytest.approx([0.5, 2, 1])
    scores = score_materials(render, replace(render, base_color=true), factors)
    assert scores.base_color_psnr_aligned > 90
    assert scores.base_color_psnr < 20


def test_factors_are_least_squares_in_linear_light():
    """The factor is sum(rendered * true) / sum(rendered ** 2); black has the factor 1."""
    rendered = np.array([[1, 0.2, 0], [0.5, 0.4, 0]], np.float32)
    true = np.array([[0.5, 0.2, 0.7], [0.5, 0.2, 0.7]], np.float32)
    expected = [(0.5 + 0.25) / 1.25, (0.04 + 0.08) / (0.04 + 0.16), 1]
    assert color_factors(rendered, true) == pytest.approx(expected)


def test_aligned_colors_are_clipped():
    """A factor cannot make a color brighter than white."""
    white = passes((1, 1, 1))
    assert score_materials(white, white, (3, 3, 3)).base_color_psnr_aligned == pytest.approx(100)


def test_roughness_and_metallic_errors():
    """Errors are absolute and averaged."""
    render = replace(
        passes(), roughness=np.float32([0.2, 0.4, 0.5, 0.5]), metallic=np.float32([1, 1, 0, 0])
    )
    scores = score_materials(render, passes(roughness=0.4, metallic=0.5), (1, 1, 1))
    assert scores.roughness_error == pytest.approx((0.2 + 0 + 0.1 + 0.1) / 4)
    assert scores.metallic_error == pytest.approx(0.5)


def test_normal_errors():
    """Of 0, 10, 20 and 90 degrees the mean is 30 and the median 15."""
    tilts = np.radians([0, 10, 20, 90])
    normals = np.stack([np.sin(tilts), np.zeros(4), np.cos(tilts)], axis=1).astype(np.float32)
    scores = score_materials(replace(passes(), normal=normals), passes(), (1, 1, 1))
    assert scores.normal_error_mean == pytest.approx(30, abs=1e-4)
    assert scores.normal_error_median == pytest.approx(15, abs=1e-4)


def test_angles_of_vectors_of_any_length():
    """The angle does not depend on the lengths; the opposite direction is 180 degrees."""
    a = np.array([[2, 0, 0], [0.1, 0.1, 0], [0, 0, 3]], np.float32)
    b = np.array([[0, 5, 0], [1, 0, 0], [0, 0, -1]], np.float32)
    assert angles_between(a, b) == pytest.approx([90, 45, 180])


@pytest.fixture(scope="module")
def capture(tmp_path_factory, make_capture):
    """Two views of a ball with passes of constant values."""
    folder = make_capture(tmp_path_factory.mktemp("passes") / "views", 2, SIZE)
    write_passes(folder, (0.25, 0.5, 0.75), 0.4, 1.0, (0.5, 0.5, 1.0))
    return folder


@pytest.fixture
def renders(capture, tmp_path):
    """Renders of the same outline with other values."""
    folder = tmp_path / "renders"
    shutil.copytree(capture / "masks", folder / "masks")
    write_passes(folder, (0.5, 0.25, 0.75), 0.3, 0.0, (1.0, 0.5, 0.5))
    return folder


def write_passes(folder, *values):
    """Write passes of constant values for the views 0000 and 0001."""
    for channel, value in zip(PASSES, values, strict=True):
        (folder / channel).mkdir()
        pixels = np.broadcast_to(np.atleast_1d(value), (SIZE, SIZE, np.size(value)))
        for view in ("0000", "0001"):
            put_pass(folder / channel / f"{view}.png", pixels)


def put_pass(path, values):
    """Store values 0..1, [height, width, 1 or 3], as Blender does."""
    path.write_bytes(deep_png(np.rint(values * 65535).astype(np.uint16)))


def test_scores_of_stored_passes(capture, renders):
    """The passes in the folders are compared, in the full depth of the files."""
    scores = score_passes(renders, capture)
    assert list(scores) == ["0000", "0001"]
    for score in scores.values():
        assert score.base_color_psnr_aligned > 80
        assert score.base_color_psnr < 20
        assert score.roughness_error == pytest.approx(0.1, abs=2 * ROUNDING)
        assert score.metallic_error == 1
        # The zero of a normal lies between two steps: 32767.5 of 65535.
        assert score.normal_error_mean == pytest.approx(90, abs=0.01)
        assert score.normal_error_median == pytest.approx(90, abs=0.01)


def test_only_common_pixels_count(capture, renders):
    """Where one of the two does not show the object, its passes do not count."""
    true_mask = np.asarray(Image.open(capture / "masks" / "0000.png"))
    mask = np.full_like(true_mask, 255)
    mask[: SIZE // 2] = 0
    Image.fromarray(mask).save(renders / "masks" / "0000.png")
    common = (mask >= 128) & (true_mask >= 128)
    put_pass(renders / "roughness" / "0000.png", np.where(common, 0.4, 0.9)[..., None])
    assert score_passes(renders, capture)["0000"].roughness_error == pytest.approx(0)


def test_views_without_a_common_pixel(capture, renders):
    """A view that shows nothing in common is left out; if there is no other, it is an error."""
    empty = Image.new("L", (SIZE, SIZE))
    empty.save(renders / "masks" / "0000.png")
    assert list(score_passes(renders, capture)) == ["0001"]
    empty.save(renders / "masks" / "0001.png")
    with pytest.raises(BadImage, match="no pixel"):
        score_passes(renders, capture)


def test_missing_pass(capture, renders):
    """A missing file is named."""
    (renders / "metallic" / "0001.png").unlink()
    with pytest.raises(BadImage, match=r"metallic.0001"):
        score_passes(renders, capture)


def test_command(capture, renders, capsys):
    """The command prints the mean and every view."""
    assert main(["metrics", str(renders), str(capture), "--passes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"mean", "views"}
    assert set(document["mean"]) == set(MaterialScores.__dataclass_fields__)
    assert set(document["views"]) == {"0000", "0001"}
    assert math.isclose(document["mean"]["metallic_error"], 1)
