# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Radiance .hdr pictures: linear RGB as RGBE, flat or run-length encoded.

A pixel is three mantissas and one exponent: value = mantissa * 2^(exponent - 136). The largest
component thus keeps 8 bits, a relative error of at most 1/256.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .atomic_folder import write_file_atomically
from .errors import BadImage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Bytes: TypeAlias = NDArray[np.uint8]

SIGNATURES = (b"#?RADIANCE", b"#?RGBE")
# Run-length encoding stores the width in 15 bits and exists from 8 pixels on.
RLE_WIDTHS = range(8, 1 << 15)
# Of one packet: a count above 128 is that of a run, others are that of literal bytes.
LONGEST_RUN = 127
LONGEST_LITERAL = 128
# Shorter runs take as many bytes as literals.
SHORTEST_RUN = 4
# 16k x 8k; a header with more is damaged, or an attack.
MAX_PIXELS = 1 << 27
EXPONENT_BIAS = 136
REMEDY = "Save the picture again as Radiance RGBE (.hdr)."


def read_hdr(path: Path) -> NDArray[np.float32]:
    """Read a Radiance picture.

    Returns:
        [height, width, 3] float32, linear, row 0 on top. An EXPOSURE in the header is divided out.

    Raises:
        BadImage: if the file is missing, cut short, or no RGBE picture with the usual row order.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadImage(
            f"The picture {path} cannot be read ({error.strerror}).",
            "Check the file and its permissions.",
        ) from error
    width, height, exposure, start = _parse_header(data, path)
    try:
        rgbe = _decode_rows(data, start, width, height)
    except (IndexError, ValueError) as error:
        raise BadImage(f"The picture {path} is damaged ({error}).", REMEDY) from error
    return _to_linear(rgbe) / np.float32(exposure)


def hdr_size(head: bytes) -> tuple[int, int]:
    """Width and height in the header of a Radiance picture.

    Raises:
        ValueError: if it is damaged.
    """
    match = re.search(rb"\n\n-Y (\d{1,9}) \+X (\d{1,9})\r?\n", head)
    if match is None:
        raise ValueError("no size with the usual row order")
    return int(match[2]), int(match[1])


def sample_panorama(
    panorama: NDArray[np.floating[Any]], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The light of a panorama from some directions, bilinear, in Blender's mapping.

    The column is 0.5 - atan2(y, x) / 2 pi of the width, the row 0.5 - asin(z) / pi of the height.

    Args:
        panorama: equirectangular, linear RGB, [height, width, 3], row 0 on top.
        directions: of any length, [..., 3].

    Returns:
        Radiance, [..., 3].
    """
    height, width = panorama.shape[:2]
    x, y, z = np.moveaxis(directions, -1, 0)
    column = (0.5 - np.arctan2(y, x) / (2.0 * np.pi)) * width - 0.5
    row = (0.5 - np.arctan2(z, np.hypot(x, y)) / np.pi) * height - 0.5
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    across, down = (column - left)[..., None], (row - top)[..., None]
    columns = left % width, (left + 1) % width
    rows = np.clip(top, 0, height - 1), np.clip(top + 1, 0, height - 1)
    pixels = panorama.reshape(-1, 3)
    upper, lower = (
        pixels.take(r * width + columns[0], axis=0) * (1 - across)
        + pixels.take(r * width + columns[1], axis=0) * across
        for r in rows
    )
    sampled: NDArray[np.float64] = upper * (1 - down) + lower * down
    return sampled


def write_hdr(path: Path, image: ArrayLike) -> None:
    """Write a Radiance picture, run-length encoded where the width allows it.

    Args:
        path: of the file, which is written atomically.
        image: [height, width, 3], linear, row 0 on top. Negative values and NaN become
            zero; the largest value is 1.7e38.

    Raises:
        OSError: if the folder cannot be written.
    """
    rgbe = _to_rgbe(np.asarray(image, dtype=np.float32))
    height, width = rgbe.shape[:2]
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode("ascii")
    body = _encode_rows(rgbe) if width in RLE_WIDTHS else rgbe.tobytes()
    write_file_atomically(path, header + body)


def _parse_header(data: bytes, path: Path) -> tuple[int, int, float, int]:
    """Width, height, exposure, and the offset of the pixels."""
    text, blank, _ = data.partition(b"\n\n")
    if not (data.startswith(SIGNATURES) and blank):
        raise BadImage(f"The file {path} is not a Radiance picture.", REMEDY)
    line_end = data.find(b"\n", len(text) + 2)
    size = re.fullmatch(rb"-Y (\d{1,9}) \+X (\d{1,9})\r?", data[len(text) + 2 : max(line_end, 0)])
    form = re.search(rb"^FORMAT=(\S+)", text, re.MULTILINE)
    if size is None or (form is not None and form[1] != b"32-bit_rle_rgbe"):
        raise BadImage(f"The picture {path} has unusual colors (XYZE) or row order.", REMEDY)
    height, width = int(size[1]), int(size[2])
    if not 0 < width * height <= MAX_PIXELS:
        raise BadImage(f"The picture {path} claims {width} x {height} pixels.", REMEDY)
    return width, height, _exposure(text, path), line_end + 1


