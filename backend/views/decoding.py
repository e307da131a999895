# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode PNG, JPEG, WebP and TIFF files in the depth that they have, with Pillow."""

from __future__ import annotations

import struct
import sys
import warnings
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image
from PIL.Image import DecompressionBombError, Transpose

from ..shared.errors import BadImage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
ORIENTATION = 0x0112
# All exceptions that Pillow raises for damaged files.
PILLOW_ERRORS = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(struct.error, EOFError, RuntimeError, MemoryError, AssertionError, DecompressionBombError),
)
# What takes back an EXIF orientation.
STORED = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
# Layouts of 16-bit pixels, and those whose low byte lies where the high byte of the first one does.
OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
DEEP_COLORS = frozenset({"RGB;16", "RGBA;16", "RGBX;16"})


def decode(path: Path) -> Pixels:
    """The pixels of an image as stored: no orientation is applied.

    Returns:
        [height, width, 1, 3 or 4]: gray, RGB or RGB with alpha, not premultiplied. Gray and color
        of 16 bits keep them, all others have 8.

    Raises:
        BadImage: if the file is missing or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image, layout = _load(path)
            pixels = _as_array(image)
            if layout[:-1] in DEEP_COLORS:
                low = _as_array(_load(path, low_bytes=True)[0])
                return np.uint16(256) * pixels + low
            return pixels
    except PILLOW_ERRORS as error:
        raise BadImage(
            f"The file {path} is damaged ({error}).", "Copy it again from its source."
        ) from error


def _load(path: Path, *, low_bytes: bool = False) -> tuple[Image.Image, str]:
    """An image in memory, and the layout of its pixels in the file.

    Pillow keeps the high byte of every 16-bit color only. When the bytes are declared to be in the
    other order, it keeps the low one.
    """
    with Image.open(path, formats=FORMATS) as image:
        layout = _layout(image.tile[0].args) if image.tile else ""
        if low_bytes:
            other = layout[:-1] + OTHER_ORDER[layout[-1]]
            image.tile = [
                tile._replace(
                    args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other
                )
                for tile in image.tile
            ]
        # Pillow turns TIFF files, and no others, as their orientation says.
        shown = image.getexif().get(ORIENTATION) if image.format == "TIFF" else None
        image.load()
        return (image.transpose(STORED[shown]) if shown in STORED else image), layout


def _layout(args: tuple[object, ...] | str | None) -> str:
    """The layout of pixels among the arguments of a decoder."""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _as_array(image: Image.Image) -> Pixels:
    """The pixels of a decoded image, [height, width, 1, 3 or 4]."""
    if image.mode.startswith("I"):
        # Pillow clips deep gray values instead of scaling them.
        deep: Pixels = np.asarray(image).clip(0, 65535).astype(np.uint16)[..., None]
        return deep
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image)).clip(0.0, 1.0)
        rounded: Pixels = np.rint(values * 65535).astype(np.uint16)[..., None]
        return rounded
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))
