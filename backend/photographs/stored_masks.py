# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made masks on disk: where the next run finds them, and on one picture for a person."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from ..shared.atomic_folder import write_file_atomically
from ..shared.names.result_names import MASKS
from ..views.contact_sheet import THUMBNAIL, Picture, write_contact_sheet
from .mask_making import enlarge
from .photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame
    from .mask_making import MadeMasks

    Bools: TypeAlias = NDArray[np.bool_]

CONTACT_SHEET = "masks.png"


def store_masks(made: MadeMasks, capture: Path, result: Path) -> tuple[list[Frame], Path]:
    """Write the masks that were made as PNG files of the size of the images.

    They lie in `masks` of the capture, under the names that are looked for in the next run, or in
    `masks` of the result, if the capture cannot be written. No existing file is overwritten.

    Args:
        made: masks of all photographs.
        capture: folder of transforms.json.
        result: folder for those that the capture does not take.

    Returns:
        The frames with the paths of their masks, and the folder of the masks that were made.

    Raises:
        OSError: if neither folder can be written.
    """
    new = [frame for frame, is_new in zip(made.frames, made.made, strict=True) if is_new]
    paths = _paths(new, capture)
    folder = capture / MASKS
    if paths is None or not _is_writable(folder):
        folder = result / MASKS
        paths = {frame.name: folder / f"{frame.name}.png" for frame in new}
    frames = []
    for frame, mask in zip(made.frames, made.masks, strict=True):
        if frame.name in paths:
            path = paths[frame.name]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file_atomically(path, _png(mask, frame))
            frames.append(replace(frame, mask_path=path, mask_orientation=1, mask_inverted=False))
        else:
            frames.append(frame)
    return frames, folder


def write_sheet_of_masks(made: MadeMasks, path: Path) -> None:
    """Write a picture of all views whose masks were made, with outlines.

    Raises:
        OSError: if it cannot be written.
    """
    pictures = [
        _picture(frame, mask)
        for frame, mask, new in zip(made.frames, made.masks, made.made, strict=True)
        if new
    ]
    write_contact_sheet(pictures, path)


def _paths(frames: Sequence[Frame], capture: Path) -> dict[str, Path] | None:
    """Where the next run looks for the masks; None if that is not possible, or a file is there."""
    paths = {}
    for frame in frames:
        try:
            parts = frame.image_path.relative_to(capture).parts
        except ValueError:  # the image lies elsewhere
            return None
        paths[frame.name] = capture.joinpath(MASKS, *parts[1:-1], f"{frame.image_path.stem}.png")
    distinct = set(paths.values())
    if len(distinct) < len(paths) or any(path.exists() for path in distinct):
        return None
    return paths


def _is_writable(folder: Path) -> bool:
    """Whether files can be written to a folder, which is made for that."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".lsrm-probe"
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _png(mask: Bools, frame: Frame) -> bytes:
    """A mask as PNG of the size of the image, white on the object."""
    lens = frame.intrinsics_on_disk
    pixels = enlarge(mask, lens.height, lens.width).astype(np.uint8) * np.uint8(255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _picture(frame: Frame, mask: Bools) -> Picture:
    """A small picture of a view with its mask."""
    photograph = Photograph.read(frame, THUMBNAIL, masked=False)
    height, width = photograph.shape
    rows = (np.arange(height) * 2 + 1) * mask.shape[0] // (2 * height)
    columns = (np.arange(width) * 2 + 1) * mask.shape[1] // (2 * width)
    return Picture(photograph.colors, mask[rows[:, None], columns])
