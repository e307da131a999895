# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A numbered folder for every job, so that no job overwrites what another has made.

The jobs of the object Cube lie in `Cube/001`, `Cube/002` …, each with the `capture` and the
`result` that it has made, and a record of what it was.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...backend.shared.atomic_folder import remove_unfinished, write_file_atomically
from ...backend.shared.errors import write_failure
from ...backend.shared.names.device_names import not_a_device
from ...backend.shared.temporary_folder import remove_abandoned, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPTURE, RESULT = "capture", "result"
"""The folders of what a job has made."""

RECORD = "record.json"
CLAIM = ".job."
"""The beginning of a folder that is there, and locked, while the job runs."""

WORK = ".lsrm."
"""The beginning of a folder with temporary files of a task."""

DIGITS = 3
FORBIDDEN = re.compile(r"[^\w .-]")


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def views(self) -> Path:
        """The capture of the job."""
        return self.path / CAPTURE

    @property
    def result(self) -> Path:
        """The result of the job."""
        return self.path / RESULT


def folder_name(name: str) -> str:
    """A name that a folder can have on any system."""
    return not_a_device(FORBIDDEN.sub("_", name).strip(" .") or "object")


def numbered(parent: Path) -> list[Path]:
    """The job folders in a folder, by number."""
    try:
        found = [each for each in parent.iterdir() if each.name.isdecimal() and each.is_dir()]
    except OSError:
        return []
    return sorted(found, key=lambda folder: int(folder.name))


@contextmanager
def new_job_folder(parent: Path, record: dict[str, Any]) -> Iterator[JobFolder]:
    """Make the folder of a new job; afterwards it has its record, or is gone if it stayed empty.

    Args:
        parent: of all jobs of an object.
        record: name and settings of the job, for the history.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be made.
    """
    with ExitStack() as stack:
        try:
            _remove_leftovers(parent)
            path = _make_next(parent)
            stack.enter_context(temporary_folder(path, CLAIM))
        except OSError as error:
            raise write_failure(parent, error) from error
        made = time.time()
        try:
            yield JobFolder(path)
        finally:
            stack.close()
            _finish(path, {**record, "made": made})


@contextmanager
def work_files(root: Path) -> Iterator[Path]:
    """A folder for the temporary files of a task, below the one where its jobs are.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be made.
    """
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            remove_abandoned(root, WORK)
            folder = stack.enter_context(temporary_folder(root, WORK))
        except OSError as error:
            raise write_failure(root, error) from error
        yield folder


def is_busy(folder: Path) -> bool:
    """Whether a job is running in a job folder."""
    remove_abandoned(folder, CLAIM)
    try:
        return any(each.name.startswith(CLAIM) for each in folder.iterdir())
    except OSError:
        return False


def _make_next(parent: Path) -> Path:
    """Make the folder with the next number; another Blender may take a number meanwhile."""
    number = max((int(each.name) for each in numbered(parent)), default=0) + 1
    while True:
        path = parent / f"{number:0{DIGITS}d}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path


def _remove_leftovers(parent: Path) -> None:
    """Remove what killed jobs have left unfinished."""
    for folder in numbered(parent):
        remove_abandoned(folder, CLAIM)
        for name in (CAPTURE, RESULT):
            remove_unfinished(folder / name)
        with suppress(OSError):  # not empty
            folder.rmdir()


def _finish(path: Path, record: dict[str, Any]) -> None:
    """Store the record of a job, or remove the folder of one that has made nothing."""
    for name in (CAPTURE, RESULT):
        remove_unfinished(path / name)
    with suppress(OSError):
        path.rmdir()
        return
    with suppress(OSError):  # a result without a record is better than none
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        write_file_atomically(path / RECORD, text.encode())
