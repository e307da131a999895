# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a capture folder: all dialects of transforms.json, in its order, and COLMAP's models."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cameras import MAX_LENGTH, check_camera_to_world
from ..errors import BadCapture, BadImage, TooFewViews
from ..lenses import Lens
from . import frame_files, lens_keys
from .capture import ENVIRONMENT_NAME, TRANSFORMS_NAMES, BoundingSphere, Capture, Frame
from .colmap_model import find_colmap_model
from .file_finder import FileFinder
from .image_header import FORMATS, LINEAR_FORMATS, read_image_header
from .json_files import CAPTURE_JSON, capture_warnings, read_capture_json, read_object
from .lamps import read_lamps
from .mask_files import MaskFile, find_masks
from .orientation import Orientation, choose_orientation, orientation_warnings

if TYPE_CHECKING:
    from .image_header import ImageHeader
    from .lens_keys import Size, Values

LOGGER = logging.getLogger(__name__)

COLMAP_NAMES = frozenset({"images.bin", "images.txt", "cameras.bin", "cameras.txt"})


@dataclass(frozen=True)
class _Cameras:
    """The cameras of a capture as they are on disk.

    Attributes:
        file: they are in.
        folder: that the paths of images are relative to.
        document: as in a transforms.json.
        warnings: about what was read.
        may_scale: whether the images may have another size than stated, if all have been resized
            in the same way.
    """

    file: Path
    folder: Path
    document: Values
    warnings: tuple[str, ...]
    may_scale: bool


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
    mask: MaskFile | None


def read_capture(path: Path) -> Capture:
    """Read a capture folder with a transforms.json in any dialect, or with a model of COLMAP.

    An image of another size than stated is an error, with one exception: if the size is stated once
    for all frames, or by COLMAP, and all images were resized in the same way, the intrinsics are
    scaled, with a warning.

    Args:
        path: of the folder, of a transforms.json, or of a folder with a model of COLMAP.

    Raises:
        BadCapture: if there are no readable cameras.
        BadCamera: if a pose or a lens is impossible or not supported, with the name of the view.
        BadImage: if files are missing (all are listed), unreadable, or of another size than stated.
        TooFewViews: if there is no frame.
    """
    cameras = _read_cameras(Path(path))
    document, folder = cameras.document, cameras.folder
    finder = FileFinder(folder)
    entries = _entries(cameras, finder)
    headers = [read_image_header(entry.image) for entry in entries]
    orientations = _read_orientations(document, entries, headers)
    warnings = [
        *cameras.warnings,
        *_warnings(document),
        *finder.warnings(),
        *orientation_warnings(orientations),
    ]
    warnings += _light_warnings(headers)
    sizes = [
        header.size(orientation.image)
        for header, orientation in zip(headers, orientations, strict=True)
    ]
    lenses = _at_actual_size(
        entries,
        _read_lenses(document, entries, sizes, warnings),
        sizes,
        warnings,
        cameras.may_scale,
    )
    frames = tuple(map(_frame, entries, lenses, orientations))
    environment, description = folder / ENVIRONMENT_NAME, read_capture_json(folder)
    warnings = [*capture_warnings(description), *warnings]
    for warning in warnings:
        LOGGER.warning("%s: %s", cameras.file, warning)
    return Capture(
        folder=folder,
        frames=frames,
        bounding_sphere=_bounding_sphere(description, folder),
        environment=environment if environment.is_file() else None,
        lamps=read_lamps(description),
        warnings=tuple(warnings),
    )


def _frame(entry: _Entry, lens: Lens, orientation: Orientation) -> Frame:
    """A frame, whose pinhole shows all of its image."""
    distorts = not lens.distortion.is_none
    pinhole = lens_keys.undistorted_intrinsics(lens, entry.name) if distorts else lens.intrinsics
    return Frame(
        name=entry.name,
        image_path=entry.image,
        mask_path=entry.mask.path if entry.mask else None,
        mask_inverted=entry.mask is not None and entry.mask.inverted,
        intrinsics=pinhole,
        camera_to_world=check_camera_to_world(entry.values.get("transform_matrix"), entry.name),
        orientation=orientation.image,
        mask_orientation=orientation.mask,
        lens=lens if distorts else None,
    )


