# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made masks on disk: where the next run finds them, and on one picture for a person."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image
from scipy import ndimage

from ..shared.atomic_folder import write_file_atomically
from .mask_making import enlarge
from .photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame
    from .mask_making import MadeMasks

    Bools: TypeAlias = NDArray[np.bool_]

FOLDER = "masks"
CONTACT_SHEET = "masks.png"
# Of the pictures on the contact sheet, in pixels, and how many are in a row.
THUMBNAIL, PER_ROW = 192, 8
OUTLINE = (255, 0, 220)
DIMMED = 0.45


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
    folder = capture / FOLDER
    if paths is None or not _is_writable(folder):
        folder = result / FOLDER
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


def write_contact_sheet(made: MadeMasks, path: Path) -> None:
    """Write a picture of all views whose masks were made, with outlines.

    Raises:
        OSError: if it cannot be written.
    """
    shown = [
        _thumbnail(frame, mask)
        for frame, mask, new in zip(made.frames, made.masks, made.made, strict=True)
        if new
    ]
    rows = -(-len(shown) // PER_ROW)
    columns = min(PER_ROW, len(shown))
    sheet = Image.new("RGB", (columns * THUMBNAIL, rows * THUMBNAIL))
    for index, thumbnail in enumerate(shown):
        place = (index % PER_ROW * THUMBNAIL, index // PER_ROW * THUMBNAIL)
        sheet.paste(thumbnail, place)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_file_atomically(path, buffer.getvalue())


def _paths(frames: Sequence[Frame], capture: Path) -> dict[str, Path] | None:
    """Where the next run looks for the masks; None if that is not possible, or a file is there."""
    paths = {}
    for frame in frames:
        try:
            parts = frame.image_path.relative_to(capture).parts
        except ValueError:  # the image lies elsewhere
            return None
        paths[frame.name] = capture.joinpath(FOLDER, *parts[1:-1], f"{frame.image_path.stem}.png")
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


def _thumbnail(frame: Frame, mask: Bools) -> Image.Image:
    """A small view, dimmed where there is no object, with the outline of the mask."""
    photograph = Photograph.read(frame, THUMBNAIL, masked=False)
    height, width = photograph.shape
    rows = (np.arange(height) * 2 + 1) * mask.shape[0] // (2 * height)
    columns = (np.arange(width) * 2 + 1) * mask.shape[1] // (2 * width)
    small = mask[rows[:, None], columns]
    pixels = photograph.colors.copy()
    pixels[~small] = (pixels[~small] * DIMMED).astype(np.uint8)
    pixels[ndimage.binary_dilation(small) & ~small] = OUTLINE
    return Image.fromarray(pixels)
