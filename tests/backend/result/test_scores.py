# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures against values worked out by hand, and the command that prints them."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import trimesh
from PIL import Image
from skimage.metrics import structural_similarity as reference_similarity

from backend.commands.command_line import main
from backend.result.scores import (
    ImageScores,
    chamfer_distance,
    mean_scores,
    over_white,
    score_image,
    score_renders,
    structural_similarity,
)
from backend.shared.cameras import world_to_gltf
from backend.shared.errors import BadImage

# Decibels are capped where there is no error at all.
PERFECT = 100


def rgba(color, alpha, shape=(16, 16)):
    """An image `[height, width, 4]` of one color."""
    image = np.empty((*shape, 4), np.float32)
    image[...] = (*np.broadcast_to(color, 3), alpha)
    return image


def test_psnr_of_a_constant_error():
    """An error of 0.1 everywhere is 20 decibels."""
    scores = score_image(rgba(0.5, 1), rgba(0.6, 1))
    assert scores.psnr == pytest.approx(20, abs=1e-4)
    assert scores.psnr_foreground == pytest.approx(20, abs=1e-4)
    assert scores.iou == 1


def test_psnr_of_the_foreground():
    """The whole frame dilutes an error; the union of both silhouettes is where it counts."""
    render, truth = rgba(0.3, 0), rgba(0.9, 0)
    render[:4, :, 3], truth[2:6, :, 3] = 1, 1
    # Over white: 0.3 and 1 in rows 0 and 1, 0.3 and 0.9 in rows 2 and 3, 1 and 0.9 in rows 4 and 5.
    squared = 2 * 0.7**2 + 2 * 0.6**2 + 2 * 0.1**2
    scores = score_image(render, truth)
    assert scores.psnr == pytest.approx(-10 * math.log10(squared / 16), abs=1e-4)
    assert scores.psnr_foreground == pytest.approx(-10 * math.log10(squared / 6), abs=1e-4)
    assert scores.iou == pytest.approx(2 / 6)


def test_hidden_color_does_not_count():
    """What alpha 0 hides is white, whatever it is."""
    scores = score_image(rgba(0.2, 0), rgba(0.8, 0))
    assert scores.psnr == pytest.approx(PERFECT)
    assert over_white(rgba(0.2, 0.25))[0, 0] == pytest.approx([0.8] * 3)


def test_iou_of_partial_coverage():
    """Soft silhouettes: the sum of the smaller coverage over the sum of the larger."""
    render, truth = rgba(0.5, 0), rgba(0.5, 0)
    render[0, :2, 3] = 1, 0.5
    truth[0, :3, 3] = 0.5, 0.5, 0.5
    assert score_image(render, truth).iou == pytest.approx((0.5 + 0.5) / (1 + 0.5 + 0.5))


def test_no_object_in_either_image():
    """Two empty images are equal, in every measure, without a division by zero."""
    scores = score_image(rgba(1, 0), rgba(1, 0))
    assert scores.iou == scores.ssim == 1
    assert scores.psnr == scores.psnr_foreground == pytest.approx(PERFECT)


def test_ssim_of_flat_images():
    """Of two flat images only the means are left: (2ab + c1) / (a^2 + b^2 + c1)."""
    a, b = rgba(0.4, 1)[..., :3], rgba(0.6, 1)[..., :3]
    expected = (2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4)
    assert structural_similarity(a, b) == pytest.approx(expected, abs=1e-6)
    assert structural_similarity(a, a) == pytest.approx(1)


