# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `evaluate` under other lights and against passes: truth scores well, nothing else."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import world_to_gltf

SIZE = 48
QUICK = ("--size", SIZE, "--samples", 8, "--views", 2, "--environment-size", 32)
# The material of the block: linear base color, roughness, metallic.
TRUE = ((204, 51, 13), 0.3, 0.75)
OTHER = ((102, 51, 13), 0.8, 0.0)


@pytest.fixture(scope="module")
def views(block, lsrm_blender, tmp_path_factory):
    """A capture with two test views, relit by one light, and with passes."""
    folder = tmp_path_factory.mktemp("evaluate") / "views"
    done = lsrm_blender(
        "capture", block[0], "-o", folder, *QUICK, "--test-views", 2, "--passes",
        "--relight", "studio",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def make_mesh(views, tmp_path_factory):
    """Write the true mesh with a material; returns its file."""
    import trimesh

    def make(color, roughness, metallic):
        mesh = trimesh.load_mesh(views / "test" / "reference_mesh.ply")
        mesh.vertices = world_to_gltf(mesh.vertices)
        material = trimesh.visual.material.PBRMaterial(
            baseColorFactor=[*color, 255], roughnessFactor=roughness, metallicFactor=metallic
        )
        uv = np.zeros((len(mesh.vertices), 2))
        mesh.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
        path = tmp_path_factory.mktemp("mesh") / "mesh.glb"
        mesh.export(path)
        return path

    return make


@pytest.fixture(scope="module")
def scores_of(views, lsrm_blender):
    """Run evaluate on a mesh; returns its JSON document."""

    def run(mesh, *arguments):
        done = lsrm_blender("evaluate", views, mesh, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize(("material", "shading"), [("pbr", "lit"), ("rgb", "unlit")])
def test_a_result_is_shown_as_what_its_textures_hold(make_mesh, scores_of, material, shading):
    """Materials are compared under the light of the views, colors that hold it as they are."""
    mesh = make_mesh(*TRUE)
    mesh.with_name("report.json").write_text(json.dumps({"material": material}))
    assert scores_of(mesh.parent)["mean"] == scores_of(mesh, "--shading", shading)["mean"]


def test_scores_under_another_light(make_mesh, scores_of):
    """Under the light of the relit views the true material is right and another one is not."""
    relit = ("--shading", "lit", "--environment", "studio")
    true = scores_of(make_mesh(*TRUE), *relit)
    assert set(true["views"]) == {"0000", "0001"}
    assert set(true["mean"]) == {"iou", "psnr", "psnr_foreground", "ssim"}
    assert true["mean"]["psnr"] > 30
    assert scores_of(make_mesh(*OTHER), *relit)["mean"]["psnr"] < true["mean"]["psnr"] - 5
    # The same render is wrong under the light of the capture.
    lit = scores_of(make_mesh(*TRUE), "--shading", "lit")
    assert lit["mean"]["psnr"] > 30
    assert lit["mean"]["psnr"] != pytest.approx(true["mean"]["psnr"], abs=0.01)


def test_scores_of_true_materials(make_mesh, scores_of, tmp_path):
    """The true mesh with the true material has no error; the comparison shows all passes."""
    picture = tmp_path / "passes.png"
    scores = scores_of(make_mesh(*TRUE), "--shading", "passes", "--write-comparison", picture)
    assert set(scores["views"]) == {"0000", "0001"}
    mean = scores["mean"]
    assert mean["base_color_psnr"] > 40
    assert mean["roughness_error"] < 2e-3
    assert mean["metallic_error"] < 2e-3
    assert mean["normal_error_median"] < 0.1
    # Edges between faces mix normals differently in every render.
    assert mean["normal_error_mean"] < 1.5
    assert Image.open(picture).size == (4 * 2 * SIZE, 2 * SIZE)


def test_scores_of_other_materials(make_mesh, scores_of):
    """Roughness and metallic are as wrong as they are; base color is right but for a factor."""
    mean = scores_of(make_mesh(*OTHER), "--shading", "passes")["mean"]
    assert mean["roughness_error"] == pytest.approx(0.5, abs=2e-3)
    assert mean["metallic_error"] == pytest.approx(0.75, abs=2e-3)
    assert mean["base_color_psnr"] < 20
    assert mean["base_color_psnr_aligned"] > 40


@pytest.mark.parametrize(
    ("shading", "remedy"),
    [
        (("lit", "--environment", "studio"), "--relight studio"),
        (("passes",), "--passes"),
    ],
)
def test_missing_test_views(views, make_mesh, lsrm_blender, tmp_path, shading, remedy):
    """A capture without relit views or passes is refused with the option that makes them."""
    incomplete = tmp_path / "views"
    without = shutil.ignore_patterns("relit_studio", "metallic")
    shutil.copytree(views, incomplete, ignore=without)
    done = lsrm_blender("evaluate", incomplete, make_mesh(*TRUE), "--shading", *shading, "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "BAD_CAPTURE"
    assert remedy in error["remedy"]
