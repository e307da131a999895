# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a text file of 3D data refers to: buffers, material libraries, textures."""

from __future__ import annotations

import json
import mmap
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTURE_KEYWORDS = ("map_", "bump", "disp", "decal", "refl", "norm")
ASSET_PATH = re.compile(rb"@([^@\r\n]+)@")


@dataclass(frozen=True)
class TextureLine:
    """A line of a material library that names a texture.

    Attributes:
        options: the line up to the name.
        path: of the texture.
    """

    options: str
    path: Path


def referenced_files(source: Path) -> list[Path]:
    """The files that a .gltf, .obj, .ply or .usda file refers to, whether they exist or not.

    A file that cannot be read or understood refers to none: opening it says what is wrong.
    """
    readers = {
        ".gltf": _gltf_names,
        ".obj": _obj_names,
        ".ply": _ply_names,
        ".usda": _usda_names,
    }
    source = source.absolute()
    read = readers.get(source.suffix.lower())
    try:
        names = list(read(source)) if read is not None else []
    except (OSError, ValueError, AttributeError, TypeError):
        return []
    return sorted({source.parent / name for name in names if name and "\0" not in name})


def _gltf_names(source: Path) -> Iterator[str]:
    document = json.loads(source.read_text("utf-8"))
    for part in (*document.get("buffers", []), *document.get("images", [])):
        uri = part.get("uri", "")
        if uri and not uri.startswith("data:"):
            yield unquote(uri)


def _obj_names(source: Path) -> Iterator[str]:
    for library in material_libraries(source):
        yield str(library)
        yield from (str(texture.path) for texture in material_textures(library))


def material_libraries(source: Path) -> list[Path]:
    """The material libraries of an .obj file, whether they exist or not."""
    found = []
    for line in lines_starting_with(source, ("mtllib",)):
        rest = line.split(None, 1)[1:]
        if not rest:
            continue
        whole = source.parent / rest[0].strip()
        parts = [source.parent / name for name in rest[0].split()]
        found += [whole] if whole.is_file() else parts
    return found


def material_textures(library: Path) -> list[TextureLine]:
    """The lines of a material library with textures.

    Options such as `-bm 1` may stand before the name, and names may hold spaces: the longest ending
    of the line that is a file is the name, else the last word.
    """
    return [
        texture_line(line, library.parent)
        for line in lines_starting_with(library, TEXTURE_KEYWORDS)
        if len(line.split()) > 1
    ]


def texture_line(line: str, folder: Path) -> TextureLine:
    """The parts of a line with a texture, in a material library of a folder."""
    words = line.split()
    endings = range(1, len(words))
    existing = [start for start in endings if (folder / " ".join(words[start:])).is_file()]
    start = existing[0] if existing else len(words) - 1
    return TextureLine(" ".join(words[:start]), folder / " ".join(words[start:]))


def lines_starting_with(path: Path, keywords: tuple[str, ...]) -> list[str]:
    """The lines of a text file that start with one of some keywords, in any case."""
    if not path.is_file() or path.stat().st_size == 0:
        return []
    start = b"|".join(re.escape(keyword.encode()) for keyword in keywords)
    pattern = re.compile(rb"^[ \t]*((?:" + start + rb")[^\r\n]*)", re.MULTILINE | re.IGNORECASE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return [found.decode("utf-8", "replace").strip() for found in pattern.findall(text)]


def _ply_names(source: Path) -> Iterator[str]:
    with source.open("rb") as file:
        for line in file:
            if line.strip() == b"end_header":
                return
            words = line.decode("utf-8", "replace").split(None, 2)
            if len(words) == 3 and [w.lower() for w in words[:2]] == ["comment", "texturefile"]:
                yield words[2].strip()


def _usda_names(source: Path) -> Iterator[str]:
    with source.open("rb") as file:
        for line in file:
            yield from (name.decode("utf-8", "replace") for name in ASSET_PATH.findall(line))
