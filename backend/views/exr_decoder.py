# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that decodes one OpenEXR file and writes its pixels to its output.

The OpenEXR library ends the process, or prints, where files are damaged. So it runs in one of its
own, which imports nothing of LSRM.

Usage: exr_decoder.py FILE MAX_PIXELS. The output is an array in NumPy's file format, float32
[height, width, 3 or 4] of the display window: linear RGB, premultiplied, and alpha if there is any.
Exit code 2: the reason stands in the output instead.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np

# Blender's name of the finished picture among the passes of a layer.
COMBINED = "Combined."


def main(path: str, max_pixels: int) -> int:
    """Decode a file to the output; the exit code."""
    import OpenEXR

    file = OpenEXR.InputFile(path)
    header = file.header()
    for name in ("dataWindow", "displayWindow"):
        width, height = _size(header[name])
        if min(width, height) < 1 or width * height > max_pixels:
            return _refuse(f"it claims {width} x {height} pixels")
    names = _channel_names(list(header["channels"]))
    if not names:
        return _refuse("it has no color")
    pixels = np.stack([_plane(file, name, header) for name in names], axis=-1)
    output = io.BytesIO()
    np.save(output, pixels)
    sys.stdout.buffer.write(output.getbuffer())
    return 0


def _refuse(reason: str) -> int:
    """Write why a file is not decoded; the exit code."""
    sys.stdout.write(reason)
    return 2


def _channel_names(channels: list[str]) -> list[str]:
    """The channels of red, green, blue and, if there is one, alpha; gray is all three."""
    layers = [name[:-1] for name in channels if name.endswith("R")]
    layers = [layer for layer in layers if {layer + "G", layer + "B"} <= set(channels)]
    if not layers:
        return ["Y", "Y", "Y", *(["A"] if "A" in channels else [])] if "Y" in channels else []
    best = min(layers, key=lambda layer: (layer != "", not layer.endswith(COMBINED)))
    return [best + letter for letter in "RGBA" if best + letter in channels]


def _size(window: Any) -> tuple[int, int]:
    """Width and height of a window of pixels."""
    return window.max.x - window.min.x + 1, window.max.y - window.min.y + 1


def _plane(file: Any, name: str, header: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One channel, [height, width] of the display window; 0 where the file has no data."""
    import Imath

    data, display = header["dataWindow"], header["displayWindow"]
    width, height = _size(data)
    stored = np.frombuffer(file.channel(name, Imath.PixelType(Imath.PixelType.FLOAT)), np.float32)
    stored = stored.reshape(height, width)
    width, height = _size(display)
    plane = np.zeros((height, width), np.float32)
    left, top = data.min.x - display.min.x, data.min.y - display.min.y
    part = stored[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    top, left = max(top, 0), max(left, 0)
    plane[top : top + part.shape[0], left : left + part.shape[1]] = part
    return plane


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
