# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coordinates far from the origin, which float32 would round to steps, moved to the origin.

Blender's importers read text to float32 at once, so a moved copy of the file is opened.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ...jobs.asset_files import TEXTURE_KEYWORDS, material_libraries, texture_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FAR = 2000.0
"""Distance from the origin over the size, beyond which float32 keeps too few digits."""

VERTICES_LOOKED_AT = 1000


def far_offset(vertices: np.ndarray) -> np.ndarray | None:
    """What to subtract [3] from vertices [n, 3] far from the origin; None if they are near."""
    finite = vertices[np.isfinite(vertices).all(axis=1)]
    if len(finite) == 0:
        return None
    lowest, highest = finite.min(axis=0), finite.max(axis=0)
    center, size = 0.5 * (lowest + highest), float((highest - lowest).max())
    if np.abs(center).max() <= FAR * size:
        return None
    return np.round(center) if size >= 1.0 else center


def text_offset(path: Path) -> np.ndarray | None:
    """The offset [3] of an .obj or a text .stl file whose vertices lie far from the origin."""
    if path.suffix.lower() == ".stl" and not _is_text_stl(path):
        return None
    if far_offset(_text_vertices(path, VERTICES_LOOKED_AT)) is None:
        return None
    return far_offset(_text_vertices(path, None))


def _is_text_stl(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1024)
    return start.lstrip().startswith(b"solid") and b"facet" in start


def _is_vertex(line: bytes) -> bool:
    """Whether a line of an .obj or .stl file is a vertex."""
    words = line.split(None, 1)
    return bool(words) and words[0] in (b"v", b"vertex")


def _text_vertices(path: Path, count: int | None) -> np.ndarray:
    """The first vertices of a text file, [n, 3] float64."""
    with path.open("rb") as file:
        rows = (line.split()[1:4] for line in file if _is_vertex(line))
        return _numbers(islice((row for row in rows if len(row) == 3), count))


def _numbers(rows: Iterable[list[bytes]]) -> np.ndarray:
    found = list(rows)
    try:
        return np.array(found, dtype=np.float64).reshape(-1, 3)
    except ValueError:  # no numbers: the importer says so
        return np.empty((0, 3))


def write_moved(path: Path, offset: np.ndarray, folder: Path) -> Path:
    """A copy of a text file with moved vertices, which finds the same materials and textures.

    Args:
        path: of the file.
        offset: [3], subtracted from its vertices.
        folder: for the copy and its material libraries.
    """
    names = []
    libraries = material_libraries(path) if path.suffix.lower() == ".obj" else []
    for index, library in enumerate(each for each in libraries if each.is_file()):
        names.append(f"{index}.mtl")
        (folder / names[-1]).write_text("".join(_absolute_textures(library)), "utf-8")
    moved = folder / path.name
    with path.open("rb") as source, moved.open("wb") as target:
        target.write(f"mtllib {' '.join(names)}\n".encode() if names else b"")
        for line in source:
            if _is_vertex(line):
                target.write(_moved_line(line, offset))
            elif not line.lower().lstrip().startswith(b"mtllib"):
                target.write(line)
    return moved


def _moved_line(line: bytes, offset: np.ndarray) -> bytes:
    words = line.split()
    moved = [f"{float(word) - shift:.9g}" for word, shift in zip(words[1:4], offset, strict=True)]
    return b" ".join([words[0], *(word.encode() for word in moved), *words[4:]]) + b"\n"


def _absolute_textures(library: Path) -> Iterator[str]:
    """The lines of a material library, with absolute paths of its textures."""
    for line in library.read_text("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0].lower().startswith(TEXTURE_KEYWORDS):
            texture = texture_line(line, library.absolute().parent)
            yield f"{texture.options} {texture.path}\n"
        else:
            yield line + "\n"
