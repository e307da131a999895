# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each layout is read as what it is, from a tiny data set, or refused for what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from backend.materials.environment_map import pixel_directions
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCapture, BadDataset, BadImage
from backend.shared.radiance_hdr import read_hdr
from backend.views.views import load_views, read_view
from benchmarks.paper.layouts.known import LAYOUTS
from benchmarks.paper.layouts.scene import write_inputs, write_targets
from tests.benchmarks.paper import tiny_data
from tests.benchmarks.paper.tiny_data import BRIGHT, DATA_SETS, LENS
from tests.captures import DISTANCE, trace

COUNTS = {
    "captures": (6, 3),
    "relit-captures": (6, 3),
    "rig": (16, 12),
    "real": (6, 2),
    "stanford-orb": (6, 2),
    "objects-with-lighting": (6, 2),
}
UNLIT = ("captures", "rig")


@pytest.fixture
def read(tmp_path):
    """A function that writes a data set, changes it, and reads its first object."""

    def run(name, change=lambda folder: None):
        data = DATA_SETS[name](tmp_path / name)
        folder = next(iter(LAYOUTS[name].find_objects(data).values()))
        change(folder)
        return LAYOUTS[name].read(folder, tmp_path / "scratch")

    return run


@pytest.mark.parametrize("name", COUNTS)
def test_every_layout_shows_the_object_from_its_cameras(read, name):
    """The images are those that the cameras see; all that `reconstruct` needs is there."""
    scene = read(name)
    assert (len(scene.inputs), len(scene.targets)) == COUNTS[name]
    for frame in (scene.inputs[1], scene.targets[1].frame):
        view = read_view(frame)
        image, mask = trace("box", LENS, frame.camera_to_world, (0, 0, 0), textured=True)
        assert np.linalg.norm(frame.camera_to_world[:3, 3]) == pytest.approx(DISTANCE)
        assert frame.intrinsics.fx == pytest.approx(LENS.fx)
        assert np.abs(view.mask - mask).max() < 0.01  # stored in 8 bits
        assert np.abs(view.image - image).max() < 0.01
    assert all(bool(target.light) != (name in UNLIT) for target in scene.targets)


@pytest.mark.parametrize("name", COUNTS)
def test_chosen_views_are_a_capture(read, name, tmp_path):
    """Fewer inputs are those that the layout takes first, and are loaded with all checks."""
    scene = read(name)
    few = LAYOUTS[name].choose(scene.inputs, 4)
    assert len(few) == 4
    if LAYOUTS[name].in_order:
        assert few == list(scene.inputs[:4])
    write_inputs(few, scene.origin, tmp_path / "views")
    assert len(load_views(read_capture(tmp_path / "views")).views) == 4
    assert len(LAYOUTS[name].choose(scene.inputs, 40)) == COUNTS[name][0]


@pytest.mark.parametrize("name", [name for name in COUNTS if name not in UNLIT])
def test_targets_keep_their_lights(read, name, tmp_path):
    """The lights are named by the views that `render-views` reads from the folder."""
    targets = read(name).targets
    assert len({target.frame.name for target in targets}) == len(targets)
    write_targets(targets, tmp_path / "targets")
    lights = json.loads((tmp_path / "targets" / "lights.json").read_text("utf-8"))
    frames = read_capture(tmp_path / "targets").frames
    assert [lights[frame.name] for frame in frames] == [target.light for target in targets]
    assert [frame.image_path.resolve() for frame in frames] == [
        target.frame.image_path.resolve() for target in targets
    ]


@pytest.mark.parametrize("name", ["real", "stanford-orb", "objects-with-lighting"])
def test_lights_are_turned_into_the_world(read, name):
    """The bright spot of the map is where the axes of the map point, to a pixel of 11 degrees.

    In all three data sets these axes are those of the camera.
    """
    for target in read(name).targets:
        light = read_hdr(Path(target.light)).sum(axis=2)
        directions, _ = pixel_directions(*light.shape)
        center = (directions * light[..., None]).sum(axis=(0, 1))
        expected = target.frame.camera_to_world[:3, :3] @ BRIGHT
        cosine = center @ expected / np.linalg.norm(center)
        assert cosine > np.cos(np.radians(6))


def test_the_true_mesh_of_stanford_orb(read):
    """It is found where it is, and its absence is no error."""
    assert read("stanford-orb").reference_mesh.name == "mesh.obj"
    assert read("real").reference_mesh is None


def test_images_in_linear_light_of_stanford_orb(read):
    """They are those of the scene that a target is from."""

    def put(folder):
        other = folder.parents[1] / "blender_HDR" / "box_scene002" / "test"
        other.mkdir(parents=True)
        (other / "0001.exr").touch()

    targets = read("stanford-orb", put).targets
    assert targets[0].radiance is None
    assert targets[1].radiance.parts[-3:] == ("box_scene002", "test", "0001.exr")


def rename_scene(folder):
    path = folder / "transforms_novel.json"
    document = json.loads(path.read_text("utf-8"))
    del document["frames"][0]["scene_name"]
    path.write_text(json.dumps(document), "utf-8")


def forget_light(folder):
    path = folder / "views" / "capture.json"
    path.write_text(path.read_text("utf-8").replace("sky.hdr", "moon.hdr"), "utf-8")


def remove(*parts):
    """What removes a file or a folder of an object."""

    def change(folder):
        path = folder.joinpath(*parts)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return change


def shorten(folder):
    path = folder / "test" / "inputs" / "camera_0002.txt"
    path.write_text(path.read_text("utf-8").rpartition("\n")[0], "utf-8")


@pytest.mark.parametrize(
    ("name", "change", "error", "named"),
    [
        ("captures", remove("views", "transforms.json"), BadCapture, "no capture"),
        ("captures", remove("views", "test"), BadCapture, "no held-out views"),
        ("relit-captures", remove("views", "capture.json"), BadCapture, "not relit"),
        ("relit-captures", forget_light, BadCapture, "moon.hdr"),
        ("rig", remove("images", "CameraRig.json"), BadCapture, "CameraRig"),
        ("real", remove("env", "001.hdr"), BadImage, "001"),
        ("real", remove("output", "001.png"), BadImage, "001"),
        ("stanford-orb", rename_scene, BadCapture, "scene_name"),
        ("stanford-orb", remove("train", "0003.png"), BadImage, "0003"),
        ("stanford-orb", remove("..", "box_scene002", "test_mask"), BadImage, "no mask"),
        ("objects-with-lighting", shorten, BadCapture, "21 numbers"),
        ("objects-with-lighting", remove("test", "env.hdr"), BadImage, "env.hdr"),
        ("objects-with-lighting", remove("test", "gt_mask_0001.png"), BadImage, "no mask"),
        ("objects-with-lighting", remove("test", "inputs"), BadCapture, "image_0000.png"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(read, name, change, error, named):
    with pytest.raises(error, match=named):
        read(name, change)


def test_too_few_views_of_a_rig(tmp_path):
    data = tiny_data.rig(tmp_path / "data", views=20)
    with pytest.raises(BadCapture, match="20 views"):
        LAYOUTS["rig"].read(data / "box", tmp_path / "scratch")


def test_every_folder_is_an_object(tmp_path):
    """Also an empty one: it is damaged, and not forgotten. Files and hidden folders are none."""
    for name in ("b", "a", ".cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    assert list(LAYOUTS["captures"].find_objects(tmp_path)) == ["a", "b"]
    with pytest.raises(BadDataset, match="blender_LDR"):
        LAYOUTS["stanford-orb"].find_objects(tmp_path)
