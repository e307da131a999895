# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that appears whole or not at all, and never costs what stood there before."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DiskFull, LsrmError, OutputNotWritable

if TYPE_CHECKING:
    from types import TracebackType

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


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
            self._workplace = Path(
                tempfile.mkdtemp(
                    prefix=f".{self.destination.name}.",
                    suffix=".part",
                    dir=self.destination.parent,
                )
            )
        except OSError as error:
            raise told(error, self.destination) from error
        return self._workplace

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
            shutil.rmtree(self._workplace, ignore_errors=True)
        if isinstance(error, OSError) and self._is_ours(error):
            raise told(error, self.destination) from error

    def _is_ours(self, error: OSError) -> bool:
        """Whether writing the folder failed, and not reading something else."""
        inside = str(error.filename or "").startswith(str(self._workplace))
        return inside or error.errno in NO_ROOM

    def _recover(self) -> None:
        """Bring back a previous folder that a kill between the two renames left aside."""
        if self._previous.exists():
            if self.destination.exists():
                shutil.rmtree(self._previous)
            else:
                self._previous.rename(self.destination)

    def _swap(self) -> None:
        """Put the finished folder in the place of the previous one."""
        self._workplace.chmod(0o755)
        if self.destination.exists():
            self.destination.rename(self._previous)
        try:
            self._workplace.rename(self.destination)
        except OSError:
            if self._previous.exists():
                self._previous.rename(self.destination)
            raise
        shutil.rmtree(self._previous, ignore_errors=True)


def told(error: OSError, destination: Path) -> LsrmError:
    """An operating system error in the artist's words."""
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
