# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the cameras of a capture as transforms.json, in LSRM's own dialect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .json_files import write_object
from .lens_keys import lens_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .capture import Frame


def write_transforms(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as transforms.json, atomically.

    Paths are relative to the file, with forward slashes; numbers have full precision.

    Raises:
        OSError: if the folder cannot be written.
    """
    document = {
        "camera_model": "OPENCV",
        "frames": [_frame_values(frame, path.parent) for frame in frames],
    }
    write_object(path, document)


def _frame_values(frame: Frame, folder: Path) -> dict[str, Any]:
    """A frame as JSON; of an image whose lens distorts, the lens on disk."""
    lens = frame.intrinsics_on_disk
    values = {
        "file_path": _relative(frame.image_path, folder),
        "w": lens.width,
        "h": lens.height,
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
        "transform_matrix": frame.camera_to_world.tolist(),
    }
    if frame.lens is not None:
        values |= lens_values(frame.lens.distortion)
    if frame.mask_path is not None:
        values["mask_path"] = _relative(frame.mask_path, folder)
    return values


def _relative(path: Path, folder: Path) -> str:
    """A path relative to a folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()
