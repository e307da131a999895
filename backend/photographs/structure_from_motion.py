# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of photographs that have none, by structure from motion on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..shared.capture.colmap_model import find_colmap_model
from ..shared.capture.json_files import write_object
from ..shared.capture.lens_keys import read_distortion, read_intrinsics
from ..shared.errors import BackendDied, TooFewViews
from ..shared.lenses import Lens
from ..shared.virtual_environments import ROOT, child_variables
from .extras import PHOTOS
from .photo_files import MIN_PHOTOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..shared.cameras import Floats
    from ..shared.progress import Progress
    from .photo_files import Photo

# Of colmap_process, which cannot be imported without pycolmap.
PROCESS = f"{__package__}.colmap_process"
IMAGES, JOB, MODEL = "images", "job.json", "model"
MIN_SHARE = 0.6
"""Of the photographs that must connect."""

CHECK_SECONDS = 0.2
LAST_LINES = 3
ALL_PAIRS = 80
"""Up to this number of photographs each is compared with every other one."""

NEIGHBORS, ANCHORS = 12, 30
"""Beyond, it is compared with those next to it by name, and with some of all."""


@dataclass(frozen=True)
class PosedPhoto:
    """A photograph with its camera.

    Attributes:
        photo: the photograph.
        lens: for its full size.
        camera_to_world: [4, 4], OpenGL axes, in a world without up and scale.
    """

    photo: Photo
    lens: Lens
    camera_to_world: Floats


@dataclass(frozen=True)
class Cameras:
    """What structure from motion finds.

    Attributes:
        posed: the photographs that connect, by name; most of all.
        left_out: the names of the others.
        facts: by what, mean error of the points in pixels of the size that was used, and how many.
    """

    posed: tuple[PosedPhoto, ...]
    left_out: tuple[str, ...]
    facts: dict[str, Any]


def find_cameras(photos: Sequence[Photo], progress: Progress) -> Cameras:
    """Find the cameras of photographs of one object.

    Args:
        photos: eight or more.
        progress: receives stages; a cancel ends the work within half a second.

    Raises:
        EnvironmentBroken: if pycolmap is not installed, with the command that installs it.
        BadImage: if a photograph cannot be read.
        TooFewViews: if too few of them connect; those that do not are named.
        BackendDied: if pycolmap fails.
        Cancelled: if the user cancels the job.
    """
    library = Path(PHOTOS.load("pycolmap").__file__).parents[1]
    with TemporaryDirectory(prefix="lsrm-photos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = _prepare(photos, folder, progress)
        facts = _run(folder, library, progress)
        cameras = _read_model(folder, files) if facts else ()
    posed = {camera.photo.name for camera in cameras}
    left_out = tuple(photo.name for photo in photos if photo.name not in posed)
    _check_connected(len(photos), len(cameras), left_out)
    return Cameras(cameras, left_out, facts)


def _prepare(photos: Sequence[Photo], folder: Path, progress: Progress) -> dict[str, Photo]:
    """Write the images and the job of the other process; returns the photo of every file."""
    (folder / IMAGES).mkdir()
    files: dict[str, Photo] = {}
    for index, photo in enumerate(photos):
        progress.report("photographs", index / len(photos), f"reading {photo.name}")
        name = f"{index:05d}.png"
        Image.fromarray(photo.read_small()).save(folder / IMAGES / name, compress_level=1)
        files[name] = photo
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, photo in files.items():
        groups.setdefault((photo.lens, photo.small_size), []).append(name)
    lenses = [
        {"images": names, "parameters": _parameters(files[names[0]])} for names in groups.values()
    ]
    write_object(folder / JOB, {"lenses": lenses, "pairs": list(choose_pairs(list(files)))})
    return files


def _parameters(photo: Photo) -> str:
    """The parameters of a lens of model SIMPLE_RADIAL, as far as EXIF has them; else empty."""
    if photo.focal is None:
        return ""
    width, height = photo.small_size
    focal = photo.focal * max(width, height) / max(photo.size)
    return f"{focal},{0.5 * width},{0.5 * height},0"


def choose_pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The pairs of photographs to compare: all, or those that are likely to overlap."""
    count = len(names)
    stride = max(1, count // ANCHORS)
    for first in range(count):
        for second in range(first + 1, count):
            apart = min(second - first, count - (second - first))
            is_anchor = first % stride == 0 or second % stride == 0
            if count <= ALL_PAIRS or apart <= NEIGHBORS or is_anchor:
                yield names[first], names[second]


def _run(folder: Path, library: Path, progress: Progress) -> dict[str, Any]:
    """Run the other process; returns its last line, empty if nothing connects."""
    command = [sys.executable, "-P", "-m", PROCESS, str(folder)]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=child_variables(PYTHONPATH=os.pathsep.join((str(ROOT), str(library)))),
            text=True,
        )
        with process:
            result = _follow(process, progress)
    if process.returncode or result is None:
        lines = (folder / "log.txt").read_text("utf-8", "replace").strip().splitlines()
        raise BackendDied(
            f"Finding the cameras ended with {process.returncode}: "
            f"{' '.join(lines[-LAST_LINES:])[-500:] or 'no message'}.",
            "Try it again with fewer or smaller photographs.",
        )
    return result


def _follow(process: subprocess.Popen[str], progress: Progress) -> dict[str, Any] | None:
    """Pass on the reports of a process until it ends; a cancel kills it."""
    lines: Queue[str | None] = Queue()
    reader = threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True)
    reader.start()
    result = None
    try:
        while True:
            progress.check()
            try:
                line = lines.get(timeout=CHECK_SECONDS)
            except Empty:
                continue
            if line is None:
                process.wait()
                return result
            value = json.loads(line)
            if isinstance(value, dict):
                result = value
            else:
                progress.report(*value)
    finally:
        process.kill()


def _read_lines(stream: IO[str] | None, lines: Queue[str | None]) -> None:
    for line in stream or ():
        lines.put(line)
    lines.put(None)


def _read_model(folder: Path, files: dict[str, Photo]) -> tuple[PosedPhoto, ...]:
    """The cameras that the other process has written, for photographs of full size."""
    model = find_colmap_model(folder / MODEL)
    if model is None:
        return ()
    cameras = []
    for frame in model.document["frames"]:
        values = {**model.document, **frame}
        photo = files[Path(frame["file_path"]).name]
        intrinsics = read_intrinsics(values, {}, photo.name, photo.small_size)
        lens = Lens(intrinsics, read_distortion(values, {}, photo.name))
        pose = np.array(frame["transform_matrix"])
        cameras.append(PosedPhoto(photo, lens.scaled(*photo.size), pose))
    return tuple(cameras)


def _check_connected(count: int, posed: int, left_out: Sequence[str]) -> None:
    """Raise if too few photographs connect.

    Raises:
        TooFewViews: with the names of those that do not.
    """
    if posed >= max(MIN_PHOTOS, MIN_SHARE * count):
        return
    what = f"Only {posed} of {count}" if posed else f"None of the {count}"
    raise TooFewViews(
        f"{what} photographs connect with each other; these do not: {', '.join(left_out)}.",
        "Take more photographs, sharp, every one overlapping the one before by two thirds. The "
        "object must not move against what is behind it, unless that is plain.",
    )
