# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for unfinished work, and the removal of those whose maker was killed.

A maker holds a lock on its folder, which the system drops when the process ends, however it ends.
So a folder that can be locked is nobody's any more. Standard library only, for both sides; on
Windows, which locks no folders, nothing is taken for abandoned.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RANDOM = "[a-z0-9_]{8}"
"""What `tempfile` puts between prefix and suffix."""


@contextmanager
def scratch_folder(parent: Path, prefix: str, suffix: str = "") -> Iterator[Path]:
    """A new folder, gone at the end unless the body has moved it.

    Raises:
        OSError: if it cannot be made.
    """
    folder, lock = _make(parent, prefix, suffix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned(parent: Path, prefix: str, suffix: str = "") -> None:
    """Remove the folders that killed processes have left, and only those."""
    name = re.compile(re.escape(prefix) + RANDOM + re.escape(suffix))
    for entry in _entries(parent):
        if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            _remove_if_abandoned(Path(entry.path))


def _make(parent: Path, prefix: str, suffix: str) -> tuple[Path, int | None]:
    """A new folder and our lock on it: between the two somebody may have taken it for abandoned."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=parent))
        try:
            lock = _locked(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        if lock is None or folder.exists():
            return folder, lock
        os.close(lock)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        lock = _locked(folder)
    except (BlockingIOError, FileNotFoundError):
        return
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock on a folder as a file descriptor; None where the system or disk has no locks.

    Raises:
        BlockingIOError: if somebody else holds it.
        FileNotFoundError: if the folder is gone.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        lock = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise
    except OSError:
        os.close(lock)
        return None
    return lock


def _entries(parent: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(parent) as entries:
            return list(entries)
    except OSError:
        return []
