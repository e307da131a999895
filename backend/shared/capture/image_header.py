# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Format, size and EXIF orientation of an image from its header, without an imaging library."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ..errors import BadImage
from ..radiance_hdr import SIGNATURES, hdr_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = "PNG, JPEG, WebP, TIFF, OpenEXR or Radiance"
# These hold light, not displayed colors.
LINEAR_FORMATS = frozenset({"EXR", "HDR"})

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Start-of-frame markers are followed by the size; three codes in their range are other markers.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_EXIF_SEGMENT = 0xE1
EXIF_PREFIX = b"Exif\0\0"
EXR_SIGNATURE = b"v/1\x01"
TIFF_SIGNATURES = {b"II*\0": "<", b"MM\0*": ">"}
TIFF_WIDTH, TIFF_HEIGHT, TIFF_ORIENTATION = 256, 257, 274
# Byte, short and long: the types of the entries that are read.
TIFF_TYPES = {1: "B", 3: "H", 4: "I"}
AS_STORED = 1
# EXIF orientations that exchange width and height.
TURNED_ON_THE_SIDE = frozenset({5, 6, 7, 8})
# More than any header of a Radiance picture.
HDR_HEAD = 1 << 16


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image file says.

    Attributes:
        format: "PNG", "JPEG", "WEBP", "TIFF", "EXR" or "HDR".
        width: of the picture as stored, in pixels.
        height: of the picture as stored, in pixels.
        orientation: EXIF's number from 1 to 8 of how the picture is meant to be shown; 1, as
            stored, if the file does not say.
    """

    format: str
    width: int
    height: int
    orientation: int = AS_STORED

    def size(self, orientation: int = AS_STORED) -> tuple[int, int]:
        """Width and height of the picture when it is shown in an EXIF orientation."""
        if orientation in TURNED_ON_THE_SIDE:
            return self.height, self.width
        return self.width, self.height


def read_image_header(path: Path) -> ImageHeader:
    """Read the header of an image.

    Raises:
        BadImage: if the file cannot be read, has another format, or is incomplete.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file)
    except OSError as error:
        raise BadImage(
            f"The image {path} cannot be read ({error.strerror}).",
            "Check the file and its permissions.",
        ) from error
    except (struct.error, IndexError, KeyError, ValueError):
        header = None
    if header is None or min(header.size()) < 1:
        raise BadImage(
            f"The file {path} is not a complete {FORMATS} image.",
            "Copy it again from its source, or save it as PNG.",
        )
    return header


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored; the EXIF orientation is not applied.

    Raises:
        BadImage: as for `read_image_header`.
    """
    return read_image_header(path).size()


def _read_header(file: BinaryIO) -> ImageHeader | None:
    """The header of a file of any format; None if it has none of them."""
    head = file.read(16)
    file.seek(0)
    if head.startswith(PNG_SIGNATURE):
        return _png_header(file)
    if head.startswith(JPEG_START):
        return _jpeg_header(file)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp_header(file)
    if head[:4] in TIFF_SIGNATURES:
        entries = _tiff_entries(file)
        size = entries[TIFF_WIDTH], entries[TIFF_HEIGHT]
        return ImageHeader("TIFF", *size, _checked_orientation(entries))
    if head.startswith(EXR_SIGNATURE):
        return _exr_header(file)
    if head.startswith(SIGNATURES):
        return ImageHeader("HDR", *hdr_size(file.read(HDR_HEAD)))
    return None


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    """The next numbers of a file; `struct.error` at its end."""
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _png_header(file: BinaryIO) -> ImageHeader | None:
    """The size is in the first chunk; the orientation in an eXIf chunk, which may come anywhere."""
    file.seek(len(PNG_SIGNATURE))
    width = height = 0
    orientation = AS_STORED
    for kind, length in _chunks(file, ">I4s"):
        if kind == b"IHDR":
            width, height = _unpack(file, ">II")
        elif not width or kind == b"IEND":
            break
        elif kind == b"eXIf":
            orientation = _exif_orientation(file.read(length))
    return ImageHeader("PNG", width, height, orientation)


def _chunks(file: BinaryIO, form: str) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk of a PNG or WebP file, which stands at its data then."""
    while len(head := file.read(8)) == 8:
        first, second = struct.unpack(form, head)
        kind, length = (second, first) if form == ">I4s" else (first, second)
        start = file.tell()
        yield kind, length
        # A checksum follows in PNG; WebP pads to even lengths.
        file.seek(start + length + (4 if form == ">I4s" else length % 2))


