# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole path: views in, result folder out; bad input is reported, previous results kept."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from backend.commands.command_line import main
from backend.mesh import surfaces
from backend.mesh.surfaces import HullSurface
from backend.mesh.view_geometry import Camera, render_geometry
from backend.pipeline import normalize_scene, reconstruct
from backend.request import ReconstructRequest
from backend.result import files as result_files
from backend.result.scores import read_mesh
from backend.shared.cameras import fibonacci_sphere, gltf_to_world, look_at
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.errors import Cancelled, DiskFull, LsrmError, NoSurface
from backend.shared.progress import Progress
from backend.views.selection import MAX_IMAGE_SIZE
from backend.views.views import load_views, read_view
from backend.views.visual_hull import VisualHull

VIEWS = 12
SIZE = 96
STAGES = ("views", "hull", "mesh", "materials", "texture", "write")
LEFT_OUT = {"dense stage", "selection", "routing", "sparse stage", "stereo", "refine"}
FILES = {
    "coverage.png",
    "log.txt",
    "mesh.glb",
    "preview.png",
    "report.json",
    "textures/base_color.png",
    "textures/metallic_roughness.png",
}


@pytest.fixture(scope="module")
def capture(tmp_path_factory, make_capture):
    """Views of an arch; do not write to it."""
    folder = tmp_path_factory.mktemp("pipeline") / "views"
    return make_capture(folder, VIEWS, SIZE, "arch", center=(3.0, -2.0, 1.0))


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Small surfaces, so that these tests are quick."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 96)


def run(views, output, progress=None, **options):
    """Reconstruct at small sizes."""
    sizes = {"texture_size": "256", "faces": 5000, "device": "cpu", "refine": "off"}
    return reconstruct(
        ReconstructRequest(views, output, **(sizes | options)), progress or Progress()
    )


@pytest.fixture(scope="module")
def result(capture, tmp_path_factory):
    """The result folder of the capture, at the resolution that artists get, and its report."""
    folder = tmp_path_factory.mktemp("result") / "out"
    return folder, run(capture, folder)