def _exposure(header: bytes, path: Path) -> float:
    """The product of all EXPOSURE lines."""
    try:
        exposure = math.prod(map(float, re.findall(rb"^EXPOSURE=(.*)$", header, re.MULTILINE)))
    except ValueError:
        exposure = 0.0
    if not 0.0 < exposure < math.inf:
        raise BadImage(f"The picture {path} has no usable EXPOSURE.", REMEDY)
    return exposure


def _decode_rows(data: bytes, start: int, width: int, height: int) -> Bytes:
    """The RGBE bytes [height, width, 4].

    Raises:
        ValueError, IndexError: if the data is damaged.
    """
    encoded = data[start : start + 2] == b"\x02\x02" and width in RLE_WIDTHS
    if not encoded:
        flat = np.frombuffer(data, np.uint8, count=4 * width * height, offset=start)
        if (flat.reshape(-1, 4)[:, :3] == 1).all(axis=1).any():
            raise ValueError(
                "it has the run-length encoding of before 1991, which is not supported"
            )
        return flat.reshape(height, width, 4)
    mark = bytes((2, 2, width >> 8, width & 255))
    planes = bytearray()
    position = start
    for row in range(height):
        if data[position : position + 4] != mark:
            raise ValueError(f"row {row} does not start at the expected byte")
        position = _decode_row(data, position + 4, planes, 4 * width * (row + 1))
    return np.frombuffer(planes, np.uint8).reshape(height, 4, width).transpose(0, 2, 1)


def _decode_row(data: bytes, position: int, planes: bytearray, end: int) -> int:
    """Append packets to `planes` until it has `end` bytes; returns the offset of the next row."""
    while len(planes) < end:
        count = data[position]
        if count > LONGEST_LITERAL:
            count -= LONGEST_LITERAL
            planes += data[position + 1 : position + 2] * count
            position += 2
        else:
            planes += data[position + 1 : position + 1 + count]
            position += 1 + count
    if len(planes) > end or position > len(data):
        raise ValueError("a row has another length than the picture")
    return position


def _encode_rows(rgbe: Bytes) -> bytes:
    """Run-length encode [height, width, 4], each component of each row separately."""
    width = rgbe.shape[1]
    mark = bytes((2, 2, width >> 8, width & 255))
    packets = bytearray()
    for row in np.ascontiguousarray(rgbe.transpose(0, 2, 1)):
        packets += mark
        for component in row:
            _encode_component(component, packets)
    return bytes(packets)


def _encode_component(values: Bytes, packets: bytearray) -> None:
    """Append one component [width] of one row as packets."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate(([0], edges))
    ends = np.concatenate((edges, [len(values)]))
    long_enough = ends - starts >= SHORTEST_RUN
    data = values.tobytes()
    done = 0
    for start, end in zip(starts[long_enough].tolist(), ends[long_enough].tolist(), strict=True):
        _append_literal(data, done, start, packets)
        for offset in range(start, end, LONGEST_RUN):
            packets.append(LONGEST_LITERAL + min(LONGEST_RUN, end - offset))
            packets.append(data[start])
        done = end
    _append_literal(data, done, len(data), packets)


def _append_literal(data: bytes, start: int, end: int, packets: bytearray) -> None:
    """Append data[start:end] as literal packets."""
    for offset in range(start, end, LONGEST_LITERAL):
        chunk = data[offset : min(offset + LONGEST_LITERAL, end)]
        packets.append(len(chunk))
        packets += chunk


def _to_linear(rgbe: Bytes) -> NDArray[np.float32]:
    """Mantissas and exponent [..., 4] as linear RGB [..., 3]; exponent 0 is black."""
    exponent = rgbe[..., 3:].astype(np.int32)
    mantissa = np.where(exponent > 0, rgbe[..., :3], 0).astype(np.float32)
    linear: NDArray[np.float32] = np.ldexp(mantissa, exponent - EXPONENT_BIAS)
    return linear


def _to_rgbe(linear: NDArray[np.float32]) -> Bytes:
    """Linear RGB [height, width, 3] as mantissas and exponent, rounded to nearest."""
    highest = float(np.ldexp(255.0, 255 - EXPONENT_BIAS))
    light = np.nan_to_num(linear, nan=0.0, posinf=highest).clip(0.0, highest)
    brightest = light.max(axis=-1, keepdims=True)
    # A fraction of 255.5 / 256 or more would round to a mantissa of 256: use the next exponent.
    _, exponent = np.frexp(brightest * np.float32(256.0 / 255.5))
    exponent = np.clip(exponent + (EXPONENT_BIAS - 8), 0, 255)
    mantissa = np.rint(np.ldexp(light, EXPONENT_BIAS - exponent))
    rgbe = np.concatenate([mantissa, exponent], axis=-1)
    rgbe[(exponent == 0)[..., 0]] = 0
    return rgbe.astype(np.uint8)
