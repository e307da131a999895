# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny data sets of one shape in each layout that the evaluation reads."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import trimesh
from PIL import Image

from backend.shared.cameras import fibonacci_sphere, intrinsics_from_fov, look_at
from backend.shared.capture.capture import REFERENCE_MESH
from backend.shared.capture.json_files import read_capture_json, write_capture_json
from backend.shared.radiance_hdr import write_hdr
from tests.captures import DISTANCE, FIELD_OF_VIEW, trace, write_analytic_capture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from backend.shared.cameras import Floats

SIZE = 24
LENS = intrinsics_from_fov(SIZE, SIZE, FIELD_OF_VIEW)
CENTER = (0.0, 0.0, 0.0)
BRIGHT = np.array([1.0, 0.0, 0.0])
"""Where the one light of each environment map is, in the axes of the map."""


def poses(count: int, turn: float = 0.0) -> list[Floats]:
    """Cameras around the shape; `turn` moves them along."""
    directions = fibonacci_sphere(count) + np.array([turn, 0.0, 0.0])
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return [look_at(DISTANCE * unit, CENTER) for unit in units]


def write_view(image: Path, mask: Path, pose: Floats) -> None:
    """Write a picture of the shape and its mask."""
    for path, pixels in zip(
        (image, mask), trace("box", LENS, pose, CENTER, textured=True), strict=True
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)


def write_light(path: Path) -> None:
    """Write an environment map that is black but for the direction `BRIGHT`."""
    panorama = np.zeros((16, 32, 3), np.float32)
    panorama[7:9, 15:17] = 5.0  # the middle of the map is +x
    path.parent.mkdir(parents=True, exist_ok=True)
    write_hdr(path, panorama)


def write_mesh(path: Path) -> None:
    """Write the shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.box((0.56, 0.44, 0.68)).export(path)


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), "utf-8")


def captures(data: Path) -> Path:
    """One capture with held-out views, relit by one light."""
    views = write_analytic_capture(data / "box" / "views", views=6, size=SIZE, shape="box")
    test = write_analytic_capture(views / "test", views=3, size=SIZE, shape="box")
    (test / "capture.json").unlink()
    write_mesh(test / REFERENCE_MESH)
    # Under light that is the same from all around, a box shows its colors, as its views do.
    write_hdr(data / "sky.hdr", np.ones((16, 32, 3), np.float32))
    for path in sorted((test / "images").iterdir()):
        relit = test / "relit_sky" / path.name
        relit.parent.mkdir(exist_ok=True)
        Image.open(path).save(relit)
    relit_by = {"relit_sky": str((data / "sky.hdr").absolute())}
    write_capture_json(views, {**read_capture_json(views), "relit": relit_by})
    return data


def rig(data: Path, views: int = 28) -> Path:
    """One scene of the release's renders, an object of radius 0.25 around (1, 2, 3)."""
    location = np.array([1.0, 2.0, 3.0])
    images = data / "box" / "images"
    to_world = []
    for number, pose in enumerate(poses(views)):
        name = f"{number:04d}.png"
        write_view(images / "rgb" / f"rgb{name}", images / "rgb" / f"mask{name}", pose)
        stored = pose.copy()
        stored[:3, 3] = pose[:3, 3] / 2 + location
        to_world.append(stored.tolist())
    intrinsic = {"fov": math.degrees(FIELD_OF_VIEW), "height": SIZE, "width": SIZE}
    write_json(images / "CameraRig.json", {"intrinsic": intrinsic, "to_world": to_world})
    write_json(data / "box" / "scene" / "scene_info.json", {"object_location": location.tolist()})
    return data


def real(data: Path) -> Path:
    """One scene of the release's photographs, with true images of its targets."""
    folder = data / "box"
    for kind, count, turn in (("input", 6, 0.0), ("output", 2, 0.5)):
        frames = []
        for number, pose in enumerate(poses(count, turn)):
            name = f"{number:03d}.png"
            mask = "mask" if kind == "input" else "output_mask"
            write_view(folder / kind / name, folder / mask / name, pose)
            frames.append({"file_path": f"{kind}/{name}", "transform_matrix": pose.tolist()})
            if kind == "output":
                write_light(folder / "env" / f"{number:03d}.hdr")
        document = {"camera_angle_x": FIELD_OF_VIEW, "frames": frames, "scale": 2.0}
        write_json(folder / f"transforms_{kind}.json", document)
    return data


def stanford_orb(data: Path) -> Path:
    """One object in two places, judged in the other one."""
    scenes = {"box_scene001": poses(6), "box_scene002": poses(2, 0.5)}
    for scene, cameras in scenes.items():
        folder = data / "blender_LDR" / scene
        kind = "train" if scene.endswith("1") else "test"
        for number, pose in enumerate(cameras):
            name = f"{number:04d}"
            write_view(folder / kind / f"{name}.png", folder / f"{kind}_mask" / f"{name}.png", pose)
            write_light(data / "ground_truth" / scene / "env_map" / f"{name}.hdr")
    write_mesh(data / "ground_truth" / "box_scene001" / "mesh_blender" / "mesh.obj")
    train = [
        {"file_path": f"train/{number:04d}", "transform_matrix": pose.tolist()}
        for number, pose in enumerate(scenes["box_scene001"])
    ]
    novel = [
        {
            "scene_name": "box_scene002",
            "file_path": f"test/{number:04d}",
            "camera_angle_x": FIELD_OF_VIEW,
            "transform_matrix": pose.tolist(),
        }
        for number, pose in enumerate(scenes["box_scene002"])
    ]
    first = data / "blender_LDR" / "box_scene001"
    write_json(first / "transforms_train.json", {"camera_angle_x": FIELD_OF_VIEW, "frames": train})
    write_json(first / "transforms_novel.json", {"frames": novel})
    return data


def objects_with_lighting(data: Path) -> Path:
    """One object with cameras as text."""
    test = data / "box" / "test"
    for folder, prefix, cameras in ((test / "inputs", "", poses(6)), (test, "gt_", poses(2, 0.5))):
        for number, pose in enumerate(cameras):
            name = f"{number:04d}"
            image, mask = (folder / f"{prefix}{kind}_{name}.png" for kind in ("image", "mask"))
            write_view(image, mask, pose)
            (folder / f"{prefix}camera_{name}.txt").write_text(_camera_text(pose), "utf-8")
            if prefix:
                to_env = "\n".join(" ".join(map(str, row)) for row in pose[:3, :3].T.tolist())
                (folder / f"gt_world_to_env_{name}.txt").write_text(to_env, "utf-8")
    write_light(test / "env.hdr")
    return data


def _camera_text(pose: Floats) -> str:
    """K, R and t of a pose with OpenGL axes, and the size of the image, in eight lines."""
    rotation = (pose[:3, :3] * (1.0, -1.0, -1.0)).T
    lens = [[LENS.fx, 0.0, LENS.cx], [0.0, LENS.fy, LENS.cy], [0.0, 0.0, 1.0]]
    rows = [*lens, *rotation.tolist(), (-rotation @ pose[:3, 3]).tolist(), [SIZE, SIZE, 3]]
    return "\n".join(" ".join(map(str, row)) for row in rows)


DATA_SETS: dict[str, Callable[[Path], Path]] = {
    "captures": captures,
    "relit-captures": captures,
    "rig": rig,
    "real": real,
    "stanford-orb": stanford_orb,
    "objects-with-lighting": objects_with_lighting,
}
"""What writes a data set, by the name of its layout."""
