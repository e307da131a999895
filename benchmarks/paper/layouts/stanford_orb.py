# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of Stanford-ORB: objects that were photographed in several places.

What is expected in the data set's folder; an object in one place is a scene:

- `blender_LDR/SCENE/transforms_train.json`: cameras of the inputs, images in `train/`, masks in
  `train_mask/`.
- `blender_LDR/SCENE/transforms_novel.json`: cameras of the targets in the world of that scene, each
  with its own `camera_angle_x`. Their images are those of the same object in other places:
  `scene_name` is the other scene, `file_path` the image in its folder, its mask in `test_mask/`.
- `blender_HDR/`: the same images in linear light, OpenEXR. Without them PSNR-H is left out.
- `ground_truth/SCENE/env_map/`: for each image of the scene an environment map of its name, in
  Blender's mapping over the axes of its camera (+x right, +y up, looking along -z).
- `ground_truth/SCENE/mesh_blender/mesh.obj`: the true mesh in the world of the scene. Without it
  the Chamfer distance is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.shared.capture.json_files import read_object, write_object
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCapture, BadImage

from .lights import find_panorama, write_turned
from .scene import Scene, Target

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.capture.capture import Frame

DISPLAYED, LINEAR, TRUTH = "blender_LDR", "blender_HDR", "ground_truth"


def read_scene(folder: Path, scratch: Path) -> Scene:
    """A scene, of which the folder in `blender_LDR` is given; lights go to the scratch folder.

    Raises:
        BadCapture: if a description is missing or lacks a value.
        BadImage: if an image, a mask or an environment map is missing or damaged.
        LsrmError: as `read_capture` raises.
    """
    data = folder.parent.parent
    novel = read_object(folder / "transforms_novel.json")
    frames = novel.get("frames")
    if not isinstance(frames, list) or not frames:
        raise BadCapture(f"{folder} has no novel views.", "Download the scene again.")
    novel["frames"] = [_resolved(frame, folder) for frame in frames]
    scratch.mkdir(parents=True, exist_ok=True)
    write_object(scratch / "transforms.json", novel)
    mesh = data / TRUTH / folder.name / "mesh_blender" / "mesh.obj"
    return Scene(
        inputs=read_capture(folder / "transforms_train.json").frames,
        targets=tuple(_target(frame, data, scratch) for frame in read_capture(scratch).frames),
        reference_mesh=mesh if mesh.is_file() else None,
    )


def _resolved(frame: Any, folder: Path) -> dict[str, Any]:
    """A frame of the novel views with the absolute path of its image.

    Raises:
        BadCapture: if it does not name a scene and an image.
    """
    values = frame if isinstance(frame, dict) else {}
    scene, image = values.get("scene_name"), values.get("file_path")
    if not (isinstance(scene, str) and scene and isinstance(image, str) and image):
        raise BadCapture(
            f"A novel view of {folder} has no scene_name or no file_path.",
            "Download the scene again.",
        )
    return {**values, "file_path": str((folder.parent / scene / image).absolute())}


def _target(frame: Frame, data: Path, scratch: Path) -> Target:
    """A novel view with its light and its image in linear light."""
    image = frame.image_path
    scene = image.parent.parent.name
    panorama = find_panorama(data / TRUTH / scene / "env_map", image.stem)
    name = f"{scene}_{image.stem}"
    to_world = frame.camera_to_world[:3, :3]
    light = write_turned(panorama, to_world, scratch / "lights" / f"{name}.hdr")
    radiance = data / LINEAR / scene / image.parent.name / f"{image.stem}.exr"
    if frame.mask_path is None:
        raise BadImage(f"{image} has no mask.", "Download the data set again, with its masks.")
    return Target(frame, str(light.absolute()), radiance if radiance.is_file() else None)
