# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views for other programs: a capture with its images, as a COLMAP model or a transforms.json."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from .shared.atomic_folder import AtomicFolder, is_empty_folder, write_file_atomically
from .shared.capture.capture import ENVIRONMENT_NAME, TRANSFORMS_NAMES, WORLD_NAME
from .shared.capture.checksums import SHA256, checksums, with_changes_named
from .shared.capture.colmap_writer import IMAGES, write_colmap_model
from .shared.capture.image_header import AS_STORED
from .shared.capture.json_files import CAPTURE_JSON, read_capture_json, write_capture_json
from .shared.capture.reader import read_capture
from .shared.capture.writer import write_transforms
from .shared.errors import BadImage, BadRequest, OutputNotWritable
from .shared.names.result_names import MASKS
from .shared.names.view_formats import COLMAP, VIEW_FORMATS
from .views.image_files import read_color
from .views.views import read_mask_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .shared.capture.capture import Capture, Frame
    from .shared.progress import Progress


class NewFolder(AtomicFolder):
    """A folder that replaces nothing."""

    def check_destination(self) -> None:
        """Refuse a folder that holds anything.

        Raises:
            OutputNotWritable: if it does.
        """
        if self.destination.exists() and not is_empty_folder(self.destination):
            raise OutputNotWritable(
                f"{self.destination} exists and is not empty.", "Choose an empty or a new folder."
            )


def export_views(views: Path, output: Path, kind: str, progress: Progress) -> Capture:
    """Write a capture with its images and masks to a folder of its own.

    Images are copied as they are, but for those that EXIF turns: the cameras are for the turned
    picture, and not all programs turn it, so it is stored upright. Reading the folder again gives
    the same cameras, images and masks, and the same light if the capture has one.

    Args:
        views: capture folder, transforms.json or COLMAP model.
        output: an empty or a new folder.
        kind: one of `VIEW_FORMATS`.
        progress: of the stage `export`; may cancel.

    Returns:
        The capture that was read, with a warning that names files which have changed since the
        views were captured: the checksums of the copy are those of the changed ones.

    Raises:
        LsrmError: as `read_capture` raises.
        BadRequest: if there is no such format.
        BadImage: if a file is damaged, or cannot be stored upright.
        OutputNotWritable, DiskFull: if the folder cannot be written.
        Cancelled: if the user cancels the job.
    """
    if kind not in VIEW_FORMATS:
        remedy = f"Use {' or '.join(VIEW_FORMATS)}."
        raise BadRequest(f"Views cannot be exported as {kind}.", remedy)
    capture = with_changes_named(read_capture(views))
    with NewFolder(output) as folder:
        frames = []
        names = _file_names([frame.name for frame in capture.frames])
        for index, (frame, name) in enumerate(zip(capture.frames, names, strict=True)):
            progress.report("export", index / len(names), frame.name)
            frames.append(_copied(frame, name, folder))
        if kind == COLMAP:
            write_colmap_model(folder, frames)
        else:
            write_transforms(folder / TRANSFORMS_NAMES[0], frames)
        _copy_description(capture, folder, frames)
    progress.report("export", 1.0)
    return capture


def _file_names(names: Sequence[str]) -> list[str]:
    """Names of views without the blanks that COLMAP does not read."""
    joined = ["_".join(name.split()) for name in names]
    if len(set(joined)) == len(joined):
        return joined
    return [f"{index:04d}_{name}" for index, name in enumerate(joined)]


def _copied(frame: Frame, name: str, folder: Path) -> Frame:
    """Store image and mask of a frame in a folder; returns its frame there."""
    upright = frame.orientation == AS_STORED
    suffix = frame.image_path.suffix if upright else ".png"
    image = folder / IMAGES / f"{name}{suffix}"
    image.parent.mkdir(exist_ok=True)
    if upright:
        shutil.copyfile(frame.image_path, image)
    else:
        write_file_atomically(image, _upright_png(frame))
    copy = replace(frame, image_path=image, orientation=AS_STORED)
    if frame.mask_path is None:
        return copy
    # COLMAP's own name of a mask; other programs find it, too.
    mask = folder / MASKS / f"{image.name}.png"
    mask.parent.mkdir(exist_ok=True)
    as_it_is = frame.mask_orientation == AS_STORED and not frame.mask_inverted
    if as_it_is and frame.mask_path.suffix.lower() == ".png":
        shutil.copyfile(frame.mask_path, mask)
    else:
        coverage = read_mask_file(frame)
        assert coverage is not None  # noqa: S101 - it has a file
        write_file_atomically(mask, _png(np.rint(coverage * 255).astype(np.uint8)))
    return replace(copy, mask_path=mask, mask_orientation=AS_STORED, mask_inverted=False)


def _upright_png(frame: Frame) -> bytes:
    """The image of a frame as EXIF turns it, without loss.

    Raises:
        BadImage: if it has 16 bits.
    """
    lens = frame.intrinsics_on_disk
    size = (lens.width, lens.height)
    colors, alpha = read_color(frame.image_path, size, frame.orientation)
    if colors.dtype != np.uint8:
        raise BadImage(
            f"The image {frame.image_path.name} has 16 bits and is turned by EXIF.",
            "Store it upright, as the cameras are.",
        )
    return _png(colors if alpha is None else np.dstack([colors, alpha]))


def _png(pixels: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _copy_description(capture: Capture, folder: Path, frames: list[Frame]) -> None:
    """Copy what is known of the views beside their cameras, with the checksums of the copies."""
    for name in (ENVIRONMENT_NAME, WORLD_NAME):
        if (capture.folder / name).is_file():
            shutil.copyfile(capture.folder / name, folder / name)
    if not (capture.folder / CAPTURE_JSON).is_file():
        return
    description = read_capture_json(capture.folder)
    write_capture_json(folder, {**description, SHA256: checksums(folder, frames)})
