# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture folder: posed images from Blender or photographers, the input of the backend.

Reads all dialects of transforms.json in `capture_dialects` and writes LSRM's own. Frames keep their
order.
"""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import capture_dialects as dialects
from .atomic_folder import write_file_atomically
from .cameras import Intrinsics, check_camera_to_world
from .errors import BadCapture, BadImage, TooFewViews
from .image_header import image_size
from .lamps import read_lamps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cameras import Floats
    from .capture_dialects import Size, Values
    from .lamps import Lamp

LOGGER = logging.getLogger(__name__)

TRANSFORMS_NAMES = ("transforms.json", "transforms_train.json", "transforms_input.json")
CAPTURE_JSON = "capture.json"
ENVIRONMENT_NAME = "environment.hdr"
WORLD_NAME = "world.hdr"
"""The environment without the lamps, where there are lamps; they stand in capture.json."""

PASSES = ("base_color", "roughness", "metallic", "normal")
"""Materials and normals of the test views: folders with a 16-bit PNG for each view."""


@dataclass(frozen=True)
class Frame:
    """One posed image on disk.

    Attributes:
        name: unique in the capture; can be a file name.
        image_path: PNG or JPEG.
        mask_path: the foreground coverage; None if it is the alpha of the image.
        intrinsics: for the size of the image on disk.
        camera_to_world: [4, 4] float64, OpenGL camera axes.
    """

    name: str
    image_path: Path
    mask_path: Path | None
    intrinsics: Intrinsics
    camera_to_world: Floats


@dataclass(frozen=True)
class BoundingSphere:
    """A sphere around the object, in the world of the capture.

    Attributes:
        center: (x, y, z).
        radius: above zero.
    """

    center: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Capture:
    """The contents of a capture folder; its images are not read yet.

    Attributes:
        folder: of transforms.json.
        frames: in the order of the file.
        bounding_sphere: of the object, if capture.json has it.
        environment: the environment light as an equirectangular .hdr, if there is one.
        lamps: that lit the views, too; their light depends on where a surface is, and a panorama
            seen from the center of the object is wrong for them. None if they are not described.
        warnings: for the user.
    """

    folder: Path
    frames: tuple[Frame, ...]
    bounding_sphere: BoundingSphere | None
    environment: Path | None
    lamps: tuple[Lamp, ...] | None
    warnings: tuple[str, ...]

    @property
    def known_light(self) -> Path | None:
        """The environment without lamps, if it and the lamps are all the light there is."""
        if self.lamps is None:
            return None
        if not self.lamps:
            return self.environment
        world = self.folder / WORLD_NAME
        return world if world.is_file() else None


@dataclass(frozen=True)
class _Entry:
    """A frame of transforms.json and its files.

    Attributes:
        name: unique in the capture.
        values: of the frame.
        image: an existing file.
        mask: an existing file, or None.
    """

    name: str
    values: Values
    image: Path
    mask: Path | None


def read_capture(path: Path) -> Capture:
    """Read a capture folder, or a transforms.json in it, in any dialect.

    An image of another size than stated is an error, with one exception: if the size is stated once
    for all frames and all images were resized in the same way, the intrinsics are scaled, with a
    warning.

    Raises:
        BadCapture: if there is no readable transforms.json.
        BadCamera: if a pose or a lens is impossible or not supported, with the name of the view.
        BadImage: if files are missing (all are listed), unreadable, or of another size than stated.
        TooFewViews: if there is no frame.
    """
    transforms = _find_transforms(Path(path))
    folder = transforms.parent
    document = _read_object(transforms)
    entries = _entries(document, transforms)
    warnings = _warnings(document)
    intrinsics = _read_intrinsics(document, entries, warnings)
    frames = tuple(
        Frame(
            name=entry.name,
            image_path=entry.image,
            mask_path=entry.mask,
            intrinsics=lens,
            camera_to_world=check_camera_to_world(entry.values.get("transform_matrix"), entry.name),
        )
        for entry, lens in zip(entries, intrinsics, strict=True)
    )
    environment, description = folder / ENVIRONMENT_NAME, read_capture_json(folder)
    for warning in warnings:
        LOGGER.warning("%s: %s", transforms, warning)
    return Capture(
        folder=folder,
        frames=frames,
        bounding_sphere=_bounding_sphere(description, folder),
        environment=environment if environment.is_file() else None,
        lamps=read_lamps(description),
        warnings=tuple(warnings),
    )


def write_transforms(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as transforms.json, atomically.

    Paths are relative to the file, with forward slashes; numbers have full precision.

    Raises:
        OSError: if the folder cannot be written.
    """
    document = {
        "camera_model": "OPENCV",
        "frames": [_frame_values(frame, path.parent) for frame in frames],
    }
    _write_json(path, document)


