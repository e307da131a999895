# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual display, on which a window can be opened without a screen."""

from __future__ import annotations

import os
import select
import shutil
import struct
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = "Xvfb"
FRAMEBUFFER = "Xvfb_screen0"
"""The memory of the display, in the format of xwd."""

# Numbers of the header of an xwd file.
HEADER_NUMBERS, WIDTH, HEIGHT, BYTE_ORDER, BYTES_PER_LINE, COLORS = 25, 4, 5, 7, 12, 19
COLOR_BYTES = 12

START_SECONDS, END_SECONDS = 30.0, 10.0


class NoDisplay(Exception):
    """There is no virtual display on this machine."""


@contextmanager
def virtual_display(width: int, height: int, folder: Path) -> Iterator[str]:
    """Start a display of some size in pixels, and end it; yields its name.

    Args:
        width: of the display.
        height: of the display.
        folder: where the file `FRAMEBUFFER` is made, in which the display is drawn.

    Raises:
        NoDisplay: if the program is not installed, or does not start.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise NoDisplay(f"there is no {PROGRAM} on this machine.")
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24"]
    command += ["-nolisten", "tcp", "-fbdir", str(folder)]
    process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        yield f":{_number(reading)}"
    finally:
        os.close(reading)
        process.terminate()
        process.wait(END_SECONDS)


def read_screenshot(file: Path) -> Image.Image:
    """A copy of the display's memory as a picture."""
    content = file.read_bytes()
    header = struct.unpack(f">{HEADER_NUMBERS}I", content[: 4 * HEADER_NUMBERS])
    start = header[0] + COLOR_BYTES * header[COLORS]
    size, stride = (header[WIDTH], header[HEIGHT]), header[BYTES_PER_LINE]
    pixels = content[start : start + stride * size[1]]
    order = "BGRX" if header[BYTE_ORDER] == 0 else "XRGB"
    return Image.frombytes("RGB", size, pixels, "raw", order, stride)


def _number(pipe: int) -> int:
    """The number that the display writes when it is ready."""
    if not select.select([pipe], [], [], START_SECONDS)[0]:
        raise NoDisplay(f"the display was not ready in {START_SECONDS:.0f} s.")
    text = os.read(pipe, 16).decode().strip()
    if not text.isdigit():
        raise NoDisplay(f"{PROGRAM} does not start.")
    return int(text)