def files(folder):
    """The content of all files under a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def world_vertices(folder):
    """The vertices `[n, 3]` of a result in the axes of the capture."""
    return gltf_to_world(trimesh.load_mesh(folder / "mesh.glb", process=False).vertices)


def test_result_folder_is_complete(result):
    """All files are there that the design promises, and the pictures can be opened."""
    folder, _ = result
    assert set(files(folder)) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    for name in ("base_color", "metallic_roughness"):
        image = Image.open(folder / "textures" / f"{name}.png")
        assert image.mode == "RGB"
    assert Image.open(folder / "textures" / "base_color.png").size == (256, 256)
    preview = Image.open(folder / "preview.png")
    assert (preview.mode, preview.size) == ("RGBA", (SIZE, SIZE))


def test_report(result, capture):
    """The report on disk names every stage in order, with seconds, and why others were left out."""
    folder, report = result
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert document == json.loads(json.dumps(report.to_dict()))
    stages = {stage["name"]: stage for stage in document["stages"]}
    assert [name for name in stages if name not in LEFT_OUT] == list(STAGES)
    assert set(stages) >= LEFT_OUT
    assert all(stages[name]["seconds"] > 0 for name in STAGES)
    assert all(stages[name]["seconds"] == 0 and stages[name]["note"] for name in LEFT_OUT)
    assert "light of the views is not known" in stages["materials"]["note"]
    memory = [stage["peak_memory_mb"] for stage in document["stages"]]
    assert memory == sorted(memory)
    assert document["seconds"] == pytest.approx(sum(s["seconds"] for s in stages.values()))
    assert document["request"]["views"] == str(capture)
    assert document["checkpoint"]["name"] == "none"
    assert document["counts"]["views"] == VIEWS
    assert document["counts"]["view_pixels"] == VIEWS * SIZE**2
    assert document["counts"]["faces"] <= 5000
    assert document["versions"].keys() >= {"python", "torch", "numpy"}
    assert document["warnings"] == []


def test_log(result):
    """The log says when each stage was over."""
    log = (result[0] / "log.txt").read_text(encoding="utf-8")
    assert all(f"{stage}: " in log for stage in STAGES)


def test_result_fits_its_views(result):
    """Seen from the input views the result covers what the masks cover, in about their colors."""
    metrics = result[1].metrics
    # An outline off by a fifth of a pixel, for an arch with bars of 11 pixels thick.
    assert metrics["iou"] >= 0.96
    assert metrics["psnr"] >= 25


def test_glb_is_valid(result, validate_glb):
    """The Khronos validator finds no error, one mesh and one material."""
    report = validate_glb(result[0] / "mesh.glb")
    assert report["issues"]["numErrors"] == 0, report["issues"]["messages"]
    assert report["info"]["materialCount"] == 1
    assert report["info"]["drawCallCount"] == 1
    assert report["info"]["totalTriangleCount"] == result[1].counts["faces"]
    assert report["info"]["hasTextures"]


def test_glb_material(result):
    """One mesh, one material of factors 1: the textures alone are what an artist sees."""
    content = (result[0] / "mesh.glb").read_bytes()
    length = int.from_bytes(content[12:16], "little")
    document = json.loads(content[20 : 20 + length])
    assert len(document["meshes"]) == len(document["materials"]) == 1
    assert set(document["meshes"][0]["primitives"][0]["attributes"]) == {
        "POSITION",
        "NORMAL",
        "TEXCOORD_0",
    }
    surface = document["materials"][0]["pbrMetallicRoughness"]
    assert {"baseColorTexture", "metallicRoughnessTexture"} <= set(surface)
    assert surface.get("metallicFactor", 1) == surface.get("roughnessFactor", 1) == 1
    assert surface.get("baseColorFactor", [1, 1, 1, 1]) == [1, 1, 1, 1]
    name = result[1].name
    assert "LSRM" not in name
    assert [each["name"] for each in document["images"]] == [
        f"{name} base color", f"{name} metallic roughness",
    ]  # fmt: skip
    parts = (document["meshes"], document["materials"])
    assert [part[0]["name"] for part in parts] == [name, name]
    assert name in [node.get("name") for node in document["nodes"]]


def test_mesh_stands_in_the_world_of_the_capture(result):
    """The arch is where the views show it: around its true corners, and open in the middle."""
    vertices = world_vertices(result[0]) - [3.0, -2.0, 1.0]
    low, high = np.array([-0.32, -0.12, -0.35]), np.array([0.32, 0.12, 0.36])
    # A hull holds the object, to a pixel of 1.5 / 132 units; flat sides bulge where no view is
    # along them, by less than a tenth of the object here.
    assert (vertices.min(axis=0) <= low + 0.012).all()
    assert (vertices.max(axis=0) >= high - 0.012).all()
    assert (vertices.min(axis=0) >= low - 0.06).all()
    assert (vertices.max(axis=0) <= high + 0.06).all()
    from_the_opening = np.linalg.norm(vertices[:, [0, 2]] - [0, -0.1], axis=1)
    assert from_the_opening.min() >= 0.16 - 0.03


def move_capture(folder, scale, offset):
    """Scale the world of a capture around its origin, then move it."""
    for name, change in (("transforms.json", _move_frames), ("capture.json", _move_sphere)):
        document = json.loads((folder / name).read_text())
        change(document, scale, np.array(offset))
        (folder / name).write_text(json.dumps(document))


def _move_frames(document, scale, offset):
    for frame in document["frames"]:
        pose = np.array(frame["transform_matrix"])
        pose[:3, 3] = scale * pose[:3, 3] + offset
        frame["transform_matrix"] = pose.tolist()


def _move_sphere(document, scale, offset):
    sphere = document["bounding_sphere"]
    sphere["center"] = (scale * np.array(sphere["center"]) + offset).tolist()
    sphere["radius"] *= scale


@pytest.mark.parametrize(("scale", "offset"), [(100.0, (500, 0, -90)), (1e-3, (0, 0.004, 0))])
def test_place_and_scale_of_the_world_are_free(capture, tmp_path, monkeypatch, scale, offset):
    """The same capture elsewhere and in other units gives the same mesh there."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 48)
    moved = shutil.copytree(capture, tmp_path / "views")
    move_capture(moved, scale, offset)
    # All faces are kept: which edges go first may depend on the last bit.
    run(capture, tmp_path / "here", faces=10**6)
    run(moved, tmp_path / "there", faces=10**6)
    here = scale * world_vertices(tmp_path / "here") + offset
    there = world_vertices(tmp_path / "there")
    tolerance = 1e-4 * scale
    assert cKDTree(here).query(there)[0].max() <= tolerance
    assert cKDTree(there).query(here)[0].max() <= tolerance


