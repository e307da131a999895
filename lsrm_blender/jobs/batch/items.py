# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of a batch: their files, and the names of their folders."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.errors import LsrmError
from ....backend.shared.names.asset_names import name_below, name_of_file
from ....backend.shared.names.device_names import not_a_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
DIGITS = re.compile(r"(\d+)")
LONGEST_NAME = 120
"""Of a folder, in bytes of UTF-8; temporary files add to it, and systems allow 255."""


class NoSuchInput(LsrmError):
    """An input of the command line that matches no file."""

    code = "BAD_ASSET"


@dataclass(frozen=True)
class Item:
    """One file of a batch.

    Attributes:
        source: the 3D file.
        name: of its folder in the output; unique in the batch.
    """

    source: Path
    name: str


def find_items(inputs: Sequence[str], suffixes: Iterable[str], output: Path) -> list[Item]:
    """The 3D files of some files, folders and patterns, each once, in natural order.

    Args:
        inputs: as on the command line.
        suffixes: of the files that are taken from folders; a file given by path is always taken.
        output: a folder that is not searched.

    Raises:
        NoSuchInput: listing all inputs that match no file.
    """
    found: dict[Path, str] = {}
    missing = []
    known = tuple(suffixes)
    for text in inputs:
        files = _files_of(text, known, output.absolute())
        if not files:
            missing.append(text)
        for path, name in files.items():
            found.setdefault(path, name)
    if missing or not found:
        raise NoSuchInput(
            f"Nothing to convert in: {', '.join(missing) or 'the command line'}.",
            f"Give files, folders or patterns; in folders these count: {' '.join(known)}.",
        )
    return name_items(found)


def _files_of(text: str, suffixes: tuple[str, ...], output: Path) -> dict[Path, str]:
    """The files of one input, each with its preferred name."""
    path = Path(text)
    if path.is_file():
        return {path.absolute(): name_of_file(path)}
    if path.is_dir():
        root = path.absolute()
        found = _files_below(root, suffixes, output)
    else:
        root = Path(text.split("*", maxsplit=1)[0]).absolute().parent
        matches = (Path(match).absolute() for match in glob.glob(text, recursive=True))  # noqa: PTH207 - a user's pattern
        found = [
            str(each)
            for each in matches
            if each.suffix.lower() in suffixes and each.is_file() and output not in each.parents
        ]
    return _names_below(root, [Path(each) for each in sorted(found, key=natural_key)])


def _files_below(folder: Path, suffixes: tuple[str, ...], output: Path) -> list[str]:
    """The files in a folder and its subfolders, but for the output, by one look at each folder."""
    found = []
    folders = [str(folder)]
    while folders:
        with contextlib.suppress(PermissionError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path != str(output):
                        folders.append(entry.path)
                elif Path(entry.name).suffix.lower() in suffixes and entry.is_file():
                    found.append(entry.path)
    return found


def _names_below(root: Path, files: Sequence[Path]) -> dict[Path, str]:
    """The preferred names of files below a folder; whole paths where shorter ones are the same."""
    parts = {path: path.relative_to(root).with_suffix("").parts for path in files}
    names = {path: name_below(each) or name_of_file(path) for path, each in parts.items()}
    counts = Counter(name.casefold() for name in names.values())
    return {
        path: name if counts[name.casefold()] == 1 else "_".join(parts[path])
        for path, name in names.items()
    }


def name_items(found: dict[Path, str]) -> list[Item]:
    """The items of files with preferred names; folder names differ in any case and are valid."""
    names: dict[Path, str] = {path: _valid_name(name) for path, name in found.items()}
    longer_names: tuple[Callable[[Path], str], ...] = (
        lambda path: f"{_valid_name(found[path])}_{path.suffix[1:].lower()}",
        lambda path: (
            f"{_valid_name(path.parent.name)}_{_valid_name(found[path])}{path.suffix.lower()}"
        ),
        lambda path: (
            f"{_valid_name(found[path])}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        ),
    )
    for longer in longer_names:
        taken = Counter(name.casefold() for name in names.values())
        for path, name in names.items():
            if taken[name.casefold()] > 1:
                names[path] = _valid_name(longer(path))
    return [Item(path, name) for path, name in names.items()]


def _valid_name(name: str) -> str:
    """A name that a folder can have on any system; a long one is shortened, and stays unique."""
    valid = not_a_device(FORBIDDEN.sub("_", name).strip(" .") or "item")
    encoded = valid.encode("utf-8", "surrogateescape")
    if len(encoded) <= LONGEST_NAME:
        return valid
    kept = encoded[: LONGEST_NAME - 9].decode("utf-8", "ignore").strip(" .")
    return f"{kept}_{hashlib.sha256(encoded).hexdigest()[:8]}"


def natural_key(text: str) -> list[Any]:
    """A key that sorts chair2 before chair10."""
    return [int(part) if part.isdigit() else part.casefold() for part in DIGITS.split(text)]
