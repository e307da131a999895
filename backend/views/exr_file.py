# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read OpenEXR pictures: linear RGB and alpha, also of Blender's files with layers."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..shared.errors import BadImage, EnvironmentBroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Header = dict[str, Any]

# Blender's name of the finished picture among the passes of a layer.
COMBINED = "Combined."


def read_exr(path: Path, max_pixels: int) -> tuple[Floats, Floats | None]:
    """Read an OpenEXR picture, of whose parts and layers the first that has color.

    Args:
        path: of the file.
        max_pixels: a picture with more of them is an error.

    Returns:
        linear colors [height, width, 3], premultiplied; alpha [height, width], or None.

    Raises:
        BadImage: if the file is damaged or has no color.
        EnvironmentBroken: if the OpenEXR library is not installed.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise EnvironmentBroken(
            f"OpenEXR is not installed, which reads {path}.",
            "Run `python3 -m backend install` again, or convert the views to 16-bit PNG.",
        ) from error
    try:
        # The library writes to the error output of the process, too, what it raises.
        with _silent_process(), closing(OpenEXR.InputFile(str(path))) as file:
            header = file.header()
            _check_windows(header, max_pixels, path)
            names = _channel_names(list(header["channels"]))
            if not names:
                raise BadImage(f"The file {path} has no color.", "Save the Combined pass, or PNG.")
            planes = [_plane(file, name, header) for name in names]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise BadImage(
            f"The file {path} is damaged ({error}).", "Copy it again from its source."
        ) from error
    return np.stack(planes[:3], axis=-1), planes[3] if len(planes) == 4 else None


@contextmanager
def _silent_process() -> Iterator[None]:
    """What C libraries write to the error output of the process is dropped."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check_windows(header: Header, max_pixels: int, path: Path) -> None:
    """Raise if the pixels of a file are too many to be read."""
    for name in ("dataWindow", "displayWindow"):
        width, height = _size(header[name])
        if not 0 < width * height <= max_pixels or min(width, height) < 1:
            raise BadImage(
                f"The file {path} claims {width} x {height} pixels.",
                f"Use images of at most {max_pixels / 1e6:.0f} million pixels.",
            )


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


def _plane(file: Any, name: str, header: Header) -> Floats:
    """One channel, [height, width] of the display window; 0 where the file has no data."""
    import Imath

    data, display = header["dataWindow"], header["displayWindow"]
    width, height = _size(data)
    stored = np.frombuffer(file.channel(name, Imath.PixelType(Imath.PixelType.FLOAT)), np.float32)
    stored = stored.reshape(height, width)
    if (data.min.x, data.min.y, *_size(data)) == (display.min.x, display.min.y, *_size(display)):
        return stored
    width, height = _size(display)
    plane = np.zeros((height, width), np.float32)
    left, top = data.min.x - display.min.x, data.min.y - display.min.y
    part = stored[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    top, left = max(top, 0), max(left, 0)
    plane[top : top + part.shape[0], left : left + part.shape[1]] = part
    return plane
