# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture folder: posed images as they travel from Blender and photographers to the backend.

Reads every dialect of transforms.json that `capture_dialects` knows, writes one. Frames keep the
order of the file.
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
from .cameras import Intrinsics, check_camera_to_world
from .errors import BadCapture, BadImage, TooFewViews
from .image_header import image_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cameras import Floats
    from .capture_dialects import Size, Values

LOGGER = logging.getLogger(__name__)

TRANSFORMS_NAMES = ("transforms.json", "transforms_train.json", "transforms_input.json")
CAPTURE_JSON = "capture.json"
ENVIRONMENT_NAME = "environment.hdr"


@dataclass(frozen=True)
class Frame:
    """One posed image on disk.

    Attributes:
        name: unique in the capture and fit for a file name.
        image_path: PNG or JPEG.
        mask_path: the foreground coverage, or None where the image's alpha holds it.
        intrinsics: for the size that the image has on disk.
        camera_to_world: [4, 4] float64, OpenGL camera axes.
    """

    name: str
    image_path: Path
    mask_path: Path | None
    intrinsics: Intrinsics
    camera_to_world: Floats


@dataclass(frozen=True)
class BoundingSphere:
    """A sphere around the object, in the units and axes of the capture's world."""

    center: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Capture:
    """What a capture folder says; its images are not read yet.

    Attributes:
        folder: that of transforms.json.
        frames: in the order of the file.
        bounding_sphere: of the object, where the capture knows it.
        environment: the lighting of the capture as an equirectangular .hdr, if there is one.
        warnings: sentences for the user.
    """

    folder: Path
    frames: tuple[Frame, ...]
    bounding_sphere: BoundingSphere | None
    environment: Path | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    """A frame of transforms.json with the files it names."""

    name: str
    values: Values
    image: Path
    mask: Path | None


def read_capture(path: Path) -> Capture:
    """Read a capture folder, or a transforms.json in it, in any dialect.

    An image whose size is not the stated one is an error, with one exception: where the size is
    stated once for all frames and all images were resized alike, the intrinsics follow and a
    warning says so.

    Raises:
        BadCapture: if there is no readable transforms.json.
        BadCamera: if a pose or a lens is impossible or not supported; it names the view.
        BadImage: if files are missing (all are listed), unreadable, or of another size than stated.
        TooFewViews: if there is no frame at all.
    """
    transforms = _find_transforms(Path(path))
    folder = transforms.parent
    document = _read_object(transforms)
    entries = _entries(document, transforms)
    warnings = _notes(document)
    intrinsics = _intrinsics(document, entries, warnings)
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
    environment = folder / ENVIRONMENT_NAME
    for warning in warnings:
        LOGGER.warning("%s: %s", transforms, warning)
    return Capture(
        folder=folder,
        frames=frames,
        bounding_sphere=_bounding_sphere(folder),
        environment=environment if environment.is_file() else None,
        warnings=tuple(warnings),
    )


def write_transforms(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as transforms.json, whole or not at all.

    Paths are written relative to the file, with forward slashes; numbers in full precision.

    Raises:
        OSError: if the folder cannot be written.
    """
    document = {
        "camera_model": "OPENCV",
        "frames": [_frame_values(frame, path.parent) for frame in frames],
    }
    _write_json(path, document)


def write_capture_json(folder: Path, info: dict[str, Any]) -> None:
    """Write what made a capture: source, bounding_sphere, seed, engine, versions and the like.

    Raises:
        OSError: if the folder cannot be written.
    """
    _write_json(folder / CAPTURE_JSON, info)


def read_capture_json(folder: Path) -> dict[str, Any]:
    """What made a capture; empty for captures that do not say.

    Raises:
        BadCapture: if capture.json is there but is not a JSON object.
    """
    path = folder / CAPTURE_JSON
    return _read_object(path) if path.is_file() else {}


def _find_transforms(path: Path) -> Path:
    """The file that holds the cameras of a capture."""
    if path.is_file():
        return path
    for name in TRANSFORMS_NAMES:
        if (path / name).is_file():
            return path / name
    if not path.exists():
        raise BadCapture(f"There is no folder {path}.", "Give the folder that holds the views.")
    raise BadCapture(
        f"The folder {path} holds none of {', '.join(TRANSFORMS_NAMES)}.",
        "Give a folder with posed views: images and a transforms.json with their cameras.",
    )


def _read_object(path: Path) -> Values:
    """A JSON object from a UTF-8 file, with or without a byte order mark."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_int=_whole_number)
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


def _whole_number(text: str) -> float:
    """An integer of JSON; one that is too large for any use is infinite, as a float would be."""
    return int(text) if math.isfinite(float(text)) else math.inf


def _entries(document: Values, transforms: Path) -> list[_Entry]:
    """The frames of the file, each with files that exist."""
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


def _notes(document: Values) -> list[str]:
    """Warnings about what the file says and the poses do not follow."""
    notes = []
    if "applied_transform" in document or "applied_scale" in document:
        notes.append(
            "The poses were moved by applied_transform when they were exported; "
            "the result lies in the moved world."
        )
    if document.get("scale", 1.0) != 1.0:
        notes.append(
            f"The file's scale of {document['scale']} is not applied; "
            "the result has the units of the camera poses."
        )
    return notes


def _intrinsics(document: Values, entries: list[_Entry], warnings: list[str]) -> list[Intrinsics]:
    """The lens of every frame at the size of its image on disk."""
    top = {key: value for key, value in document.items() if key != "frames"}
    lenses, actual = [], []
    disagreements: dict[str, None] = {}
    for index, entry in enumerate(entries):
        shared = _per_frame_lists(top, index)
        actual.append(image_size(entry.image))
        size = dialects.stated_size(entry.values, shared, entry.name) or actual[-1]
        lenses.append(dialects.read_intrinsics(entry.values, shared, entry.name, size))
        note = dialects.contradiction(entry.values, shared, entry.name, size)
        if note:
            disagreements[note] = None
    warnings += disagreements
    per_frame = any("w" in entry.values or "h" in entry.values for entry in entries)
    return _at_actual_size(entries, lenses, actual, warnings, may_scale=not per_frame)


def _per_frame_lists(top: Values, index: int) -> Values:
    """The top level as one frame sees it: the LSRM release lists one camera_angle_x per frame."""
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
    """The lenses for the images as they are, if these were resized alike."""
    other = [i for i, lens in enumerate(lenses) if (lens.width, lens.height) != actual[i]]
    if not other:
        return lenses
    width, height = actual[0]
    stated = lenses[0]
    alike = len(other) == len(entries) and len(set(actual)) == 1
    same_shape = abs(height - stated.height * width / stated.width) <= 1.0
    if not (may_scale and alike and same_shape):
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


def _bounding_sphere(folder: Path) -> BoundingSphere | None:
    """The object's sphere from capture.json."""
    sphere = read_capture_json(folder).get("bounding_sphere")
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
    """A frame as it is written."""
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
    """A path as seen from a folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
