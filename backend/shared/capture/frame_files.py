# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a frame: its name and its image, in each dialect of transforms.json."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import BadCapture

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tried in this order where a dialect omits the extension.
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr", ".hdr")
IMAGE_SUFFIXES = (*_SUFFIXES, *(suffix.upper() for suffix in _SUFFIXES))


def frame_names(file_paths: Sequence[str]) -> list[str]:
    """A unique name for every image that can be a file name: its stem, with folders if needed.

    Args:
        file_paths: of transforms.json; may be absolute, without extension, or with backslashes.

    Raises:
        BadCapture: if an image is listed twice.
    """
    paths = [PurePosixPath(text.replace("\\", "/")) for text in file_paths]
    repeated = [str(path) for path, count in Counter(paths).items() if count > 1]
    if repeated:
        raise BadCapture(
            f"transforms.json lists these images more than once: {', '.join(repeated)}.",
            "Keep one frame for every image.",
        )
    stems = [_stem(path) for path in paths]
    repeated_stems = {stem for stem, count in Counter(stems).items() if count > 1}
    names = [
        "_".join([*_folders(path), stem]) if stem in repeated_stems else stem
        for path, stem in zip(paths, stems, strict=True)
    ]
    return _made_unique(names)


def _stem(path: PurePosixPath) -> str:
    """The file name without the extension of an image; `r_0.5` keeps its dot."""
    return path.stem if path.suffix in IMAGE_SUFFIXES else path.name


def _folders(path: PurePosixPath) -> list[str]:
    """The folders of a path, without drives, roots and dots."""
    return [part for part in path.parts[:-1] if part not in {"/", ".", ".."} and ":" not in part]


def _made_unique(names: list[str]) -> list[str]:
    """The names, with a number appended to repeated ones."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        unique.append(candidate)
    return unique


def find_image(folder: Path, file_path: str) -> Path | None:
    """The file of an image or mask, whose extension the dialect may omit; None if there is none.

    Args:
        folder: of transforms.json.
        file_path: absolute or relative to it, with slashes of either kind.
    """
    path = folder / file_path.replace("\\", "/")
    candidates = [path]
    if path.name:
        candidates += [path.with_name(path.name + suffix) for suffix in IMAGE_SUFFIXES]
    try:
        return next((candidate for candidate in candidates if candidate.is_file()), None)
    except OSError:  # a name that is too long for the file system
        return None