def write_capture_json(folder: Path, info: dict[str, Any]) -> None:
    """Write capture.json: source, bounding_sphere, seed, engine, versions and similar.

    Raises:
        OSError: if the folder cannot be written.
    """
    _write_json(folder / CAPTURE_JSON, info)


def read_capture_json(folder: Path) -> dict[str, Any]:
    """The contents of capture.json; empty if there is no such file.

    Raises:
        BadCapture: if it is not a JSON object.
    """
    path = folder / CAPTURE_JSON
    return _read_object(path) if path.is_file() else {}


def environment_name(source: str) -> str:
    """The file or name of an environment light, shortened so that it can name a folder."""
    return "".join(letter if letter.isalnum() else "_" for letter in Path(source).stem)


def relit_folder(test: Path, source: str) -> Path:
    """The images of the test views under another environment light.

    Args:
        test: the folder of the test views.
        source: the file or name of the environment light.
    """
    return test / f"relit_{environment_name(source)}"


def _find_transforms(path: Path) -> Path:
    """The file with the cameras of a capture."""
    if path.is_file():
        return path
    for name in TRANSFORMS_NAMES:
        if (path / name).is_file():
            return path / name
    if not path.exists():
        raise BadCapture(f"There is no folder {path}.", "Give the folder with the views.")
    raise BadCapture(
        f"The folder {path} contains none of {', '.join(TRANSFORMS_NAMES)}.",
        "Give a folder with posed views: images and a transforms.json with their cameras.",
    )


def _read_object(path: Path) -> Values:
    """A JSON object from a UTF-8 file, with or without a byte order mark."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_int=_parse_integer)
    except OSError as error:
        raise BadCapture(
            f"The file {path} cannot be read ({error.strerror}).",
            "Check the file and its permissions.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadCapture(
            f"The file {path} is not valid JSON ({error}).", "Export the cameras again."
        ) from error
    if not isinstance(document, dict):
        raise BadCapture(f"The file {path} is not a JSON object.", "Export the cameras again.")
    return document


def _parse_integer(text: str) -> float:
    """An integer of JSON; infinite if it is beyond the range of floats."""
    return int(text) if math.isfinite(float(text)) else math.inf


def _entries(document: Values, transforms: Path) -> list[_Entry]:
    """The frames of the file, whose images and masks exist."""
    frames = document.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise BadCapture(
            f"The file {transforms} has no list of frames.",
            "Export the cameras as transforms.json of nerfstudio or instant-ngp.",
        )
    if not frames:
        raise TooFewViews(
            f"The file {transforms} has no views.", "Take 16 or more views around the object."
        )
    nameless = [index for index, frame in enumerate(frames) if not _is_path(frame.get("file_path"))]
    if nameless:
        raise BadCapture(
            f"Frame {nameless[0]} of {transforms} has no file_path.",
            "Give every frame the path of its image.",
        )
    names = dialects.frame_names([frame["file_path"] for frame in frames])
    return _with_files(transforms.parent, names, frames)


def _is_path(value: Any) -> bool:
    """Whether a JSON value can be the path of a file."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _with_files(folder: Path, names: list[str], frames: list[Values]) -> list[_Entry]:
    """The frames with their images and masks, or one error that lists all missing files."""
    entries, missing = [], []
    for name, frame in zip(names, frames, strict=True):
        image = dialects.find_image(folder, frame["file_path"])
        if image is None:
            missing.append(frame["file_path"])
            continue
        mask = dialects.find_mask(image)
        if _is_path(frame.get("mask_path")):
            mask = dialects.find_image(folder, frame["mask_path"])
            if mask is None:
                missing.append(frame["mask_path"])
        entries.append(_Entry(name, frame, image, mask))
    if missing:
        raise BadImage(
            f"These files of transforms.json are missing in {folder}: {', '.join(missing)}.",
            "Put the files there as PNG or JPEG, or remove their frames.",
        )
    return entries


