# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: small pictures of all views on one image, with the outlines of their masks."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image
from scipy import ndimage

from ..shared.atomic_folder import write_file_atomically
from .image_files import read_color
from .resize import average_down

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..shared.capture.capture import Frame
    from .views import View

    Bools: TypeAlias = NDArray[np.bool_]
    Bytes: TypeAlias = NDArray[np.uint8]

THUMBNAIL = 192
"""Longest side of a picture, in pixels."""

SHEET_SIZE = 400
"""About the side in pixels of a sheet that is for a glance, such as that of the panel."""

OUTLINE = (255, 0, 220)
DIMMED = 0.45
"""Factor on the surroundings of the object."""

SURROUNDINGS = (48, 48, 48)
"""Color of the sheet between pictures of different shapes."""


@dataclass(frozen=True)
class Picture:
    """A small picture of a view.

    Attributes:
        colors: [height, width, 3], display-referred sRGB.
        mask: [height, width], where the object is; None if that is not known.
    """

    colors: Bytes
    mask: Bools | None = None

    @classmethod
    def from_view(cls, view: View, side: int = THUMBNAIL) -> Picture:
        """A view in memory, averaged down to a longest side in pixels."""
        small = view.shrunk(side)
        return cls(np.rint(255.0 * small.image.clip(0.0, 1.0)).astype(np.uint8), small.mask >= 0.5)

    @classmethod
    def from_frame(cls, frame: Frame, side: int = THUMBNAIL) -> Picture:
        """The image of a frame as it is on disk, averaged down to a longest side in pixels.

        Raises:
            BadImage: if the file is missing, damaged, or of another size.
        """
        lens = frame.intrinsics_on_disk
        small = lens.limited(side)
        pixels, _ = read_color(frame.image_path, (lens.width, lens.height), frame.orientation)
        levels = pixels.astype(np.float32) * np.float32(255 / np.iinfo(pixels.dtype).max)
        channels = [average_down(levels[..., c], small.height, small.width) for c in range(3)]
        return cls(np.rint(np.stack(channels, axis=2)).astype(np.uint8))

    def drawn(self) -> Image.Image:
        """The picture, dimmed where there is no object, with the outline of the mask."""
        pixels = self.colors.copy()
        if self.mask is not None:
            pixels[~self.mask] = (pixels[~self.mask] * DIMMED).astype(np.uint8)
            pixels[ndimage.binary_dilation(self.mask) & ~self.mask] = OUTLINE
        return Image.fromarray(pixels)


def picture_side(count: int) -> int:
    """The longest side of the pictures on a sheet for a glance, in pixels."""
    return min(THUMBNAIL, SHEET_SIZE // math.ceil(math.sqrt(count)))


def write_contact_sheet(pictures: Sequence[Picture], path: Path) -> None:
    """Write pictures as a PNG file, in their order, on a sheet that is about a square.

    Args:
        pictures: one or more.
        path: of the file.

    Raises:
        OSError: if it cannot be written.
    """
    width = max(picture.colors.shape[1] for picture in pictures)
    height = max(picture.colors.shape[0] for picture in pictures)
    columns = _columns(len(pictures), width, height)
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * width, rows * height), SURROUNDINGS)
    for index, picture in enumerate(pictures):
        rest = width - picture.colors.shape[1], height - picture.colors.shape[0]
        corner = index % columns * width + rest[0] // 2, index // columns * height + rest[1] // 2
        sheet.paste(picture.drawn(), corner)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_file_atomically(path, buffer.getvalue())


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns of cells with which a sheet fits the smallest square."""

    def side(columns: int) -> int:
        return max(columns * width, math.ceil(count / columns) * height)

    return min(range(count, 0, -1), key=side)
