# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in scenes: imported at their position, relit, scored; the scene is kept."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import world_to_gltf
from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.radiance_hdr import read_hdr

QUICK = ("--size", 64, "--samples", 4, "--views", 2, "--environment-size", 32)
PLACEMENT = 1e-4  # of the object's size


def make_result(folder, views):
    """Write a perfect result: the true mesh, in orange."""
    import trimesh

    folder.mkdir()
    mesh = trimesh.load_mesh(views / "test" / "reference_mesh.ply")
    mesh.vertices = world_to_gltf(mesh.vertices)
    orange = trimesh.visual.material.PBRMaterial(baseColorFactor=[230, 120, 60, 255])
    uv = np.zeros((len(mesh.vertices), 2))
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv, material=orange)
    mesh.export(folder / "mesh.glb")
    (folder / "report.json").write_text(
        json.dumps({"request": {"views": str(views)}, "seconds": 1})
    )
    return folder


@pytest.fixture(scope="module", params=["world", "normalized"])
def captured(request, block, lsrm_blender, tmp_path_factory):
    """A capture in the asset's own coordinates, and one normalized, each with its result."""
    folder = tmp_path_factory.mktemp(request.param)
    extra = ("--normalize",) if request.param == "normalized" else ()
    arguments = ("capture", block[0], "-o", folder / "views", "--test-views", 2, *QUICK, *extra)
    done = lsrm_blender(*arguments)
    assert done.returncode == 0, done.stderr
    return folder / "views", make_result(folder / "result", folder / "views")


def _contents(path):
    """Names, transforms and properties in a .blend."""
    import json

    import bpy

    bpy.ops.wm.open_mainfile(filepath=path)
    result = next(shown for shown in bpy.data.objects if "lsrm_report" in shown)
    material = result.data.materials[0]
    original = bpy.data.objects.get("Block")
    return {
        "name": result.name,
        "vertices": [list(result.matrix_world @ vertex.co) for vertex in result.data.vertices],
        "collections": [collection.name for collection in result.users_collection],
        "nodes": [node.type for node in material.node_tree.nodes],
        "report": json.loads(result["lsrm_report"]),
        "source": result["lsrm_source"],
        "originals": [shown.name for shown in result["lsrm_source_objects"].values()],
        "original": original and [list(row) for row in original.matrix_world],
        "original_hidden": original and [original.hide_render, original.hide_get()],
        "world": bpy.context.scene.world.name,
        "worlds": {world.name: world.use_fake_user for world in bpy.data.worlds},
    }


def test_captures_are_lit_by_soft_boxes_unless_another_light_is_chosen(captured):
    """The default light is known: capture.json names it, and environment.hdr has its boxes."""
    light = read_capture_json(captured[0])["lighting"]
    assert (light["kind"], light["source"]) == ("environment", "softboxes")
    radiance = read_hdr(captured[0] / "environment.hdr")
    assert radiance.min() == pytest.approx(0.36, rel=0.05)
    assert 1.4 < radiance.max() < 2.2


def test_captures_of_other_programs(captured, lsrm_blender, tmp_path):
    """Another program's capture.json may describe its source by a text; a result is imported."""
    views = tmp_path / "views"
    shutil.copytree(captured[0], views)
    description = json.loads((views / "capture.json").read_text())
    (views / "capture.json").write_text(json.dumps({**description, "source": "a scan"}))
    result = make_result(tmp_path / "result", views)
    done = lsrm_blender("import", result, "-o", tmp_path / "scene.blend")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "scene.blend").is_file()