def _read_cameras(path: Path) -> _Cameras:
    """The cameras of a capture, from the first file found."""
    if not path.exists():
        raise BadCapture(f"There is no folder {path}.", "Give the folder with the views.")
    if path.is_file() and path.name in COLMAP_NAMES:
        path = path.parent
    files = (path, *(path / name for name in TRANSFORMS_NAMES))
    transforms = next((file for file in files if file.is_file()), None)
    if transforms is not None:
        document = read_object(transforms)
        frames = document.get("frames")
        may_scale = isinstance(frames, list) and not any(
            isinstance(frame, dict) and ("w" in frame or "h" in frame) for frame in frames
        )
        return _Cameras(transforms, transforms.parent, document, (), may_scale)
    model = find_colmap_model(path)
    if model is not None:
        return _Cameras(model.images, model.folder, model.document, model.warnings, may_scale=True)
    raise BadCapture(
        f"The folder {path} contains none of {', '.join(TRANSFORMS_NAMES)} and no COLMAP model.",
        "Give a folder with posed views: images and a transforms.json with their cameras, or "
        "images and the sparse/0 of COLMAP, text or binary.",
    )


def _entries(cameras: _Cameras, finder: FileFinder) -> list[_Entry]:
    """The frames of the file, whose images and masks exist."""
    frames = cameras.document.get("frames")
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise BadCapture(
            f"The file {cameras.file} has no list of frames.",
            "Export the cameras as transforms.json of nerfstudio or instant-ngp.",
        )
    if not frames:
        raise TooFewViews(
            f"The file {cameras.file} has no views.", "Take 16 or more views around the object."
        )
    nameless = [index for index, frame in enumerate(frames) if not _is_path(frame.get("file_path"))]
    if nameless:
        raise BadCapture(
            f"Frame {nameless[0]} of {cameras.file} has no file_path.",
            "Give every frame the path of its image.",
        )
    names = frame_files.frame_names([frame["file_path"] for frame in frames])
    return _with_files(finder, names, frames, cameras)


