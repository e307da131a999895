# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a PNG or JPEG image from the header of its file, without an imaging library."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from ..errors import BadImage

if TYPE_CHECKING:
    from pathlib import Path

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Start-of-frame markers are followed by the size; three codes in their range are other markers.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels; the EXIF orientation of a photograph is not applied.

    Raises:
        BadImage: if the file cannot be read, is neither PNG nor JPEG, or is incomplete.
    """
    try:
        with path.open("rb") as file:
            size = _png_size(file) or _jpeg_size(file)
    except OSError as error:
        raise BadImage(
            f"The image {path} cannot be read ({error.strerror}).",
            "Check the file and its permissions.",
        ) from error
    except (struct.error, IndexError):
        size = None
    if size is None or min(size) < 1:
        raise BadImage(
            f"The file {path} is not a complete PNG or JPEG image.",
            "Copy it again from its source, or save it as 8-bit PNG.",
        )
    return size


def _png_size(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height in the header chunk, which comes first; None if the file is no PNG."""
    head = file.read(24)
    if not head.startswith(PNG_SIGNATURE) or head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height in the first frame header; None if the file is no JPEG."""
    file.seek(0)
    if file.read(2) != JPEG_START:
        return None
    while True:
        if file.read(1)[0] != 0xFF:
            return None
        marker = file.read(1)[0]
        while marker == 0xFF:
            marker = file.read(1)[0]
        (length,) = struct.unpack(">H", file.read(2))
        if marker in JPEG_FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)