def test_levels_of_detail(capture, tmp_path, monkeypatch, validate_glb):
    """Each level is a file with a normal map; what is finer than the mesh is left out."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 48)
    report = run(capture, tmp_path / "out", faces=10**6, lods=(10**5, 500)).to_dict()
    finest, coarse = report["levels"]
    assert finest == {"file": "mesh.glb", "target": 10**6, "faces": report["counts"]["faces"]}
    assert coarse["file"] == "mesh_500.glb"
    assert 400 < coarse["faces"] <= 500
    assert "100000" in report["warnings"][0]
    assert set(report["files"]) == FILES | {"mesh_500.glb"} == set(files(tmp_path / "out"))
    found = validate_glb(tmp_path / "out" / "mesh_500.glb")
    assert found["issues"]["numErrors"] == 0, found["issues"]["messages"]
    textures = trimesh.load_mesh(tmp_path / "out" / "mesh_500.glb").visual.material
    assert textures.normalTexture.size == textures.baseColorTexture.size == (256, 256)
    run(capture, tmp_path / "out", faces=500)
    assert set(files(tmp_path / "out")) == FILES


def test_without_bounding_sphere(capture, tmp_path):
    """A capture that does not say where the object is gives the same object."""
    views = shutil.copytree(capture, tmp_path / "views")
    (views / "capture.json").unlink()
    report = run(views, tmp_path / "out")
    assert report.metrics["iou"] >= 0.95


# Bad input: how to spoil a copy of the capture, and its error code.


def edit_frames(folder, change):
    path = folder / "transforms.json"
    document = json.loads(path.read_text())
    document["frames"] = change(document["frames"])
    path.write_text(json.dumps(document))


def repose(folder, change):
    """Apply a function of pose `[4, 4]` and number to all poses."""

    def change_all(frames):
        for number, frame in enumerate(frames):
            pose = change(np.array(frame["transform_matrix"]), number)
            frame["transform_matrix"] = pose.tolist()
        return frames

    edit_frames(folder, change_all)


def remask(folder, change):
    for path in (folder / "masks").iterdir():
        Image.fromarray(change(np.asarray(Image.open(path)))).save(path)


def resize_image(folder):
    Image.new("RGB", (50, 40)).save(folder / "images" / "0003.png")


def truncate_image(folder):
    path = folder / "images" / "0003.png"
    path.write_bytes(path.read_bytes()[:-300])


def look_past(folder):
    repose(folder, lambda pose, _: look_at(pose[:3, 3], pose[:3, 3] + pose[:3, 0]))


def stand_together(folder):
    directions = fibonacci_sphere(VIEWS)
    repose(folder, lambda _, number: look_at((9, 9, 9), directions[number] + 9))


BAD_INPUT = {
    "no capture": (shutil.rmtree, "BAD_CAPTURE"),
    "no views": (lambda folder: edit_frames(folder, lambda frames: []), "TOO_FEW_VIEWS"),
    "one view": (lambda folder: edit_frames(folder, lambda frames: frames[:1]), "TOO_FEW_VIEWS"),
    "no rotation": (lambda folder: repose(folder, lambda pose, _: 1.3 * pose), "BAD_CAMERA"),
    "NaN": (lambda folder: repose(folder, lambda pose, _: pose + np.nan), "BAD_CAMERA"),
    "another size": (resize_image, "BAD_IMAGE"),
    "missing": (lambda folder: (folder / "images" / "0003.png").unlink(), "BAD_IMAGE"),
    "truncated": (truncate_image, "BAD_IMAGE"),
    "no image": (lambda folder: (folder / "images" / "0003.png").write_text("no"), "BAD_IMAGE"),
    "empty masks": (lambda folder: remask(folder, np.zeros_like), "EMPTY_MASK"),
    "masks everywhere": (
        lambda folder: remask(folder, lambda mask: np.full_like(mask, 255)),
        "EMPTY_MASK",
    ),
    "outside the frame": (look_past, "OBJECT_OUT_OF_FRAME"),
    "one viewpoint": (stand_together, "TOO_FEW_VIEWS"),
}


@pytest.fixture
def previous(tmp_path):
    """A result of an earlier job: any files do."""
    folder = tmp_path / "out"
    (folder / "textures").mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    return folder


def check_untouched(previous):
    """The previous result is what it was, and nothing of the failed job lies beside it."""
    assert files(previous) == {name: name.encode() for name in FILES}
    assert [path.name for path in previous.parent.iterdir() if path.name != "views"] == ["out"]


@pytest.fixture
def copy(capture, tmp_path):
    """A copy of the capture, to be spoilt."""
    return shutil.copytree(capture, tmp_path / "views")


@pytest.mark.parametrize(("spoil", "code"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input(copy, previous, spoil, code):
    """Each bad input has its code and a remedy, and costs nothing of the previous result."""
    spoil(copy)
    with pytest.raises(LsrmError) as caught:
        run(copy, previous)
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.remedy
    check_untouched(previous)


def test_bad_input_on_the_command_line(copy, previous, capsys):
    """A program that calls the command gets exit code 1 and the error as JSON."""
    truncate_image(copy)
    assert main(["reconstruct", str(copy), "-o", str(previous), "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "BAD_IMAGE"
    assert "0003" in error["message"]
    check_untouched(previous)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"checkpoint": "lsrm-rgb-of-tomorrow"}, "CHECKPOINT_MISSING"),
        ({"device": "tpu"}, "DEVICE_UNAVAILABLE"),
        ({"device": "meta"}, "DEVICE_UNAVAILABLE"),
        ({"device": f"cuda:{torch.cuda.device_count()}"}, "DEVICE_UNAVAILABLE"),
        ({"device": f"cpu:0,{os.cpu_count()}"}, "DEVICE_UNAVAILABLE"),
    ],
)
def test_what_this_computer_lacks(capture, previous, options, code):
    """An unknown checkpoint or device is reported before any work."""
    with pytest.raises(LsrmError) as caught:
        run(capture, previous, **options)
    assert caught.value.code == code
    check_untouched(previous)


def test_output_that_cannot_be_written(capture):
    """A folder that cannot be written is reported before any work."""
    with pytest.raises(LsrmError) as caught:
        run(capture, Path("/proc/lsrm/out"))
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"


def test_disk_that_fills_up(capture, previous, monkeypatch):
    """A full disk while the mesh is written is reported; the previous result stays intact."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(result_files, "write_glb", full)
    with pytest.raises(DiskFull):
        run(capture, previous)
    check_untouched(previous)


