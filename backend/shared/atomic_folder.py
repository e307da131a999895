# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that appears whole or not at all, and never costs what stood there before."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

from .errors import DiskFull, LsrmError, OutputNotWritable
from .temporary_folder import remove_abandoned, scratch_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
PART = ".part"

SOME_ROOM = 1 << 20
"""Bytes; with more than that free, a disk is not the full one."""


class WholeFolder:
    """A folder written beside its destination and moved there on success.

    Use it as a context manager: it yields the path to write to. If the body raises, everything
    written is removed and the destination stays as it was. What may be replaced is for the kinds
    of folders to say, in `refuse`.

    Args:
        destination: where the folder shall be.

    Raises:
        OutputNotWritable: if the destination cannot be made, or must not be replaced.
        DiskFull: if the disk has no room.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination.resolve()
        if not self.destination.name:
            raise OutputNotWritable(
                f"{self.destination} is no place for a folder.", "Give a folder of its own."
            )
        self._previous = self.destination.with_name(f".{self.destination.name}.previous")

    def refuse(self) -> None:
        """Raise an error of ours if the destination must not be written, before anything is."""

    def __enter__(self) -> Path:
        try:
            self._recover()
            self.destination.parent.mkdir(parents=True, exist_ok=True)
            self.refuse()
            self._forget_superseded()
            remove_unfinished(self.destination)
            prefix = f".{self.destination.name}."
            self._scratch = scratch_folder(self.destination.parent, prefix, PART)
            self.workplace = self._scratch.__enter__()
        except OSError as error:
            raise told(error, self.destination) from error
        return self.workplace

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._swap()
        except OSError as failure:
            raise told(failure, self.destination) from failure
        finally:
            self._scratch.__exit__(None, None, None)
        if isinstance(error, OSError) and self._is_ours(error):
            raise told(error, self.destination) from error

    def _is_ours(self, error: OSError) -> bool:
        """Whether writing the folder failed, and not reading something else."""
        inside = str(error.filename or "").startswith(str(self.workplace))
        return inside or error.errno in NO_ROOM

    def _recover(self) -> None:
        """Bring back a previous folder that a kill between the two renames left aside."""
        if self._previous.exists():
            if is_empty_folder(self.destination):
                self.destination.rmdir()
            if not self.destination.exists():
                self._previous.rename(self.destination)

    def _forget_superseded(self) -> None:
        """Remove a previous folder beside a newer one, once that has proved to be one of ours."""
        if self.destination.exists():
            shutil.rmtree(self._previous, ignore_errors=True)

    def _swap(self) -> None:
        """Put the finished folder in the place of the previous one."""
        self.workplace.chmod(0o755)
        if self.destination.exists():
            self.destination.rename(self._previous)
        try:
            self.workplace.rename(self.destination)
        except OSError:
            if self._previous.exists():
                self._previous.rename(self.destination)
            raise
        shutil.rmtree(self._previous, ignore_errors=True)


def is_empty_folder(path: Path) -> bool:
    """Whether there is a folder with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


def remove_unfinished(destination: Path) -> None:
    """Remove what killed processes have left of a folder that was to stand here."""
    remove_abandoned(destination.parent, f".{destination.name}.", PART)


def told(error: OSError, destination: Path) -> LsrmError:
    """An operating system error in the artist's words."""
    if error.errno == errno.ENOSPC and not _is_full(destination):
        place = error.filename or tempfile.gettempdir()
        return DiskFull(f"The disk of {place} is full.", "Free some space there, and start again.")
    if error.errno in NO_ROOM:
        return DiskFull(
            f"The disk of {destination} is full.",
            "Free some space there, or choose a folder on another disk.",
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputNotWritable(
        f"{destination} cannot be written: {reason}.",
        "Choose a folder that you may write to.",
    )


def _is_full(destination: Path) -> bool:
    """Whether the disk of a folder to be has no room."""
    existing = next(folder for folder in destination.parents if folder.exists())
    disk = shutil.disk_usage(existing)
    return disk.free < SOME_ROOM
