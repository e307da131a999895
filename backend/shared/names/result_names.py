# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the files in a result folder, for the side that writes it and those that read it."""

from __future__ import annotations

import re

REPORT = "report.json"
"""The file that marks a folder as a result."""

MESH, PREVIEW = "mesh.glb", "preview.png"

QUADS = "mesh_quads.blend"
"""The result as a mesh of quads, if that was wanted: only the side of Blender makes it."""

MASKS = "masks"
"""The folder of masks that were made, in the capture or, if that cannot be written, the result."""

COMPARISON = "comparison.png"
"""Views, the result and their difference, once it was compared."""

CONTENT = frozenset(
    {
        REPORT,
        MESH,
        QUADS,
        PREVIEW,
        COMPARISON,
        "textures",
        "coverage.png",
        "field.safetensors",
        "log.txt",
        MASKS,
        "masks.png",
    }
)
"""The files of a result, beside its levels of detail."""

LEVEL = re.compile(r"mesh_([1-9][0-9]*)\.glb")


def level_mesh(faces: int) -> str:
    """The file of a coarser level of detail, by the number of triangles requested of it."""
    return f"mesh_{faces}.glb"


def is_level(name: str) -> bool:
    """Whether a file is a coarser level of detail."""
    return LEVEL.fullmatch(name) is not None


def level_faces(name: str) -> int:
    """The number of triangles requested of the level of detail in a file."""
    return int(LEVEL.sub(r"\1", name))


def is_content(name: str) -> bool:
    """Whether a file is of a result. A folder with others in it is never replaced or deleted."""
    return name in CONTENT or is_level(name)


LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers create in any folder."""