@pytest.mark.parametrize("kilobytes", [32, 200, 300])
def test_small_disk(capture, previous, mount, kilobytes):
    """A disk that fills up while mesh, textures or preview are written keeps its old result."""
    disk = mount(f"size={kilobytes}k")
    shutil.copytree(previous, disk / "out")
    with pytest.raises(DiskFull):
        run(capture, disk / "out", faces=3000, texture_size="512")
    check_untouched(disk / "out")


@pytest.mark.parametrize("stage", STAGES)
def test_cancel_at_every_stage(capture, previous, stage):
    """A job cancelled in any stage ends there, and the previous result is what it was."""
    reports = []

    def listen(name, fraction, message):
        reports.append(name)
        if name == stage:
            progress.cancel()

    progress = Progress(listen)
    with pytest.raises(Cancelled):
        run(capture, previous, progress)
    assert reports[-1] == stage
    check_untouched(previous)


def test_progress_of_every_stage(capture, tmp_path):
    """Each stage is announced, grows and ends at 1, one after the other."""
    reports = []
    run(capture, tmp_path / "out", Progress(lambda name, share, _: reports.append((name, share))))
    assert list(dict.fromkeys(name for name, _ in reports)) == list(STAGES)
    for stage in STAGES:
        shares = [share for name, share in reports if name == stage]
        assert (shares[0], shares[-1]) == (0, 1)
        assert shares == sorted(shares)


