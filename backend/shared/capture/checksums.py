# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SHA-256 of images and masks in capture.json, and which of them have changed since."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .json_files import read_capture_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .capture import Capture, Frame

SHA256 = "sha256"
"""The entry of capture.json: hexadecimal digests by paths relative to it, with forward slashes."""

MOST_NAMED = 12
"""Files that a warning lists."""


def checksums(folder: Path, frames: Sequence[Frame]) -> dict[str, str]:
    """The digests of the images and masks of frames, for capture.json in the folder.

    Raises:
        OSError: if a file cannot be read.
    """
    return {name: _digest(file) for name, file in _files(folder, frames).items()}


def with_changes_named(capture: Capture) -> Capture:
    """The capture, with a warning that names the images and masks that are not as captured.

    Only files that its frames use are looked at, and only if capture.json has their digests.
    """
    stored = read_capture_json(capture.folder).get(SHA256)
    if not isinstance(stored, dict):
        return capture
    files = _files(capture.folder, capture.frames)
    changed = [name for name in files if name in stored and _digest(files[name]) != stored[name]]
    if not changed:
        return capture
    more = len(changed) - MOST_NAMED
    listed = ", ".join(changed[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    warning = f"These files have changed since the views were captured: {listed}."
    return replace(capture, warnings=(*capture.warnings, warning))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _files(folder: Path, frames: Sequence[Frame]) -> dict[str, Path]:
    """The files of frames by their paths below a folder; those that lie elsewhere are left out."""
    files = [file for frame in frames for file in (frame.image_path, frame.mask_path) if file]
    return {
        file.relative_to(folder).as_posix(): file for file in files if file.is_relative_to(folder)
    }
