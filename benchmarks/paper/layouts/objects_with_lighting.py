# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of Objects With Lighting: objects in one place, judged in others.

What is expected of an object's folder:

- `test/inputs/image_NNNN.png` and `camera_NNNN.txt` of the inputs, with `mask_NNNN.png` where there
  are masks; `reconstruct` makes those that are missing.
- `test/gt_image_NNNN.png`, `gt_mask_NNNN.png` and `gt_camera_NNNN.txt` of the targets, in the same
  world; `gt_world_to_env_NNNN.txt`, [3, 3] or [4, 4], from the world to the axes of the environment
  map; and that, `gt_env_NNNN.hdr`, or `env.hdr` for all of them, in Blender's mapping.

The text of a camera is eight lines: three of the matrix K in pixels (center of the first pixel at
0.5), three of the rotation R and one of the translation t from world to camera, with OpenCV's axes,
and last width, height and channels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from backend.shared.cameras import (
    Intrinsics,
    check_camera_to_world,
    check_intrinsics,
    opencv_to_opengl,
)
from backend.shared.capture.capture import Frame
from backend.shared.errors import BadCapture, BadImage

from .lights import write_turned
from .scene import Scene, Target

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.cameras import Floats

IMAGE = re.compile(r"(?:gt_)?image_(\d+)\.png")
CAMERA_NUMBERS = 3 * 3 + 3 * 3 + 3 + 3


def read_scene(folder: Path, scratch: Path) -> Scene:
    """An object; its lights are written to the scratch folder.

    Raises:
        BadCapture: if a camera is missing or cannot be read, or there are no images.
        BadImage: if a mask of a target or an environment map is missing or damaged.
        BadCamera: if a pose or lens is impossible.
    """
    test = folder / "test"
    inputs = [_frame(test / "inputs", "", number) for number in _numbers(test / "inputs", "")]
    targets = [_target(test, number, scratch) for number in _numbers(test, "gt_")]
    return Scene(tuple(inputs), tuple(targets))


def _numbers(folder: Path, prefix: str) -> list[str]:
    """The numbers of the images in a folder.

    Raises:
        BadCapture: if there are none.
    """
    found = (IMAGE.fullmatch(path.name) for path in folder.glob(f"{prefix}image_*.png"))
    numbers = sorted(match[1] for match in found if match)
    if not numbers:
        raise BadCapture(
            f"{folder} has no {prefix}image_0000.png or the like.", "Download the object again."
        )
    return numbers


def _target(test: Path, number: str, scratch: Path) -> Target:
    """A target with its light."""
    frame = _frame(test, "gt_", number)
    if frame.mask_path is None:
        raise BadImage(f"{frame.image_path} has no mask.", "Download the object again.")
    own, shared = test / f"gt_env_{number}.hdr", test / "env.hdr"
    panorama = own if own.is_file() else shared
    if not panorama.is_file():
        raise BadImage(
            f"{test} has neither {own.name} nor {shared.name}.", "Download the object again."
        )
    to_env = _numbers_in(test / f"gt_world_to_env_{number}.txt")
    side = {9: 3, 16: 4}.get(to_env.size)
    if side is None:
        raise BadCapture(
            f"{test / f'gt_world_to_env_{number}.txt'} has {to_env.size} numbers.",
            "A rotation has 9, a pose 16.",
        )
    to_world = np.eye(4)
    to_world[:3, :3] = to_env.reshape(side, side)[:3, :3].T
    rotation = check_camera_to_world(to_world.tolist(), f"{panorama.name} {number}")[:3, :3]
    light = write_turned(panorama, rotation, scratch / "lights" / f"{number}.hdr")
    return Target(frame, str(light.absolute()))


def _frame(folder: Path, prefix: str, number: str) -> Frame:
    """An image with its camera, and its mask if there is one."""
    image = folder / f"{prefix}image_{number}.png"
    mask = folder / f"{prefix}mask_{number}.png"
    text = folder / f"{prefix}camera_{number}.txt"
    values = _numbers_in(text)
    if values.size != CAMERA_NUMBERS:
        raise BadCapture(
            f"{text} has {values.size} numbers instead of {CAMERA_NUMBERS}.",
            "It needs K, R, t, and the size of the image.",
        )
    lens, rotation = values[:9].reshape(3, 3), values[9:18].reshape(3, 3)
    width, height = int(values[21]), int(values[22])
    intrinsics = Intrinsics(width, height, lens[0, 0], lens[1, 1], lens[0, 2], lens[1, 2])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ values[18:21]
    return Frame(
        name=f"{prefix}{number}",
        image_path=image,
        mask_path=mask if mask.is_file() else None,
        intrinsics=check_intrinsics(intrinsics, image.name),
        camera_to_world=check_camera_to_world(opencv_to_opengl(pose).tolist(), image.name),
    )


def _numbers_in(path: Path) -> Floats:
    """All numbers of a text file.

    Raises:
        BadCapture: if it is missing, or holds anything else.
    """
    try:
        return np.array(path.read_text("utf-8").split(), np.float64)
    except (OSError, ValueError) as error:
        raise BadCapture(f"{path} cannot be read: {error}.", "Download it again.") from error
