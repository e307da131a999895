# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is there room for a job: a folder that can be written, disk and memory."""

from __future__ import annotations

import math
import os
import shutil
from typing import TYPE_CHECKING

from ...backend.shared.errors import DiskFull, OutOfMemory, OutputNotWritable
from ...backend.shared.machine.system_memory import available_memory

if TYPE_CHECKING:
    from pathlib import Path


def check_folder(folder: Path) -> Path:
    """The nearest folder that is there; it is not written to.

    Args:
        folder: of a job; need not exist.

    Raises:
        OutputNotWritable: if the folder cannot be made, or not be written.
    """
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not (os.access(there, os.W_OK | os.X_OK) and there.is_dir()):
        raise OutputNotWritable(f"{there} cannot be written.", "Choose another output folder.")
    return there


def check_disk(folder: Path, needed: float) -> float:
    """Check that the disk of a folder that exists has room.

    Returns:
        The bytes that are free; infinity where that is not known.

    Raises:
        DiskFull: if it has not so many bytes.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # some network drives do not say
        return math.inf
    if free < needed:
        raise DiskFull(
            f"The disk of {folder} has {gigabytes(free)} left, the job needs about "
            f"{gigabytes(needed)}.",
            "Free some space, or choose another output folder.",
        )
    return free


def check_memory(needed: float) -> float:
    """Check that the memory suffices, where the system says how much is available.

    Returns:
        The bytes that are available; infinity where that is not known.

    Raises:
        OutOfMemory: if fewer bytes are available.
    """
    available = available_memory()
    if available is not None and available < needed:
        raise OutOfMemory(
            f"{gigabytes(available)} of memory are available, the job needs about "
            f"{gigabytes(needed)}.",
            "Close other programs, or use fewer or smaller views.",
        )
    return math.inf if available is None else available


def gigabytes(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB"