def _is_path(value: Any) -> bool:
    """Whether a JSON value can be the path of a file."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _with_files(
    finder: FileFinder, names: list[str], frames: list[Values], cameras: _Cameras
) -> list[_Entry]:
    """The frames with their images and masks, or one error that lists all missing files."""
    folder = cameras.folder
    images, masks = [], []
    for frame in frames:
        images.append(finder.find(frame["file_path"]) or folder)
        stated = frame.get("mask_path")
        mask = finder.find(str(stated)) if _is_path(stated) else None
        masks.append(MaskFile.from_path(mask) if mask else None)
    missing = finder.missing()
    if missing:
        raise BadImage(
            f"These files of {cameras.file.name} are missing in {folder}: {', '.join(missing)}.",
            f"Put the files there as {FORMATS}, or remove their frames.",
        )
    found = find_masks(images, folder)
    return [
        _Entry(name, frame, image, stated or unmentioned)
        for name, frame, image, stated, unmentioned in zip(
            names, frames, images, masks, found, strict=True
        )
    ]


def _read_orientations(
    document: Values, entries: list[_Entry], headers: list[ImageHeader]
) -> list[Orientation]:
    """How the image and the mask of every frame are turned."""
    return [
        choose_orientation(
            header,
            read_image_header(entry.mask.path) if entry.mask else None,
            lens_keys.stated_size(entry.values, document, entry.name),
            lens_keys.stated_center(entry.values, document, entry.name),
        )
        for entry, header in zip(entries, headers, strict=True)
    ]


def _light_warnings(headers: list[ImageHeader]) -> list[str]:
    """A warning about pictures that hold light instead of displayed colors."""
    count = sum(header.format in LINEAR_FORMATS for header in headers)
    if not count:
        return []
    warning = (
        f"{count} of {len(headers)} views hold light (OpenEXR or Radiance). They are displayed as "
        "by the view transform Standard at exposure 0; what is brighter than 1 is clipped."
    )
    return [warning]


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


def _read_lenses(
    document: Values, entries: list[_Entry], actual: list[Size], warnings: list[str]
) -> list[Lens]:
    """The lens of every frame for the size that is stated; may append warnings."""
    top = {key: value for key, value in document.items() if key != "frames"}
    lens_keys.check_shared_angle([entry.values for entry in entries], top, actual)
    lenses = []
    focal_warnings: dict[str, None] = {}
    for index, entry in enumerate(entries):
        shared = _per_frame_lists(top, index)
        size = lens_keys.stated_size(entry.values, shared, entry.name) or actual[index]
        intrinsics = lens_keys.read_intrinsics(entry.values, shared, entry.name, size)
        distortion = lens_keys.read_distortion(entry.values, shared, entry.name)
        lenses.append(Lens(intrinsics, distortion))
        warning = lens_keys.focal_length_warning(entry.values, shared, entry.name, size)
        if warning:
            focal_warnings[warning] = None
    warnings += focal_warnings
    return lenses


def _per_frame_lists(top: Values, index: int) -> Values:
    """The top level for one frame: the LSRM release lists one camera_angle_x for each frame."""
    angles = top.get("camera_angle_x")
    if isinstance(angles, list) and index < len(angles):
        return {**top, "camera_angle_x": angles[index]}
    return top


def _at_actual_size(
    entries: list[_Entry],
    lenses: list[Lens],
    actual: list[Size],
    warnings: list[str],
    may_scale: bool,  # noqa: FBT001 - the last of the facts about a capture
) -> list[Lens]:
    """The lenses for the sizes on disk, if all images were resized in the same way.

    Raises:
        BadImage: if an image has another size than stated, and not all were resized.
    """
    sizes = [(lens.intrinsics.width, lens.intrinsics.height) for lens in lenses]
    other = [index for index, size in enumerate(sizes) if size != actual[index]]
    if not other:
        return lenses
    if not (may_scale and len(other) == len(entries) and _resized_alike(sizes, actual)):
        stated, size = sizes[other[0]], actual[other[0]]
        raise BadImage(
            f"The image of view {entries[other[0]].name} is {size[0]} x {size[1]} pixels, "
            f"stated are {stated[0]} x {stated[1]} ({len(other)} of {len(entries)} views).",
            "Use the images that the cameras were made from, or correct w and h.",
        )
    warnings.append(
        f"All images are {_by(actual[0])} instead of {_by(sizes[0])} pixels; "
        "the intrinsics were scaled accordingly."
        if len(set(sizes)) == 1
        else f"All images have another size than stated, for example {_by(actual[0])} instead of "
        f"{_by(sizes[0])} pixels; the intrinsics were scaled accordingly."
    )
    return [lens.scaled(*size) for lens, size in zip(lenses, actual, strict=True)]


def _by(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _resized_alike(stated: list[Size], actual: list[Size]) -> bool:
    """Whether all sizes were multiplied by one number, up to the rounding of pixels."""
    scale = actual[0][0] / stated[0][0]
    return all(
        abs(new - scale * old) <= 1.0
        for sizes in zip(stated, actual, strict=True)
        for old, new in zip(*sizes, strict=True)
    )


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
    near = all(abs(value) <= MAX_LENGTH for value in (x, y, z))
    if not (near and 1.0 / MAX_LENGTH <= radius <= MAX_LENGTH):
        raise BadCapture(
            f"The bounding sphere in {folder / CAPTURE_JSON} is {sphere}.",
            "Give it a center of three numbers and a radius above zero, or remove it.",
        )
    return BoundingSphere((x, y, z), radius)