def test_no_surface(capture, previous, monkeypatch):
    """Silhouettes without a common volume are reported, with the previous result intact."""

    def nothing(*_):
        return lambda points: torch.ones_like(points[:, 0])

    monkeypatch.setattr(VisualHull, "signed_distance", property(nothing))
    with pytest.raises(NoSurface):
        run(capture, previous)
    check_untouched(previous)


def test_photographs_of_a_tankard(shared, tmp_path):
    """24 of 69 photographs, 30 of which cut the object, give the silhouettes of the other 45."""
    frames = read_capture(shared / "data" / "captures" / "maryrose_tankard").frames
    used = set(np.linspace(0, 68, 24).round().astype(int).tolist())
    write_transforms(tmp_path / "transforms.json", [frames[number] for number in sorted(used)])
    views = load_views(read_capture(tmp_path / "transforms.json"), max_size=MAX_IMAGE_SIZE)
    normalization = normalize_scene(views)
    hull = VisualHull.from_views(views.views, normalization, torch.device("cpu"))
    mesh = HullSurface(hull).extract_mesh(20_000, Progress())
    common = either = 0
    for frame in (frame for number, frame in enumerate(frames) if number not in used):
        view = read_view(frame, max_size=256)
        pose = normalization.apply_to_pose(view.camera_to_world)
        camera = Camera.from_pose(view.intrinsics, pose, torch.device("cpu"))
        covered, true = render_geometry(mesh, camera).covered.numpy(), view.mask >= 0.5
        common += (covered & true).sum()
        either += (covered | true).sum()
    assert common / either >= 0.94


def test_y_up_views_give_an_upright_result(capture, tmp_path):
    """A capture of a +y up world gives the mesh of the +z up one; scores use its own world."""
    views = shutil.copytree(capture, tmp_path / "views")
    (views / "capture.json").unlink()
    path = views / "transforms.json"
    document = json.loads(path.read_text())
    y_up = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    for frame in document["frames"]:
        frame["transform_matrix"] = (y_up @ frame["transform_matrix"]).tolist()
    path.write_text(json.dumps(document))
    results = {}
    for up in ("z", "y", "auto"):
        report = run(views, tmp_path / up, up=up, faces=1000)
        results[up] = world_vertices(tmp_path / up)
        in_capture = read_mesh(tmp_path / up / "mesh.glb").vertices
        np.testing.assert_allclose(in_capture, results["z"], atol=1e-5)
        assert report.up["source"] == ("cameras" if up == "auto" else "stated")
        assert any("--up z" in warning for warning in report.warnings) == (up == "auto")
    np.testing.assert_array_equal(results["auto"], results["y"])
    x, y, z = results["z"].T
    np.testing.assert_allclose(results["y"], np.stack([x, -z, y], axis=1), atol=1e-5)