def _warnings(document: Values) -> list[str]:
    """Warnings about transformations of the file that are not applied."""
    warnings = []
    if "applied_transform" in document or "applied_scale" in document:
        warnings.append(
            "The poses were moved by applied_transform when they were exported; "
            "the result lies in the moved world."
        )
    if document.get("scale", 1.0) != 1.0:
        warnings.append(
            f"The file's scale of {document['scale']} is not applied; "
            "the result has the units of the camera poses."
        )
    return warnings


def _read_intrinsics(
    document: Values, entries: list[_Entry], warnings: list[str]
) -> list[Intrinsics]:
    """The intrinsics of every frame for the size of its image on disk; may append warnings."""
    top = {key: value for key, value in document.items() if key != "frames"}
    lenses, actual = [], []
    focal_warnings: dict[str, None] = {}
    for index, entry in enumerate(entries):
        shared = _per_frame_lists(top, index)
        actual.append(image_size(entry.image))
        size = dialects.stated_size(entry.values, shared, entry.name) or actual[-1]
        lenses.append(dialects.read_intrinsics(entry.values, shared, entry.name, size))
        warning = dialects.focal_length_warning(entry.values, shared, entry.name, size)
        if warning:
            focal_warnings[warning] = None
    warnings += focal_warnings
    per_frame = any("w" in entry.values or "h" in entry.values for entry in entries)
    return _at_actual_size(entries, lenses, actual, warnings, may_scale=not per_frame)


def _per_frame_lists(top: Values, index: int) -> Values:
    """The top level for one frame: the LSRM release lists one camera_angle_x for each frame."""
    angles = top.get("camera_angle_x")
    if isinstance(angles, list) and index < len(angles):
        return {**top, "camera_angle_x": angles[index]}
    return top


def _at_actual_size(
    entries: list[_Entry],
    lenses: list[Intrinsics],
    actual: list[Size],
    warnings: list[str],
    *,
    may_scale: bool,
) -> list[Intrinsics]:
    """The intrinsics for the sizes on disk, if all images were resized in the same way.

    Raises:
        BadImage: if an image has another size than stated, and not all were resized.
    """
    other = [i for i, lens in enumerate(lenses) if (lens.width, lens.height) != actual[i]]
    if not other:
        return lenses
    width, height = actual[0]
    stated = lenses[0]
    all_resized = len(other) == len(entries) and len(set(actual)) == 1
    same_shape = abs(height - stated.height * width / stated.width) <= 1.0
    if not (may_scale and all_resized and same_shape):
        lens, size = lenses[other[0]], actual[other[0]]
        raise BadImage(
            f"The image of view {entries[other[0]].name} is {size[0]} x {size[1]} pixels, "
            f"stated are {lens.width} x {lens.height} ({len(other)} of {len(entries)} views).",
            "Use the images that the cameras were made from, or correct w and h.",
        )
    warnings.append(
        f"All images are {width} x {height} instead of {stated.width} x {stated.height} pixels; "
        "the intrinsics were scaled accordingly."
    )
    return [lens.scaled(width, height) for lens in lenses]


def _bounding_sphere(description: Values, folder: Path) -> BoundingSphere | None:
    """The object's sphere in capture.json, or None.

    Raises:
        BadCapture: if it is not a sphere.
    """
    sphere = description.get("bounding_sphere")
    if sphere is None:
        return None
    try:
        x, y, z = (float(value) for value in sphere["center"])
        radius = float(sphere["radius"])
    except (KeyError, TypeError, ValueError):
        x = y = z = radius = math.nan
    if not all(math.isfinite(value) for value in (x, y, z, radius)) or radius <= 0.0:
        raise BadCapture(
            f"The bounding sphere in {folder / CAPTURE_JSON} is {sphere}.",
            "Give it a center of three numbers and a radius above zero, or remove it.",
        )
    return BoundingSphere((x, y, z), radius)


def _frame_values(frame: Frame, folder: Path) -> Values:
    """A frame as JSON."""
    lens = frame.intrinsics
    values = {
        "file_path": _relative(frame.image_path, folder),
        "w": lens.width,
        "h": lens.height,
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
        "transform_matrix": frame.camera_to_world.tolist(),
    }
    if frame.mask_path is not None:
        values["mask_path"] = _relative(frame.mask_path, folder)
    return values


def _relative(path: Path, folder: Path) -> str:
    """A path relative to a folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_file_atomically(path, (text + "\n").encode())
