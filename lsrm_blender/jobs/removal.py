# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal of large folders: renamed at once, deleted by a process that outlives this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import OutputNotWritable

if TYPE_CHECKING:
    from pathlib import Path

REMOVED = ".removed-"
"""In the names of folders that are being deleted."""

DELETE = "import shutil, sys; [shutil.rmtree(each, ignore_errors=True) for each in sys.argv[1:]]"


def remove_in_background(folder: Path) -> None:
    """Remove a folder with all its files, of which there may be thousands, within milliseconds.

    What an earlier removal has left is removed, too.

    Raises:
        OutputNotWritable: if the folder cannot be renamed: on Windows, if a file in it is open.
    """
    away = folder.with_name(f"{folder.name}{REMOVED}{os.getpid()}-{time.time_ns()}")
    try:
        folder.rename(away)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputNotWritable(
            f"{folder} cannot be removed: {error.strerror}.",
            "Close other windows of Blender that use it, and try again.",
        ) from error
    left = sorted(folder.parent.glob(f"{folder.name}{REMOVED}*"))
    with suppress(OSError):  # the next removal deletes what is left
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", DELETE, *map(str, left)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_detached(sys.platform),
        )


def _detached(platform: str) -> dict[str, Any]:
    """Options of a process that goes on when this one ends."""
    if platform == "win32":
        # By their values, since only Windows has the names: a hidden window, a group of its own.
        return {"creationflags": 0x08000000 | 0x00000200}
    return {"start_new_session": True}
