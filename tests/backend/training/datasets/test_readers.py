# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stored samples, captures and released scenes are read as what they are, or refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from backend.shared.cameras import fibonacci_sphere, intrinsics_from_fov, look_at
from backend.shared.capture.capture import REFERENCE_MESH, Frame
from backend.shared.capture.writer import write_transforms
from backend.shared.dataset_index import IndexEntry, write_index
from backend.shared.errors import BadCapture, BadDataset, BadImage
from backend.training.datasets.captures import sample_of_capture
from backend.training.datasets.damaged import SkipDamaged
from backend.training.datasets.rigs import RigDataset
from backend.training.datasets.shards import StoredDataset, read_sample, write_sample
from tests.backend.training.datasets.test_damaged import plain_sample

if TYPE_CHECKING:
    from pathlib import Path

    from backend.training.datasets.sample import Sample

SIZE = 24
LENS = intrinsics_from_fov(SIZE, SIZE, 0.8)
CENTER, RADIUS = np.array([1.0, -2.0, 0.5]), 2.0


def full_sample(name: str) -> Sample:
    """A sample with all targets, of random numbers."""
    generator = torch.manual_seed(3)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.rand(2, *shape, 4, 6, generator=generator)

    normals = torch.nn.functional.normalize(numbers(3) - 0.5, dim=1)
    return replace(
        plain_sample(name), images=numbers(3), depth=1 + numbers(), normals=normals,
        base_color=numbers(3), roughness=numbers(), metallic=numbers(),
    )  # fmt: skip


def write_dataset(folder: Path, count: int) -> StoredDataset:
    entries = []
    for number in range(count):
        entry = IndexEntry(f"object {number}", f"{number}/sample.safetensors")
        (folder / entry.file).parent.mkdir(parents=True)
        write_sample(folder / entry.file, plain_sample(entry.name))
        entries.append(entry)
    write_index(folder, entries)
    return StoredDataset(folder)


def test_a_stored_sample_comes_back(tmp_path):
    """All tensors are there again, to the precision in which each is stored."""
    sample = full_sample("cup")
    write_sample(tmp_path / "cup.safetensors", sample)
    found = read_sample(tmp_path / "cup.safetensors", "cup").check()
    assert found.name == "cup"
    assert found.tensors().keys() == sample.tensors().keys()
    steps = {"images": 0.51 / 255, "masks": 0.51 / 255, "roughness": 0.51 / 255}
    steps |= {"metallic": 0.51 / 255, "normals": 1e-3, "base_color": 1e-3}
    for name, tensor in sample.tensors().items():
        other = found.tensors()[name]
        assert other.dtype == torch.float32
        assert (tensor - other).abs().max() <= steps.get(name, 0.0), name


def test_a_folder_with_an_index_is_a_data_set(tmp_path):
    """Samples come in the order of their names; a truncated one is passed over."""
    dataset = write_dataset(tmp_path, 101)
    assert len(dataset) == 101
    assert [dataset[index].name for index in (0, 1, 2)] == ["object 0", "object 1", "object 10"]
    file = tmp_path / "1" / "sample.safetensors"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(BadDataset, match="cannot be read"):
        dataset[1]
    good = SkipDamaged(dataset)
    assert good[1].name == "object 10"
    (tmp_path / "10" / "sample.safetensors").unlink()
    with pytest.raises(BadDataset, match="2 of 101"):
        good[2]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"objects": []}', '{"objects": [{"name": "a", "file": "../a"}]}',
     '{"objects": [{"name": "a", "file": "/a"}]}', '{"objects": [{"title": "a"}]}'],
)  # fmt: skip
def test_an_index_that_is_none(tmp_path, text):
    """What no index says is refused, also files outside of the folder."""
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(BadDataset, match="index"):
        StoredDataset(tmp_path)


def test_a_sample_without_cameras_is_damaged(tmp_path):
    """A missing tensor and an unknown one are named."""
    from safetensors.torch import save_file

    tensors = {**plain_sample("a").tensors(), "albedo": torch.zeros(1)}
    del tensors["camera_to_world"]
    save_file({name: each.contiguous() for name, each in tensors.items()}, tmp_path / "a")
    with pytest.raises(BadDataset, match=r"camera_to_world.*albedo"):
        read_sample(tmp_path / "a", "a")


def write_capture(folder: Path) -> list[np.ndarray]:
    """Test views of a ball, of one material, as a capture folder has them; returns the poses."""
    test = folder / "test"
    poses = [look_at(CENTER + 3.0 * RADIUS * each, CENTER) for each in fibonacci_sphere(3)]
    frames = []
    for number, pose in enumerate(poses):
        rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
        x, y = (columns - LENS.cx) / LENS.fx, (LENS.cy - rows) / LENS.fy
        local = np.stack([x, y, -np.ones_like(x)], -1) / np.hypot(np.hypot(x, y), 1)[..., None]
        shown = np.arccos(-local[..., 2]) < math.asin(1.0 / 3.0)
        facing = np.zeros((SIZE, SIZE, 3)) + (pose[:3, 3] - CENTER) / (3.0 * RADIUS)
        name = f"{number:04d}.png"
        store(test / "images" / name, np.dstack([shown * 255, shown * 0, shown * 51, shown * 255]))
        store(test / "masks" / name, shown * 255)
        for channel, values in (("base_color", [0.5, 0.25, 1.0]), ("normal", facing * 0.5 + 0.5)):
            store(test / channel / name, np.rint(shown[..., None] * values * 255))
        store(test / "roughness" / name, shown * 102)
        store(test / "metallic" / name, shown * 255)
        frames.append(Frame(name[:-4], test / "images" / name, test / "masks" / name, LENS, pose))
    write_transforms(test / "transforms.json", frames)
    write_transforms(folder / "transforms.json", frames)
    ball = trimesh.creation.icosphere(4, RADIUS)
    ball.apply_translation(CENTER)
    ball.export(test / REFERENCE_MESH)
    sphere = {"center": CENTER.tolist(), "radius": RADIUS}
    (folder / "capture.json").write_text(json.dumps({"bounding_sphere": sphere}))
    return poses


