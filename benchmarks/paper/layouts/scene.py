# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object of a data set: the views it is reconstructed of, and those it is judged by."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.shared.capture.capture import ENVIRONMENT_NAME, WORLD_NAME
from backend.shared.capture.json_files import CAPTURE_JSON, write_object
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms

if TYPE_CHECKING:
    from pathlib import Path

    from backend.shared.capture.capture import Frame

LIGHTS = "lights.json"
"""Beside the cameras of target views: the environment light of each, by its name."""


@dataclass(frozen=True)
class Target:
    """A view that a result is rendered from and compared with.

    Attributes:
        frame: the camera, the true image and the mask of the object; its name is unique.
        light: the environment light, a file in the world of the views and in Blender's mapping, or
            a name that Blender knows; empty where the base color is compared.
        radiance: the true image in linear light, if there is one.
    """

    frame: Frame
    light: str = ""
    radiance: Path | None = None


@dataclass(frozen=True)
class Scene:
    """One object. All cameras, and the reference mesh, are in one world.

    Attributes:
        inputs: views it may be reconstructed of.
        targets: views it is judged by.
        reference_mesh: the true mesh, if there is one.
        origin: a capture folder whose description and light are those of the inputs.
    """

    inputs: tuple[Frame, ...]
    targets: tuple[Target, ...]
    reference_mesh: Path | None = None
    origin: Path | None = None


def write_inputs(frames: list[Frame], origin: Path | None, folder: Path) -> None:
    """Write the chosen input views as a capture folder that refers to the images where they are.

    Args:
        frames: of the views.
        origin: as of a `Scene`.
        folder: of the capture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CAPTURE_JSON, ENVIRONMENT_NAME, WORLD_NAME):
        if origin is not None and (origin / name).is_file():
            shutil.copyfile(origin / name, folder / name)
    write_transforms(folder / "transforms.json", frames)


def write_targets(targets: tuple[Target, ...], folder: Path) -> None:
    """Write cameras and lights of target views for `render-views`, in their order.

    The lights are named by the names that the views have when that folder is read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_transforms(folder / "transforms.json", [target.frame for target in targets])
    frames = read_capture(folder).frames
    lit = zip(frames, targets, strict=True)
    write_object(folder / LIGHTS, {frame.name: each.light for frame, each in lit if each.light})
