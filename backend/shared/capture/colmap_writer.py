# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the cameras of a capture as a text model of COLMAP, as `colmap_model` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..atomic_folder import write_file_atomically
from ..errors import BadImage
from .colmap_model import CAMERA_MODELS
from .colmap_poses import camera_to_world_to_colmap
from .lens_keys import lens_values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .capture import Frame
    from .lens_keys import Values

IMAGES = "images"
"""The folder of the images, beside that of the model."""

MODEL = "sparse/0"
"""The folder of the model, where COLMAP and what reads its models look for it."""


def write_colmap_model(folder: Path, frames: Sequence[Frame]) -> None:
    """Write `cameras.txt`, `images.txt` and a `points3D.txt` without points.

    Numbers have full precision. Views with the same lens share a camera. A pose is written as a
    quaternion: a matrix that is a rotation up to rounding becomes that rotation.

    Args:
        folder: that gets the model.
        frames: their images lie in `images` of the folder.

    Raises:
        BadImage: if the name of an image has blanks: COLMAP reads it up to the first one.
        OSError: if the folder cannot be written.
    """
    cameras: dict[str, int] = {}
    images = []
    for number, frame in enumerate(frames, start=1):
        camera = cameras.setdefault(_camera(frame), len(cameras) + 1)
        rotation, translation = camera_to_world_to_colmap(frame.camera_to_world)
        pose = " ".join(repr(float(value)) for value in (*rotation, *translation))
        # The second line of an image is that of its points.
        images += [f"{number} {pose} {camera} {_name(frame, folder)}", ""]
    model = folder / MODEL
    model.mkdir(parents=True, exist_ok=True)
    lines = {
        "cameras.txt": [
            "# CAMERA_ID MODEL WIDTH HEIGHT PARAMS…",
            *(f"{number} {camera}" for camera, number in cameras.items()),
        ],
        "images.txt": ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, and its points", *images],
        "points3D.txt": ["# No points: the cameras were not found by structure from motion."],
    }
    for name, text in lines.items():
        write_file_atomically(model / name, ("\n".join(text) + "\n").encode())


def _camera(frame: Frame) -> str:
    """The lens of a frame as a line of cameras.txt, without its number."""
    lens = frame.intrinsics_on_disk
    values: Values = {"fl_x": lens.fx, "fl_y": lens.fy, "cx": lens.cx, "cy": lens.cy}
    if frame.lens is not None:
        values |= lens_values(frame.lens.distortion)
    model = values.get("camera_model", "PINHOLE")
    numbers = (float(values.get(key, 0.0)) for key in dict(CAMERA_MODELS)[model])
    return " ".join([model, str(lens.width), str(lens.height), *map(repr, numbers)])


def _name(frame: Frame, folder: Path) -> str:
    """The path of an image below the folder of the images.

    Raises:
        BadImage: if COLMAP would read another one.
    """
    name = frame.image_path.relative_to(folder / IMAGES).as_posix()
    if name.split() != [name]:
        raise BadImage(
            f"The image {name!r} has a name that COLMAP's text files cannot hold.",
            "Rename it without blanks.",
        )
    return name
