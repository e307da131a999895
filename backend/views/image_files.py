# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read colors, masks and other values from image files of any bit depth and channels.

PNG, JPEG, WebP and TIFF hold displayed colors, taken as sRGB; color profiles are not applied.
OpenEXR and Radiance pictures hold light. It is displayed as by Blender's view transform Standard at
exposure 0: the sRGB curve, clipped at 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..shared.capture.image_header import AS_STORED, LINEAR_FORMATS, read_image_header
from ..shared.capture.orientation import turn_pixels
from ..shared.errors import BadImage
from ..shared.radiance_hdr import read_hdr
from ..shared.srgb import linear_to_srgb
from .decoding import decode
from .exr_file import read_exr

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from .decoding import Pixels

    Coverage: TypeAlias = NDArray[np.float32]

# With four bytes each in memory; Pillow warns of larger images as a possible attack.
MAX_PIXELS = 80_000_000
# Amplitude of the artifacts of lossy formats at the edges of a mask, in 0..1.
LOSSY_RIPPLE = 0.06
LOSSY_FORMATS = frozenset({"JPEG", "WEBP"})


def read_color(
    path: Path, size: tuple[int, int], orientation: int = AS_STORED
) -> tuple[Pixels, Pixels | None]:
    """The colors of an image, and its alpha if it has any.

    Args:
        path: of the file.
        size: the expected width and height, of the image as it is turned.
        orientation: EXIF's number of how the image is turned.

    Returns:
        colors [height, width, 3], display-referred sRGB, not premultiplied; alpha [height, width],
        or None. Both have 8 or 16 bits.

    Raises:
        BadImage: if the file is missing, damaged, too large, or has another size.
    """
    found = _checked_format(path, size, orientation)
    stored = _displayed(*_read_light(path, found)) if found in LINEAR_FORMATS else decode(path)
    pixels = _turned(stored, orientation, path, size)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2), None
    return pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None


def read_mask(path: Path, size: tuple[int, int], orientation: int = AS_STORED) -> Coverage:
    """A mask as coverage [height, width] in 0..1.

    A mask with transparency is its alpha, a colored one its brightest channel. In masks of 0 and 1
    in 8 bits, 1 is full coverage. Arguments and errors are those of `read_color`.
    """
    found = _checked_format(path, size, orientation)
    if found in LINEAR_FORMATS:
        light, alpha = _read_light(path, found)
        coverage = np.nan_to_num(light.max(axis=2) if alpha is None else alpha).clip(0.0, 1.0)
        return np.asarray(_turned(coverage, orientation, path, size), dtype=np.float32)
    pixels = _turned(decode(path), orientation, path, size)
    full = np.iinfo(pixels.dtype).max
    transparent = pixels.shape[2] == 4 and pixels[..., 3].min() < full
    values = pixels[..., 3] if transparent else pixels[..., :3].max(axis=2)
    if full == 255 and values.max() == 1:
        full = 1
    coverage = values.astype(np.float32) / np.float32(full)
    if found in LOSSY_FORMATS:
        coverage = ((coverage - LOSSY_RIPPLE) / (1 - 2 * LOSSY_RIPPLE)).clip(0.0, 1.0)
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
    if _checked_format(path, size, AS_STORED) in LINEAR_FORMATS:
        raise BadImage(f"The file {path} holds light, not values.", "Save it as 16-bit PNG.")
    pixels = _turned(decode(path), AS_STORED, path, size)[..., :3]
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def _checked_format(path: Path, size: tuple[int, int], orientation: int) -> str:
    """The format of an image.

    Raises:
        BadImage: if it is incomplete, too large, or of another size than expected.
    """
    header = read_image_header(path)
    width, height = header.size(orientation)
    _check_size(path, (width, height), size)
    if width * height > MAX_PIXELS:
        raise BadImage(
            f"The file {path} has {width * height / 1e6:.0f} million pixels.",
            f"Use images of at most {MAX_PIXELS / 1e6:.0f} million pixels.",
        )
    return header.format


def _check_size(path: Path, found: tuple[int, int], expected: tuple[int, int]) -> None:
    """Raise if an image has another width and height than expected."""
    if found != expected:
        raise BadImage(
            f"The file {path} is {found[0]} x {found[1]} pixels "
            f"instead of {expected[0]} x {expected[1]}.",
            "Use images and masks of the size that transforms.json states.",
        )


def _turned(
    pixels: NDArray[Any], orientation: int, path: Path, size: tuple[int, int]
) -> NDArray[Any]:
    """Stored pixels [height, width, ...] in an EXIF orientation, with the expected size."""
    turned = turn_pixels(pixels, orientation)
    _check_size(path, (turned.shape[1], turned.shape[0]), size)
    return turned


def _read_light(path: Path, found: str) -> tuple[Coverage, Coverage | None]:
    """Linear colors [height, width, 3], premultiplied; alpha [height, width] or None."""
    return read_exr(path, MAX_PIXELS) if found == "EXR" else (read_hdr(path), None)


def _displayed(light: Coverage, alpha: Coverage | None) -> NDArray[np.uint16]:
    """Light as displayed, not premultiplied, with its alpha if there is any, in 16 bits."""
    if alpha is None:
        return _deep(linear_to_srgb(np.nan_to_num(light).clip(0.0, 1.0)))
    opacity = np.nan_to_num(alpha).clip(0.0, 1.0)[..., None]
    with np.errstate(over="ignore"):
        straight = np.nan_to_num(light) / np.where(opacity > 0, opacity, 1)
    return _deep(np.concatenate([linear_to_srgb(straight.clip(0.0, 1.0)), opacity], axis=2))


def _deep(values: Coverage) -> NDArray[np.uint16]:
    """Values in 0..1 as 16 bits."""
    rounded: NDArray[np.uint16] = np.rint(values * 65535).astype(np.uint16)
    return rounded
