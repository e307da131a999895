# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read OpenEXR pictures: linear RGB and alpha, also of Blender's files with layers."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..shared.errors import BadImage, EnvironmentBroken

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DECODER = Path(__file__).with_name("exr_decoder.py")
# Far more than any picture takes.
TIME_LIMIT = 120.0
REFUSED = 2


def read_exr(path: Path, max_pixels: int) -> tuple[Floats, Floats | None]:
    """Read an OpenEXR picture, of whose layers Combined or the first that has color.

    Args:
        path: of the file.
        max_pixels: a picture with more of them is an error.

    Returns:
        linear colors [height, width, 3], premultiplied; alpha [height, width], or None.

    Raises:
        BadImage: if the file is damaged, too large, or has no color.
        EnvironmentBroken: if the OpenEXR library is not installed.
    """
    if importlib.util.find_spec("OpenEXR") is None:
        raise EnvironmentBroken(
            f"OpenEXR is not installed, which reads {path}.",
            "Install LSRM's backend again, or convert the views to 16-bit PNG.",
        )
    command = [sys.executable, "-P", str(DECODER), str(path.absolute()), str(max_pixels)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, -1, b"")
    if done.returncode:
        reason = done.stdout.decode() if done.returncode == REFUSED else "it cannot be decoded"
        raise BadImage(
            f"The OpenEXR file {path} is not usable: {reason}.",
            "Copy it again from its source, or save it as 16-bit PNG.",
        )
    pixels: Floats = np.load(io.BytesIO(done.stdout))
    return pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None
