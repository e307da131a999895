# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's models of cameras, text and binary, as the contents of a transforms.json.

A model is two files, cameras and images. COLMAP puts it into `sparse/0` beside `images`; other
programs export the same files, for example RealityScan and Metashape.
"""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import BadCapture
from .colmap_poses import colmap_to_camera_to_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lens_keys import Values

# The number of a model in binary files is its index. Parameters have the names of transforms.json,
# and f stands for both focal lengths; those of lenses that are not read are only counted.
CAMERA_MODELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("SIMPLE_PINHOLE", ("f", "cx", "cy")),
    ("PINHOLE", ("fl_x", "fl_y", "cx", "cy")),
    ("SIMPLE_RADIAL", ("f", "cx", "cy", "k1")),
    ("RADIAL", ("f", "cx", "cy", "k1", "k2")),
    ("OPENCV", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2")),
    ("OPENCV_FISHEYE", ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4")),
    (
        "FULL_OPENCV",
        ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    ),
    ("FOV", ("",) * 5),
    ("SIMPLE_RADIAL_FISHEYE", ("f", "cx", "cy", "k1")),
    ("RADIAL_FISHEYE", ("f", "cx", "cy", "k1", "k2")),
    ("THIN_PRISM_FISHEYE", ("",) * 12),
    ("RAD_TAN_THIN_PRISM_FISHEYE", ("",) * 16),
    ("SIMPLE_DIVISION", ("",) * 4),
    ("DIVISION", ("",) * 5),
    ("SIMPLE_FISHEYE", ("f", "cx", "cy")),
    ("FISHEYE", ("fl_x", "fl_y", "cx", "cy")),
    ("EUCM", ("",) * 6),
    ("EQUIRECTANGULAR", ("",) * 2),
)
# Binary first: text may be an older conversion of it.
SUFFIXES = (".bin", ".txt")
MODEL_FOLDERS = (
    ".",
    "[0-9]*",
    "sparse",
    "sparse/*",
    "colmap/sparse",
    "colmap/sparse/*",
    "dense/sparse",
)
IMAGE_FOLDERS = ("images", ".", "input", "images_2", "images_4", "images_8", "dense/images")
MAX_NAME = 4096


@dataclass(frozen=True)
class ColmapModel:
    """A model on disk.

    Attributes:
        images: the file with the poses.
        folder: the one with the images, or with the folder of the images; masks lie there, too.
        document: what a transforms.json in `folder` would contain.
        warnings: for the user.
    """

    images: Path
    folder: Path
    document: Values
    warnings: tuple[str, ...]


def find_colmap_model(path: Path) -> ColmapModel | None:
    """The model in a folder, in its `sparse` or in `sparse/0`; None if there is none.

    Of several models the one with the most images is read.

    Args:
        path: of the folder that holds the images and the model, or of the model.

    Raises:
        BadCapture: if its files are damaged.
    """
    models = [_read_model(file) for file in _model_files(path)]
    if not models:
        return None
    largest = max(models, key=lambda model: len(model[1]))
    warnings = []
    if len(models) > 1:
        warnings.append(
            f"The folder has {len(models)} COLMAP models; {largest[0].parent} is used, which has "
            f"most of the images, {len(largest[1])}."
        )
    images, frames = largest
    folder, image_folder = _find_images(path, [frame["file_path"] for frame in frames])
    for frame in frames:
        frame["file_path"] = (Path(image_folder) / frame["file_path"]).as_posix()
    return ColmapModel(images, folder, _document(frames), tuple(warnings))


def has_colmap_model(path: Path) -> bool:
    """Whether `find_colmap_model` finds a model in a folder."""
    return any(True for _ in _model_files(path))


def _model_files(path: Path) -> Iterator[Path]:
    """The images file of every model below a folder."""
    for pattern in MODEL_FOLDERS:
        for folder in sorted(path.glob(pattern)) if "*" in pattern else [path / pattern]:
            for suffix in SUFFIXES:
                names = [f"cameras{suffix}", f"images{suffix}"]
                if all((folder / name).is_file() for name in names):
                    yield folder / names[1]
                    break


def _find_images(path: Path, names: list[str]) -> tuple[Path, str]:
    """The folder of a capture, and the one in it in which most of the images are."""
    best = (0, path, ".")
    for folder in (path, *path.resolve().parents[:2]):
        for place in IMAGE_FOLDERS:
            count = sum((folder / place / name).is_file() for name in names)
            if count > best[0]:
                best = (count, folder, place)
    return best[1:]


def _document(frames: list[Values]) -> Values:
    """The contents of a transforms.json; what all frames share is at its top level."""
    if not frames:
        return {"frames": frames}
    own = ("file_path", "transform_matrix")
    lenses = [{key: value for key, value in each.items() if key not in own} for each in frames]
    if any(lens != lenses[0] for lens in lenses):
        return {"frames": frames}
    poses = [{key: each[key] for key in own} for each in frames]
    return {**lenses[0], "frames": poses}


def _read_model(images: Path) -> tuple[Path, list[Values]]:
    """The frames of a model by name, each with its own lens.

    Raises:
        BadCapture: if a file is damaged.
    """
    cameras = images.with_name("cameras" + images.suffix)
    try:
        if images.suffix == ".bin":
            lenses, poses = _binary_cameras(cameras), _binary_images(images)
        else:
            lenses, poses = _text_cameras(cameras), _text_images(images)
        frames = [
            {
                **lenses[camera],
                "file_path": name,
                "transform_matrix": _pose(numbers),
            }
            for name, camera, numbers in poses
        ]
    except OSError as error:
        raise BadCapture(
            f"The COLMAP model in {images.parent} cannot be read ({error.strerror}).",
            "Check the files and their permissions.",
        ) from error
    except (ValueError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise BadCapture(
            f"The COLMAP model in {images.parent} is damaged ({type(error).__name__}: {error}).",
            "Export it again, or convert it to text with `colmap model_converter`.",
        ) from error
    repeated = [name for name, count in Counter(name for name, _, _ in poses).items() if count > 1]
    if repeated:
        raise BadCapture(
            f"The COLMAP model in {images.parent} has images more than once: "
            f"{', '.join(repeated)}.",
            "Export it again.",
        )
    return images, sorted(frames, key=lambda frame: str(frame["file_path"]))


def _pose(numbers: tuple[float, ...]) -> list[list[float]]:
    """Camera to world from a quaternion (scalar first) and a translation, world to camera."""
    if not (np.isfinite(numbers).all() and any(numbers[:4])):
        raise ValueError("a pose without a rotation")
    pose: list[list[float]] = colmap_to_camera_to_world(numbers[:4], numbers[4:]).tolist()
    return pose


def _lens(model: str, width: int, height: int, parameters: list[float]) -> Values:
    """The lens of a camera, with the keys of transforms.json."""
    keys = dict(CAMERA_MODELS).get(model, ())
    if any(keys) and len(parameters) != len(keys):
        raise ValueError(f"a camera {model} with {len(parameters)} parameters")
    lens: Values = {"camera_model": model, "w": width, "h": height}
    named = {key: value for key, value in zip(keys, parameters, strict=False) if key}
    if "f" in named:
        named["fl_x"] = named["fl_y"] = named.pop("f")
    # A lens that is not read is refused later, with the name of the view.
    return {**lens, **(named or {"fl_x": 1.0})}


def _binary_cameras(path: Path) -> dict[int, Values]:
    """The lenses of cameras.bin by the number of their camera."""
    lenses = {}
    with path.open("rb") as file:
        (count,) = _unpack(file, "<Q")
        for _ in range(count):
            number, model, width, height = _unpack(file, "<iiQQ")
            if not 0 <= model < len(CAMERA_MODELS):
                raise ValueError(f"camera model {model}")
            name, keys = CAMERA_MODELS[model]
            lenses[number] = _lens(name, width, height, [*_unpack(file, f"<{len(keys)}d")])
    return lenses


def _binary_images(path: Path) -> list[tuple[str, int, tuple[float, ...]]]:
    """Name, number of the camera, and pose of every image of images.bin."""
    images = []
    size = path.stat().st_size
    with path.open("rb") as file:
        (count,) = _unpack(file, "<Q")
        for _ in range(count):
            _, *pose, camera = _unpack(file, "<i7di")
            letters = iter(lambda: file.read(1) or b"\0", b"\0")
            name = b"".join(itertools.islice(letters, MAX_NAME))
            (points,) = _unpack(file, "<Q")
            if file.seek(24 * points, 1) > size:
                raise ValueError("its end is missing")
            images.append((_checked_name(name.decode("utf-8", "replace")), camera, tuple(pose)))
    return images


def _unpack(file: BinaryIO, form: str) -> tuple[Any, ...]:
    """The next numbers of a file; `struct.error` at its end."""
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _text_cameras(path: Path) -> dict[int, Values]:
    """The lenses of cameras.txt by the number of their camera."""
    lenses = {}
    for line in _text_lines(path):
        if line:
            number, model, width, height, *parameters = line.split()
            values = [float(value) for value in parameters]
            lenses[int(number)] = _lens(model, int(width), int(height), values)
    return lenses


def _text_images(path: Path) -> list[tuple[str, int, tuple[float, ...]]]:
    """Name, number of the camera, and pose of every image of images.txt.

    Each has a second line with its points, which may be empty. Some programs leave it out.
    """
    images = []
    lines = _text_lines(path)
    is_points = False
    for line in lines:
        words = line.split(maxsplit=9)
        if is_points and not (len(words) == 10 and not _is_number(words[9].split()[0])):
            is_points = False
            continue
        if words:
            _, *pose, camera, name = words
            images.append((_checked_name(name), int(camera), tuple(float(each) for each in pose)))
            if len(pose) != 7:
                raise ValueError(f"the line {line[:80]!r}")
            is_points = True
    return images


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file without comments; empty ones count."""
    for line in path.read_text("utf-8-sig", "replace").splitlines():
        if not line.lstrip().startswith("#"):
            yield line.strip()


def _checked_name(name: str) -> str:
    """The name of an image, with slashes."""
    if not name.strip() or "\0" in name:
        raise ValueError("an image without a name")
    return name.replace("\\", "/")