def test_result_has_the_position_of_the_original(
    captured, block, lsrm_blender, in_blender, tmp_path
):
    """Imported into the captured scene, the mesh covers the original to 1e-4 of its size."""
    scene = tmp_path / "scene é.blend"
    done = lsrm_blender("import", captured[1], "--into", block[0], "-o", scene, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"] == ["Block.001"]
    assert "The original is hidden" in done.stderr
    seen = in_blender(_contents, path=scene)
    corners = np.array(block[1])
    size = np.linalg.norm(np.ptp(corners, axis=0))
    distances = np.linalg.norm(np.array(seen["vertices"])[:, None] - corners, axis=-1)
    assert distances.min(axis=0).max() < PLACEMENT * size
    assert distances.min(axis=1).max() < PLACEMENT * size


def test_result_stores_its_source(captured, block, lsrm_blender, in_blender, tmp_path):
    """The result has a Principled BSDF, its report and its source, and the original is hidden."""
    assert lsrm_blender("import", captured[1], "--into", block[0], "-o", tmp_path / "s.blend")
    seen = in_blender(_contents, path=tmp_path / "s.blend")
    assert "BSDF_PRINCIPLED" in seen["nodes"]
    assert seen["collections"] == ["Scene Collection"]
    assert seen["report"]["seconds"] == 1
    assert seen["source"] == str(block[0])
    assert seen["originals"] == ["Block"]
    assert seen["original_hidden"] == [True, True]


def test_relight_keeps_the_previous_world(captured, block, lsrm_blender, in_blender, tmp_path):
    """A scene saved by relight has the new light, and keeps its previous world in the file."""
    scene, lit = tmp_path / "scene.blend", tmp_path / "lit.blend"
    assert lsrm_blender("import", captured[1], "--into", block[0], "-o", scene).returncode == 0
    done = lsrm_blender(
        "relight", captured[1], "--scene", scene, "--environment", "city", "Gray", "night",
        "-o", tmp_path / "pictures", "--size", 32, "--samples", 2, "--save", lit,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["Gray.png", "city.png", "night.png"]
    seen = in_blender(_contents, path=lit)
    assert seen["world"] == "LSRM night"
    assert set(seen["worlds"]) == {"Gray", "LSRM night"}


def test_turntable_and_captured_view(captured, lsrm_blender, tmp_path):
    """A turntable has its frames; with a captured camera the silhouette is that of the view."""
    views, result = captured
    arguments = ("relight", result, "--environment", "forest", "--size", 32, "--samples", 2)
    assert lsrm_blender(*arguments, "-o", tmp_path / "t", "--turntable", 3).returncode == 0
    assert [p.name for p in sorted((tmp_path / "t" / "forest").iterdir())] == [
        "0000.png", "0001.png", "0002.png",
    ]  # fmt: skip
    done = lsrm_blender(*arguments, "-o", tmp_path / "v", "--from-view", f"{views}:1", "--hidden")
    assert done.returncode == 0, done.stderr
    shown = np.asarray(Image.open(tmp_path / "v" / "forest.png"), np.float64)[..., 3] / 255
    mask = np.asarray(Image.open(read_capture(views).frames[1].mask_path), np.float64) / 255
    assert shown.shape == mask.shape
    assert np.minimum(shown, mask).sum() / np.maximum(shown, mask).sum() > 0.95


def test_the_true_mesh_scores_well(captured, lsrm_blender, tmp_path):
    """The true mesh has an IoU near 1 and a Chamfer distance near 0; a comparison is written."""
    views, result = captured
    picture = tmp_path / "comparison.png"
    done = lsrm_blender("evaluate", views, result, "--write-comparison", picture, "--json")
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert set(scores["views"]) == {"0000", "0001"}
    assert scores["mean"]["iou"] > 0.95
    assert scores["chamfer_x1e3"] < 10.0  # two random samplings of one surface
    assert Image.open(picture).size == (128, 128)


def test_evaluate_needs_test_views(block, lsrm_blender, tmp_path):
    """A capture without held-out views is refused with BAD_CAPTURE."""
    (tmp_path / "views").mkdir()
    done = lsrm_blender("evaluate", tmp_path / "views", block[0], "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "BAD_CAPTURE"


def test_a_result_without_a_mesh_is_refused(lsrm_blender, tmp_path):
    """Importing an empty folder gives BAD_ASSET and writes nothing."""
    done = lsrm_blender("import", tmp_path, "-o", tmp_path / "s.blend", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "BAD_ASSET"
    assert list(tmp_path.iterdir()) == []


def test_the_demo_asset_can_be_captured(lsrm_blender, tmp_path):
    """The toy rocket is built and captured whole, in its own light."""
    rocket, views = tmp_path / "rocket.blend", tmp_path / "views"
    assert lsrm_blender("demo-asset", "-o", rocket).returncode == 0
    own_light = ("--environment", "scene")
    assert lsrm_blender("capture", rocket, "-o", views, *QUICK, *own_light).returncode == 0
    info = read_capture_json(views)
    assert info["source"]["name"] == "Rocket"
    assert info["lighting"] == {"kind": "scene", "world": "Soft day", "lamps": []}
    for frame in read_capture(views).frames:
        mask = np.asarray(Image.open(frame.mask_path))
        assert mask.max() == 255
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0


def test_doctor_finds_a_working_blender(lsrm_blender):
    """On a Blender that passes the other tests, all needed checks of doctor pass."""
    done = lsrm_blender("doctor", "--json")
    assert done.returncode == 0, done.stderr
    findings = json.loads(done.stdout)["findings"]
    assert all(finding["ok"] for finding in findings if finding["needed"])
    assert "✓" in done.stderr


def test_wrong_usage(lsrm_blender):
    """Missing arguments and unknown commands exit with code 2."""
    assert lsrm_blender("convert").returncode == 2
    assert lsrm_blender("capture").returncode == 2
    assert lsrm_blender("no-such-command").returncode == 2
