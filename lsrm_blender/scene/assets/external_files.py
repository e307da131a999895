# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the open file uses, and those of them that are missing."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ...jobs.asset_files import referenced_files
from .asset_objects import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE = "<UDIM>"
OTHER_TILE = "<UVTILE>"


def used_files(source: Path) -> list[str]:
    """Absolute paths of the files that an open asset uses besides itself, present or missing."""
    found = {str(path.absolute()) for path in referenced_files(source)}
    for name in bpy.utils.blend_paths(absolute=True, packed=False, local=False):
        if TILE in name or OTHER_TILE in name:
            found.update(_tiles(name))
        elif name:
            found.add(name)
    return sorted(found)


def _tiles(name: str) -> Iterator[str]:
    """The existing tiles of a tiled texture, or its pattern if there is none."""
    pattern = glob.escape(name).replace(TILE, "[0-9]" * 4).replace(OTHER_TILE, "u*_v*")
    yield from glob.glob(pattern) or [name]  # noqa: PTH207 - the path may hold no folder


def missing_images() -> list[str]:
    """Textures whose files or tiles are missing or broken; Blender renders them pink."""
    found: list[str] = []
    for image in bpy.data.images:
        if not image.users or image.packed_file or len(image.packed_files):
            continue
        if image.source == "TILED":
            found += _missing_tiles(image)
        elif (image.source == "FILE" and 0 in image.size) or (
            image.source in ("SEQUENCE", "MOVIE") and not _path(image).is_file()
        ):
            found.append(image.filepath)
    return found


def _path(block: bpy.types.ID) -> Path:
    """The file of a data-block, which may come from a library."""
    return Path(bpy.path.abspath(block.filepath, library=block.library))


def _missing_tiles(image: bpy.types.Image) -> list[str]:
    found = []
    for tile in image.tiles:
        column, row = (tile.number - 1001) % 10 + 1, (tile.number - 1001) // 10 + 1
        name = str(_path(image)).replace(TILE, str(tile.number))
        name = name.replace(OTHER_TILE, f"u{column}_v{row}")
        if not Path(name).is_file():
            found.append(name)
    return found


def missing_file_warnings(source: Path) -> list[str]:
    """Sentences about everything that the open file misses.

    Args:
        source: the file that was opened.
    """
    sentences = []
    images = missing_images()
    if images:
        sentences.append(f"Missing textures were rendered pink: {listed(images)}.")
    sentences += [_library_warning(each) for each in bpy.data.libraries if each.is_missing]
    kinds = (bpy.data.cache_files, bpy.data.volumes, bpy.data.fonts)
    blocks = [block for kind in kinds for block in kind if block.users and _is_missing(block)]
    files = [block.filepath for block in blocks] + _missing_references(source, images)
    if files:
        sentences.append(f"Missing files: {listed(dict.fromkeys(files))}.")
    return sentences


def _library_warning(library: bpy.types.Library) -> str:
    names = [block.name for block in library.users_id if block.is_missing]
    objects = f", and with it: {listed(names)}" if names else ""
    return f"The library {library.filepath} is missing{objects}."


def _is_missing(block: bpy.types.ID) -> bool:
    """Whether the file of a cache, volume or font is not there."""
    packed = getattr(block, "packed_file", None)
    builtin = block.filepath in ("", "<builtin>")
    sequence = getattr(block, "is_sequence", False)
    return not packed and not builtin and not sequence and not _path(block).is_file()


def _missing_references(source: Path, images: list[str]) -> list[str]:
    """The missing files that a text file names and Blender does not report."""
    known = {Path(name).name for name in images}
    missing = [path for path in referenced_files(source) if not path.is_file()]
    return [str(path) for path in missing if path.name not in known]
