# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder: appears whole or not at all, and never costs the previous result."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DiskFull, LsrmError, OutputNotWritable

if TYPE_CHECKING:
    from types import TracebackType

LOGGER = logging.getLogger("backend")

REPORT = "report.json"
"""The file by which a folder is known as a result of ours."""

OURS = {REPORT, "mesh.glb", "textures", "field.safetensors", "preview.png", "log.txt"}
"""All that a result consists of. A folder with anything else in it is never replaced."""

LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""What file managers leave behind where somebody looked."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class ResultFolder:
    """A folder written beside its destination and moved there on success.

    Use it as a context manager: it yields the path to write to. If the body raises, everything
    written is removed and the destination stays as it was.

    Args:
        destination: where the result shall be.

    Raises:
        OutputNotWritable: if the destination cannot be made, or holds files that are no result.
        DiskFull: if the disk has no room.
    """

    def __init__(self, destination: Path) -> None:
        self._destination = destination.resolve()
        if not self._destination.name:
            raise OutputNotWritable(
                f"{self._destination} is no place for a result.", "Give a folder of its own."
            )
        self._previous = self._destination.with_name(f".{self._destination.name}.previous")

    def __enter__(self) -> Path:
        try:
            self._recover()
            self._refuse_foreign_files()
            self._destination.parent.mkdir(parents=True, exist_ok=True)
            self._workplace = Path(
                tempfile.mkdtemp(
                    prefix=f".{self._destination.name}.",
                    suffix=".part",
                    dir=self._destination.parent,
                )
            )
        except OSError as error:
            raise told(error, self._destination) from error
        self._log = logging.FileHandler(self._workplace / "log.txt", encoding="utf-8", delay=True)
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOGGER.addHandler(self._log)
        self._level = LOGGER.level
        LOGGER.setLevel(logging.INFO)
        return self._workplace

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        LOGGER.setLevel(self._level)
        LOGGER.removeHandler(self._log)
        try:
            self._log.close()
            if error is None:
                self._swap()
        except OSError as failure:
            raise told(failure, self._destination) from failure
        finally:
            shutil.rmtree(self._workplace, ignore_errors=True)
        if isinstance(error, OSError) and self._is_ours(error):
            raise told(error, self._destination) from error

    def _is_ours(self, error: OSError) -> bool:
        """Whether writing the result failed, and not reading something else."""
        inside = str(error.filename or "").startswith(str(self._workplace))
        return inside or error.errno in NO_ROOM

    def _recover(self) -> None:
        """Bring back a previous result that a kill between the two renames left aside."""
        if self._previous.exists():
            if self._destination.exists():
                shutil.rmtree(self._previous)
            else:
                self._previous.rename(self._destination)

    def _refuse_foreign_files(self) -> None:
        """Stop before somebody's folder is replaced by a result."""
        if not self._destination.exists():
            return
        if not self._destination.is_dir():
            raise OutputNotWritable(
                f"{self._destination} is a file.", "Give a folder for the result."
            )
        entries = {entry.name for entry in self._destination.iterdir()} - LITTER
        foreign = sorted(entries if REPORT not in entries else entries - OURS)
        if foreign:
            raise OutputNotWritable(
                f"{self._destination} holds files that are no result of LSRM: {foreign[0]}.",
                "Choose an empty or a new folder.",
            )

    def _swap(self) -> None:
        """Put the finished folder in the place of the previous one."""
        self._workplace.chmod(0o755)
        if self._destination.exists():
            self._destination.rename(self._previous)
        try:
            self._workplace.rename(self._destination)
        except OSError:
            if self._previous.exists():
                self._previous.rename(self._destination)
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
