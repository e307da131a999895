# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures to write a file or folder, translated into LSRM's errors: disk full or not writable."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

from .errors import DiskFull, OutputNotWritable

if TYPE_CHECKING:
    from pathlib import Path

OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}

SMALLEST_FREE_SPACE = 1 << 20
"""Bytes; a disk with less than that free counts as full."""


def write_failure(path: Path, error: Exception) -> DiskFull | OutputNotWritable:
    """The LSRM error for a failure to write.

    Args:
        path: the file or folder that was to be written.
        error: an `OSError`, or an exception without an errno, as Blender's writers raise it.
            Without an errno the free space decides whether the disk is full.
    """
    number = getattr(error, "errno", None)
    free = _free_space(path)
    full = free is not None and free < SMALLEST_FREE_SPACE
    if number == errno.ENOSPC and free is not None and not full:
        other = getattr(error, "filename", None) or tempfile.gettempdir()
        return DiskFull(f"The disk of {other} is full.", "Free some space there, and start again.")
    if number in OUT_OF_SPACE or (number is None and full):
        return DiskFull(
            f"The disk of {path} is full.",
            "Free some space there, or choose a folder on another disk.",
        )
    reason = os.strerror(number) if number else str(error)
    return OutputNotWritable(
        f"{path} cannot be written: {reason}.", "Choose a folder that you may write to."
    )


def _free_space(path: Path) -> int | None:
    """Free bytes on the disk of a path that may not exist; None where the system gives no size."""
    existing = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if existing is None:
        return None
    disk = shutil.disk_usage(existing)
    return disk.free if disk.total > 0 else None