def store(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def test_a_capture_is_a_sample(tmp_path):
    """Test views of a ball: cameras and depth in the sphere of radius 0.5, passes as stored."""
    poses = write_capture(tmp_path)
    sample = sample_of_capture(tmp_path, "ball")
    assert len(sample) == 3
    scale = 0.5 * 0.99 / RADIUS
    expected = torch.from_numpy(scale * (poses[1][:3, 3] - CENTER)).float()
    assert torch.allclose(sample.camera_to_world[1, :3, 3], expected)
    assert sample.depth is not None
    middle = (slice(None), SIZE // 2, SIZE // 2)
    nearest = scale * 2.0 * RADIUS
    assert sample.depth[middle].tolist() == pytest.approx([nearest] * 3, abs=5e-3)
    assert sample.depth[:, 0, 0].tolist() == [0, 0, 0]
    assert sample.masks[middle].tolist() == [1, 1, 1]
    assert sample.images[1, :, 12, 12].tolist() == pytest.approx([1, 0, 0.2])
    assert sample.images[1, :, 0, 0].tolist() == [1, 1, 1]
    assert sample.base_color[1, :, 12, 12].tolist() == pytest.approx([0.5, 0.25, 1], abs=3e-3)
    assert sample.roughness[1, 12, 12] == pytest.approx(0.4)
    assert sample.metallic[middle].tolist() == [1, 1, 1]
    away = torch.nn.functional.normalize(sample.camera_to_world[:, :3, 3], dim=1)
    assert torch.allclose(sample.normals[:, :, 12, 12], away, atol=0.02)


def test_a_capture_that_lacks_something(tmp_path):
    """A missing pass and a missing mesh are named."""
    write_capture(tmp_path)
    (tmp_path / "test" / REFERENCE_MESH).unlink()
    with pytest.raises(BadCapture, match=REFERENCE_MESH):
        sample_of_capture(tmp_path, "ball")
    write_capture(tmp_path)
    (tmp_path / "test" / "normal" / "0001.png").unlink()
    with pytest.raises(BadImage, match="0001"):
        sample_of_capture(tmp_path, "ball")


def write_rig(folder: Path, *, cropped: bool = False) -> None:
    """A scene of the release: two views of a square around (1, 2, 3), of radius 0.25."""
    poses = [np.eye(4), np.eye(4)]
    for number, pose in enumerate(poses):
        pose[:3, 3] = (1.0, 2.0, 4.0 + number)
        color = np.full((8, 8, 3), 100 + number)
        mask = np.zeros((8, 8))
        mask[2:6, 2:6] = 255
        store(folder / "images" / "rgb" / f"rgb{number:07d}.png", color)
        store(folder / "images" / "rgb" / f"mask{number:07d}.png", mask)
    images = folder / "images"
    intrinsic = {"fov": 90.0, "height": 8, "width": 8}
    rig = {"intrinsic": intrinsic, "to_world": [pose.tolist() for pose in poses]}
    (images / "CameraRig.json").write_text(json.dumps(rig))
    if cropped:
        areas = [{"top": 2, "bottom": 6, "left": 2, "right": 6}] * 2
        (images / "CropArea.json").write_text(json.dumps({"rgb": {"crop_areas": areas}}))
    (folder / "scene").mkdir(exist_ok=True)
    scene = {"object_location": [1.0, 2.0, 3.0]}
    (folder / "scene" / "scene_info.json").write_text(json.dumps(scene))


def test_released_scenes_are_samples(tmp_path):
    """Cameras are around the object, whose radius becomes 0.5; crops have lenses of their own."""
    write_rig(tmp_path / "b")
    write_rig(tmp_path / "a", cropped=True)
    dataset = RigDataset(tmp_path)
    assert len(dataset) == 2
    cropped, whole = dataset[0].check(), dataset[1].check()
    assert (cropped.name, whole.name) == ("a", "b")
    assert whole.camera_to_world[:, 2, 3].tolist() == [2.0, 4.0]
    assert whole.camera_to_world[:, :2, 3].abs().max() == 0
    assert whole.intrinsics[0].tolist() == [4.0, 4.0, 4.0, 4.0]
    assert cropped.intrinsics[0].tolist() == [8.0, 8.0, 4.0, 4.0]
    assert whole.images[1, :, 0, 0].tolist() == pytest.approx([101 / 255] * 3)
    assert whole.masks[0].sum() == 16
    assert whole.depth is None


def test_damaged_scenes_are_refused(tmp_path):
    """A missing camera is a damaged sample; a folder without scenes no data set."""
    write_rig(tmp_path / "a")
    path = tmp_path / "a" / "images" / "CameraRig.json"
    rig = json.loads(path.read_text())
    path.write_text(json.dumps({**rig, "intrinsic": {"fov": 90.0}}))
    with pytest.raises(BadCapture, match=r"width|height"):
        RigDataset(tmp_path)[0]
    with pytest.raises(BadDataset, match=r"CameraRig\.json"):
        RigDataset(tmp_path / "a")
