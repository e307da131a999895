# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures as COLMAP folders: models written as its documentation describes the files."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from backend.shared.cameras import opencv_to_opengl
from backend.shared.capture.colmap_model import CAMERA_MODELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from backend.shared.cameras import Floats

NUMBERS = {name: number for number, (name, _) in enumerate(CAMERA_MODELS)}


@dataclass(frozen=True)
class Camera:
    """A camera of a model.

    Attributes:
        number: its id.
        model: its name.
        size: width and height.
        parameters: in COLMAP's order.
    """

    number: int
    model: str
    size: tuple[int, int]
    parameters: Sequence[float]


@dataclass(frozen=True)
class Image:
    """An image of a model.

    Attributes:
        number: its id.
        name: relative to the folder of the images.
        camera: the id of its camera.
        camera_to_world: [4, 4], OpenGL axes.
    """

    number: int
    name: str
    camera: int
    camera_to_world: Floats

    def pose(self) -> list[float]:
        """Quaternion, scalar first, and translation, from world to camera."""
        world_to_camera = np.linalg.inv(opencv_to_opengl(self.camera_to_world))
        x, y, z, w = Rotation.from_matrix(world_to_camera[:3, :3]).as_quat()
        return [w, x, y, z, *world_to_camera[:3, 3]]


def write_text(
    folder: Path, cameras: Sequence[Camera], images: Sequence[Image], points: str = "\n"
) -> None:
    """Write cameras.txt and images.txt.

    Args:
        folder: of the model.
        cameras: of the model.
        images: of the model.
        points: the second line of every image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Camera list"]
    for camera in cameras:
        values = (camera.number, camera.model, *camera.size, *camera.parameters)
        lines.append(" ".join(str(value) for value in values))
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n", "utf-8")
    text = "# Image list with two lines of data per image\n"
    for image in images:
        numbers = " ".join(repr(float(each)) for each in image.pose())
        text += f"{image.number} {numbers} {image.camera} {image.name}\n{points}"
    (folder / "images.txt").write_text(text, "utf-8")


def write_binary(folder: Path, cameras: Sequence[Camera], images: Sequence[Image]) -> None:
    """Write cameras.bin and images.bin, with two points in every image."""
    folder.mkdir(parents=True, exist_ok=True)
    data = struct.pack("<Q", len(cameras))
    for camera in cameras:
        data += struct.pack("<iiQQ", camera.number, NUMBERS[camera.model], *camera.size)
        data += struct.pack(f"<{len(camera.parameters)}d", *camera.parameters)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(images))
    for image in images:
        data += struct.pack("<i7di", image.number, *image.pose(), image.camera)
        data += image.name.encode() + b"\0" + struct.pack("<Q", 2) + bytes(48)
    (folder / "images.bin").write_bytes(data)
