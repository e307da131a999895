# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find images and masks whose paths are those of another computer, folder or letter case."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .frame_files import IMAGE_SUFFIXES, find_image

if TYPE_CHECKING:
    from collections.abc import Iterator

# A folder with more files than this is no capture: the search ends.
MAX_FILES = 100_000


class FileFinder:
    """Finds the files that transforms.json names, and remembers which are missing or elsewhere.

    A file that is not at its path is looked for by the end of the path, in any letter case, in and
    below the folder of transforms.json: the file with the longest common end is taken, if there is
    one alone. The name alone is enough only if the folder that should hold the file is not there;
    else a file that is missing among others would be replaced by its namesake.

    Args:
        folder: of transforms.json.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._moved: dict[str, Path] = {}
        self._missing: list[str] = []

    def find(self, file_path: str) -> Path | None:
        """The file of an image or mask, whose extension the dialect may omit; None if missing."""
        found = find_image(self._folder, file_path)
        if found is None:
            found = self._by_end(file_path)
            if found is None:
                self._missing.append(file_path)
            else:
                self._moved[file_path] = found
        return found

    def missing(self) -> list[str]:
        """The paths for which no file was found, or one that two of them would share."""
        uses = Counter(self._moved.values())
        return self._missing + [path for path, found in self._moved.items() if uses[found] > 1]

    def warnings(self) -> list[str]:
        """Which files are not where transforms.json says."""
        case: list[str] = []
        elsewhere: list[str] = []
        for stated, found in self._moved.items():
            relative = found.relative_to(self._folder).as_posix()
            same = _without_suffix(_parts(stated)) == _without_suffix(_parts(relative))
            (case if same else elsewhere).append(f"{stated} is {relative}")
        warnings = []
        if case:
            warnings.append(
                f"{len(case)} of the files in transforms.json have names in another letter case: "
                f"{case[0]}."
            )
        if elsewhere:
            warnings.append(
                f"{len(elsewhere)} of the files in transforms.json are not at their paths and were "
                f"found by the end of the path: {elsewhere[0]}."
            )
        return warnings

    def _by_end(self, file_path: str) -> Path | None:
        """The file below the folder whose path has the longest end in common, if it is unique."""
        stated = _parts(file_path)
        if not stated:
            return None
        parent = stated[-2] if len(stated) > 1 else ""
        least = 2 if parent in self._parents else 1
        candidates = {path: _parts(path) for path in self._files[_without_suffix(stated)[-1]]}
        ranked = sorted(
            (_rank(stated, found), path)
            for path, found in candidates.items()
            if _same_name(stated[-1], found[-1])
            and _says_mask(stated) == _says_mask(found)
            and _common_end(stated, found) >= least
        )
        if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
            return None
        return self._folder / ranked[0][1]

    @cached_property
    def _parents(self) -> set[str]:
        """The names, in small letters, of all folders that hold images; empty for the top one."""
        paths = (_parts(path) for paths in self._files.values() for path in paths)
        return {parts[-2] if len(parts) > 1 else "" for parts in paths}

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """Relative paths of all images below the folder, by their names without extension."""
        found = defaultdict(list)
        for number, relative in enumerate(_walk(self._folder)):
            if number == MAX_FILES:
                break
            found[_without_suffix(_parts(relative))[-1]].append(relative)
        return found


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths, with slashes, of all images in a folder and below."""
    for root, _, names in os.walk(folder):
        for name in names:
            if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
                yield (Path(root) / name).relative_to(folder).as_posix()


def _parts(path: str) -> list[str]:
    """Folders and name of a path in small letters, without drive, root and dots."""
    parts = path.strip().replace("\\", "/").lower().split("/")
    return [part for part in parts if part not in {"", ".", ".."} and not part.endswith(":")]


def _without_suffix(parts: list[str]) -> list[str]:
    """The parts of a path, its name without the extension of an image."""
    name = PurePosixPath(parts[-1])
    return [*parts[:-1], name.stem if name.suffix in IMAGE_SUFFIXES else name.name]


def _same_name(stated: str, found: str) -> bool:
    """Whether two names are equal, or the stated one has no extension."""
    return stated == found or PurePosixPath(found).stem == stated


def _rank(stated: list[str], found: list[str]) -> tuple[int, int]:
    """How well a file fits a stated path; the smallest is the best.

    The common end is as long as possible, and no more folders than necessary are above it.
    """
    common = _common_end(stated, found)
    return -common, len(found) - common


def _common_end(stated: list[str], found: list[str]) -> int:
    """How many parts two paths have in common at their ends."""
    pairs = zip(_without_suffix(stated)[::-1], _without_suffix(found)[::-1], strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _says_mask(parts: list[str]) -> bool:
    """Whether the name of a file or of a folder above it says that it is a mask."""
    return "mask" in parts[-1] or any(part.endswith(("mask", "masks")) for part in parts[:-1])
