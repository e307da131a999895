# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read colors, masks and other values from PNG and JPEG files of any bit depth and channels.

Pixels stay as stored: the intrinsics are for them, so the EXIF orientation of a photograph is not
applied. Color profiles are not applied either; colors are sRGB.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image
from PIL.Image import DecompressionBombError

from ..shared.capture.image_header import image_size
from ..shared.errors import BadImage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Coverage: TypeAlias = NDArray[np.float32]

# With four bytes each in memory; Pillow warns of larger images as a possible attack.
MAX_PIXELS = 80_000_000
# Amplitude of JPEG's artifacts at the edges of a mask, in 0..1.
JPEG_RIPPLE = 0.06
# All exceptions that Pillow raises for damaged files.
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, DecompressionBombError)


def read_color(path: Path, size: tuple[int, int]) -> tuple[Bytes, Bytes | None]:
    """The colors of an image, and its alpha if it has any.

    Args:
        path: of a PNG or JPEG file.
        size: the expected width and height.

    Returns:
        colors [height, width, 3], display-referred sRGB, not premultiplied; alpha [height, width],
        or None.

    Raises:
        BadImage: if the file is missing, damaged, too large, or has another size.
    """
    image = _open(path, size)
    if _is_deep_gray(image):
        # Pillow clips 16-bit gray values instead of scaling them.
        gray = (np.asarray(image, dtype=np.uint32) + 128) // 257
        return np.repeat(gray.astype(np.uint8)[..., None], 3, axis=-1), None
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB")), None
    pixels = np.asarray(image.convert("RGBA"))
    return pixels[..., :3], pixels[..., 3]


def read_mask(path: Path, size: tuple[int, int]) -> Coverage:
    """A mask as coverage [height, width] in 0..1.

    Gray masks may have 1, 8 or 16 bits. A mask with transparency is its alpha, a colored one its
    brightest channel. In masks of 0 and 1 in 8 bits, 1 is full coverage.

    Raises:
        BadImage: if the file is missing, damaged, too large, or has another size than the image.
    """
    image = _open(path, size)
    if _is_deep_gray(image):
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        opaque = pixels[..., 3].min() == 255
        values = pixels[..., :3].max(axis=-1) if opaque else pixels[..., 3]
    else:
        pixels = np.asarray(image.convert("RGB" if image.mode != "L" else "L"))
        values = pixels if pixels.ndim == 2 else pixels.max(axis=-1)
    coverage = values.astype(np.float32) / np.float32(1 if values.max() == 1 else 255)
    if image.format != "PNG":
        coverage = ((coverage - JPEG_RIPPLE) / (1 - 2 * JPEG_RIPPLE)).clip(0.0, 1.0)
    return coverage


def read_values(path: Path, size: tuple[int, int]) -> Coverage:
    """The stored values of a gray or RGB image in its full depth, 8 or 16 bits.

    Args:
        path: of the file.
        size: the expected width and height.

    Returns:
        [height, width, 1 or 3] in 0..1.

    Raises:
        BadImage: if the file is missing, damaged, too large, or has another size.
    """
    image = _open(path, size)
    if _is_deep_gray(image):
        return np.asarray(image).astype(np.float32)[..., None] / np.float32(65535)
    pixels = np.asarray(image if image.mode == "L" else image.convert("RGB")).astype(np.float32)
    low = _low_bytes(path)
    if low is not None:
        return (pixels * np.float32(256) + low) / np.float32(65535)
    return pixels.reshape(*pixels.shape[:2], -1) / np.float32(255)


def _low_bytes(path: Path) -> Bytes | None:
    """The low bytes [height, width, 3] of a PNG with 16-bit RGB; None for any other file.

    Pillow keeps the high byte of every value only. When the bytes are declared to be in the other
    order, it keeps the low one.
    """
    with Image.open(path) as image:
        tile = image.tile[0]
        if tile.args != "RGB;16B":
            return None
        image.tile = [tile._replace(args="RGB;16L")]
        return np.asarray(image)


def _is_deep_gray(image: Image.Image) -> bool:
    """Whether an image is 16-bit gray."""
    return image.mode.startswith("I")


def _open(path: Path, size: tuple[int, int]) -> Image.Image:
    """A decoded image.

    Raises:
        BadImage: if it is damaged, too large, or of another size than expected.
    """
    found = image_size(path)
    if found != size:
        raise BadImage(
            f"The file {path} is {found[0]} x {found[1]} pixels instead of {size[0]} x {size[1]}.",
            "Use images and masks of the size that transforms.json states.",
        )
    if found[0] * found[1] > MAX_PIXELS:
        raise BadImage(
            f"The file {path} has {found[0] * found[1] / 1e6:.0f} million pixels.",
            f"Use images of at most {MAX_PIXELS / 1e6:.0f} million pixels.",
        )
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
            return image
    except PILLOW_ERRORS as error:
        raise BadImage(
            f"The file {path} is damaged ({error}).", "Copy it again from its source."
        ) from error