def _jpeg_header(file: BinaryIO) -> ImageHeader | None:
    """The size is in the first frame header, behind the EXIF segment."""
    file.seek(len(JPEG_START))
    orientation = AS_STORED
    while file.read(1)[0] == 0xFF:
        marker = file.read(1)[0]
        while marker == 0xFF:
            marker = file.read(1)[0]
        (length,) = _unpack(file, ">H")
        if marker in JPEG_FRAMES:
            _, height, width = _unpack(file, ">BHH")
            return ImageHeader("JPEG", width, height, orientation)
        data = file.read(max(length - 2, 0)) if marker == JPEG_EXIF_SEGMENT else b""
        if data.startswith(EXIF_PREFIX):
            orientation = _exif_orientation(data)
        file.seek(max(length - 2, 0) - len(data), os.SEEK_CUR)
    return None


def _webp_header(file: BinaryIO) -> ImageHeader | None:
    """Lossy, lossless and extended files state their size in different ways."""
    file.seek(12)
    width = height = 0
    orientation = AS_STORED
    for kind, length in _chunks(file, "<4sI"):
        if kind == b"VP8X":
            data = file.read(10)
            width = int.from_bytes(data[4:7], "little") + 1
            height = int.from_bytes(data[7:10], "little") + 1
        elif kind == b"VP8 " and not width:
            start, width, height = struct.unpack("<6sHH", file.read(10))
            width, height = width & 0x3FFF, height & 0x3FFF
            if start[3:] != b"\x9d\x01\x2a":
                return None
        elif kind == b"VP8L" and not width:
            _, bits = _unpack(file, "<BI")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            orientation = _exif_orientation(file.read(length))
    return ImageHeader("WEBP", width, height, orientation)


def _exr_header(file: BinaryIO) -> ImageHeader | None:
    """The display window of the first part; the pixels of the data window lie in it."""
    file.seek(8)
    while name := _text(file):
        kind, (length,) = _text(file), _unpack(file, "<i")
        if name == b"displayWindow" and kind == b"box2i":
            left, top, right, bottom = _unpack(file, "<4i")
            return ImageHeader("EXR", right - left + 1, bottom - top + 1)
        file.seek(max(length, 0), os.SEEK_CUR)
    return None


def _text(file: BinaryIO) -> bytes:
    """A name of an OpenEXR header, which ends with a zero."""
    name = b""
    while (letter := file.read(1)) not in {b"", b"\0"} and len(name) < 256:
        name += letter
    return name


def _exif_orientation(data: bytes) -> int:
    """The orientation in the EXIF of a file; damaged EXIF says nothing."""
    try:
        return _checked_orientation(_tiff_entries(io.BytesIO(data.removeprefix(EXIF_PREFIX))))
    except (struct.error, KeyError):
        return AS_STORED


def _checked_orientation(entries: dict[int, int]) -> int:
    """The orientation among TIFF entries; numbers that EXIF does not know count as none."""
    orientation = entries.get(TIFF_ORIENTATION, AS_STORED)
    return orientation if orientation in range(1, 9) else AS_STORED


def _tiff_entries(file: BinaryIO) -> dict[int, int]:
    """The single numbers of the first directory, by tag; that of EXIF is such a directory, too."""
    order = TIFF_SIGNATURES[file.read(4)]
    (start,) = _unpack(file, order + "I")
    file.seek(start)
    (count,) = _unpack(file, order + "H")
    entries = {}
    for _ in range(count):
        tag, kind, values, data = struct.unpack(order + "HHI4s", file.read(12))
        if values == 1 and kind in TIFF_TYPES:
            (entries[tag],) = struct.unpack_from(order + TIFF_TYPES[kind], data)
    return entries
