# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of a data set for training: its objects, and the file of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .atomic_folder import write_file_atomically
from .errors import BadDataset

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "index.json"
SAMPLE = "sample.safetensors"
"""The file of an object, in a folder of its own."""


@dataclass(frozen=True)
class IndexEntry:
    """An object of a stored data set.

    Attributes:
        name: of the object.
        file: relative to the index, with slashes.
    """

    name: str
    file: str


def write_index(folder: Path, entries: list[IndexEntry]) -> None:
    """Store the index of a data set, sorted by name.

    Raises:
        OSError: if it cannot be written.
    """
    objects = [vars(entry) for entry in sorted(entries, key=lambda entry: entry.name)]
    text = json.dumps({"objects": objects}, indent=1, ensure_ascii=False)
    write_file_atomically(folder / INDEX, text.encode())


def read_index(folder: Path) -> list[IndexEntry]:
    """The objects of a stored data set.

    Raises:
        BadDataset: if the index is missing or damaged, or names files outside of the folder.
    """
    path = folder / INDEX
    try:
        entries = [IndexEntry(**each) for each in json.loads(path.read_text("utf-8"))["objects"]]
        outside = [entry.file for entry in entries if not _is_inside(entry.file)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadDataset(
            f"The index {path} cannot be read: {error!r}.",
            "Give a folder that render-dataset has written, and run that command again.",
        ) from error
    if outside or not entries:
        reason = f"names {outside[0]}, outside of its folder" if outside else "has no objects"
        raise BadDataset(f"The index {path} {reason}.", "Run render-dataset again.")
    return entries


def _is_inside(file: str) -> bool:
    path = PurePosixPath(file)
    return not path.is_absolute() and ".." not in path.parts