def test_ssim_of_noise():
    """The measure is that of the paper: equal to another program's on the same windows."""
    random = np.random.default_rng(0)
    a = random.uniform(size=(24, 30, 3)).astype(np.float32)
    b = (0.7 * a + 0.3 * random.uniform(size=a.shape)).astype(np.float32)
    # The other program leaves out windows that leave the image; here they are mirrored.
    mirrored = [np.pad(image, ((5, 5), (5, 5), (0, 0)), mode="symmetric") for image in (a, b)]
    expected = reference_similarity(
        *mirrored,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert structural_similarity(a, b) == pytest.approx(expected, abs=1e-5)


def test_mean_of_scores():
    """Decibels are averaged as decibels."""
    mean = mean_scores([ImageScores(1, 20, 10, 0.5), ImageScores(0.5, 30, 20, 0.7)])
    assert mean == ImageScores(0.75, 25, 15, pytest.approx(0.6))


@pytest.mark.parametrize("size", [1.0, 40.0])
def test_chamfer_of_two_spheres(size):
    """A tenth of the radius between two surfaces is 50 thousandths, in any units."""
    inner = trimesh.creation.icosphere(4, 0.9 * size)
    outer = trimesh.creation.icosphere(4, size)
    # Neighbors among 60 000 samples are 0.005 aside on average, which adds 0.0002 to 0.05.
    assert chamfer_distance(inner, outer) == pytest.approx(50, abs=0.5)
    inner.apply_translation([7, 8, 9])
    outer.apply_translation([7, 8, 9])
    assert chamfer_distance(inner, outer) == pytest.approx(50, abs=0.5)


def test_chamfer_of_a_surface_with_itself():
    """Equal surfaces are as far apart as their samples: less than 1 / sqrt(60 000 / area)."""
    ball = trimesh.creation.icosphere(3, 0.5)
    other = trimesh.creation.icosphere(4, 0.5)
    assert chamfer_distance(ball, other) <= 1e3 * math.sqrt(math.pi / 60_000)


@pytest.fixture(scope="module")
def capture(tmp_path_factory, make_capture):
    """Four views of two balls."""
    return make_capture(tmp_path_factory.mktemp("metrics") / "views", 4, 48, "two_spheres")


@pytest.fixture
def renders(capture, tmp_path):
    """Renders that equal the views."""
    folder = tmp_path / "renders"
    folder.mkdir()
    for path in sorted((capture / "images").iterdir()):
        color, mask = Image.open(path), Image.open(capture / "masks" / path.name)
        color.putalpha(mask)
        color.save(folder / path.name)
    return folder


def test_renders_that_equal_the_views(capture, renders):
    """Equal pictures score the most there is, under the name of each view."""
    scores = score_renders(renders, capture)
    assert list(scores) == ["0000", "0001", "0002", "0003"]
    assert all(score.iou == score.ssim == pytest.approx(1) for score in scores.values())
    assert all(score.psnr == pytest.approx(PERFECT) for score in scores.values())


def test_other_images_of_the_views(capture, renders, tmp_path):
    """With a folder of other images, those are the truth; the masks remain those of the views."""
    relit = tmp_path / "relit"
    relit.mkdir()
    for path in renders.iterdir():
        image = Image.new("RGBA", Image.open(path).size, (0, 0, 0, 255))
        image.save(relit / path.name)
    scores = score_renders(renders, capture, relit)
    assert all(score.iou == pytest.approx(1) for score in scores.values())
    assert all(score.psnr_foreground < 20 for score in scores.values())
    (relit / "0003.png").unlink()
    with pytest.raises(BadImage, match="0003"):
        score_renders(renders, capture, relit)


def test_missing_render(capture, renders):
    """A view without a render is no view to leave out silently."""
    (renders / "0002.png").unlink()
    with pytest.raises(BadImage, match="0002"):
        score_renders(renders, capture)


def test_render_of_another_size(capture, renders):
    """A render of another size is refused with both sizes."""
    Image.open(renders / "0001.png").resize((24, 48)).save(renders / "0001.png")
    with pytest.raises(BadImage, match=r"24x48.*48x48"):
        score_renders(renders, capture)


def test_command(capture, renders, tmp_path, capsys):
    """The command prints the mean, every view, and the distance of meshes in the same world."""
    box = trimesh.creation.box((1, 2, 3)).apply_translation([5, 6, 7])
    box.export(tmp_path / "true.ply")
    turned = box.copy()
    turned.vertices = world_to_gltf(box.vertices)
    turned.export(tmp_path / "mesh.glb")
    meshes = ["--mesh", tmp_path / "mesh.glb", "--reference-mesh", tmp_path / "true.ply"]
    assert main(["metrics", *map(str, [renders, capture, *meshes]), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"mean", "views", "chamfer_x1e3"}
    assert set(document["mean"]) == {"iou", "psnr", "psnr_foreground", "ssim"}
    assert set(document["views"]) == {"0000", "0001", "0002", "0003"}
    # Read without turning the axes, the boxes would be a diagonal apart.
    spacing = math.sqrt(22 / 60_000) * 0.5 / math.sqrt(3.5)
    assert document["chamfer_x1e3"] <= 1e3 * spacing


def test_command_fails_with_a_code(capture, renders, capsys):
    """Without its renders the command ends with 1 and says which is missing."""
    shutil.rmtree(renders)
    assert main(["metrics", str(renders), str(capture), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "BAD_IMAGE"
