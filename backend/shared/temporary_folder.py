# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary folders, and the removal of those whose process was killed.

A process holds a lock on its folder, which the system releases when the process ends, however it
ends. So a folder that can be locked is abandoned. Windows has no locks on folders; there nothing
counts as abandoned. Standard library only.
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

RANDOM_PATTERN = "[a-z0-9_]{8}"
"""What `tempfile` puts between prefix and suffix."""


@contextmanager
def temporary_folder(parent: Path, prefix: str, suffix: str = "") -> Iterator[Path]:
    """A new folder, removed at the end unless the body has moved it.

    Raises:
        OSError: if it cannot be made.
    """
    folder, lock = _make_locked(parent, prefix, suffix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned(parent: Path, prefix: str, suffix: str = "") -> None:
    """Remove the folders that killed processes have left; those in use stay."""
    name = re.compile(re.escape(prefix) + RANDOM_PATTERN + re.escape(suffix))
    for entry in _entries(parent):
        if name.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            _remove_if_abandoned(Path(entry.path))


def _make_locked(parent: Path, prefix: str, suffix: str) -> tuple[Path, int | None]:
    """A new folder and the lock on it.

    Between making and locking, another process may remove the folder as abandoned: then try again.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=parent))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        if lock is None or folder.exists():
            return folder, lock
        os.close(lock)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        lock = _lock(folder)
    except (BlockingIOError, FileNotFoundError):
        return
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder; returns a file descriptor, or None where the system or disk has no locks.

    Raises:
        BlockingIOError: if another process holds the lock.
        FileNotFoundError: if the folder does not exist any more.
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
