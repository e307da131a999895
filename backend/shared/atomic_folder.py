# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and files that appear complete or not at all; previous ones stay until then."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from .errors import OUT_OF_SPACE, OutputNotWritable, write_failure
from .temporary_folder import remove_abandoned, temporary_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

UNFINISHED_SUFFIX = ".part"


class AtomicFolder:
    """A folder written beside its destination and moved there on success.

    Use it as a context manager: it yields the path to write to. If the body raises, everything
    written is removed and the destination stays as it was. Subclasses decide in
    `check_destination` which existing folders may be replaced.

    Args:
        destination: the path of the finished folder.

    Raises:
        OutputNotWritable: if the destination cannot be made, or must not be replaced.
        DiskFull: if the disk is full.
    """

    def __init__(self, destination: Path) -> None:
        self.destination = destination.resolve()
        if not self.destination.name:
            raise OutputNotWritable(
                f"{self.destination} cannot be replaced by a folder of results.",
                "Give a folder of its own.",
            )
        self._previous = self.destination.with_name(f".{self.destination.name}.previous")

    def check_destination(self) -> None:
        """Raise an `LsrmError` if the destination must not be replaced; called before any write."""

    def __enter__(self) -> Path:
        try:
            self._restore_previous()
            self.destination.parent.mkdir(parents=True, exist_ok=True)
            self.check_destination()
            self._remove_outdated_previous()
            remove_unfinished(self.destination)
            prefix = f".{self.destination.name}."
            self._temporary = temporary_folder(self.destination.parent, prefix, UNFINISHED_SUFFIX)
            self.unfinished = self._temporary.__enter__()
        except OSError as error:
            raise write_failure(self.destination, error) from error
        return self.unfinished

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._replace_destination()
        except OSError as failure:
            raise write_failure(self.destination, failure) from failure
        finally:
            self._temporary.__exit__(None, None, None)
        if isinstance(error, OSError) and self._is_write_failure(error):
            raise write_failure(self.destination, error) from error

    def _is_write_failure(self, error: OSError) -> bool:
        """Whether writing the folder failed, and not reading something else."""
        inside = str(error.filename or "").startswith(str(self.unfinished))
        return inside or error.errno in OUT_OF_SPACE

    def _restore_previous(self) -> None:
        """Rename the previous folder back if a process was killed between the two renames."""
        if self._previous.exists():
            if is_empty_folder(self.destination):
                self.destination.rmdir()
            if not self.destination.exists():
                self._previous.rename(self.destination)

    def _remove_outdated_previous(self) -> None:
        """Remove the previous folder beside a newer one, which `check_destination` has accepted."""
        if self.destination.exists():
            shutil.rmtree(self._previous, ignore_errors=True)

    def _replace_destination(self) -> None:
        """Move the finished folder to the destination."""
        self.unfinished.chmod(0o755)
        if self.destination.exists():
            self.destination.rename(self._previous)
        try:
            self.unfinished.rename(self.destination)
        except OSError:
            if self._previous.exists():
                self._previous.rename(self.destination)
            raise
        shutil.rmtree(self._previous, ignore_errors=True)


def write_file_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees either the previous contents or all of the new ones.

    Several processes may write the same file, also on several machines: the last one counts.

    Raises:
        OSError: if the folder cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED_SUFFIX}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def is_empty_folder(path: Path) -> bool:
    """Whether the path is a folder with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


def remove_unfinished(destination: Path) -> None:
    """Remove the unfinished folders that killed processes have left beside a destination."""
    remove_abandoned(destination.parent, f".{destination.name}.", UNFINISHED_SUFFIX)
