# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an asset is called: `mug/model.obj` is "mug", and so is `mug/images/`.

Standard library only. Names such as "model" or "images" say what kind of thing a file or folder is;
the asset's name is then that of the folder around it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

GENERIC = frozenset((
    "asset", "baked", "capture", "captures", "color", "colmap", "combined", "default", "dense",
    "export", "exported", "fbx", "final", "frames", "geometry", "glb", "gltf", "high", "image",
    "images", "input", "lod", "low", "main", "mesh", "meshes", "model", "models", "normalized",
    "obj", "object", "photo", "photograph", "photographs", "photos", "picture", "pictures",
    "poly", "raw", "reference", "result", "rgb", "scan", "scene", "simple", "source", "sparse",
    "test", "texture", "textured", "textures", "train", "transforms", "undistorted", "untitled",
    "usd", "usda", "usdz", "view", "views", "world",
))  # fmt: skip
"""Words that name no asset in particular."""

PLACES = frozenset((
    "assets", "data", "datasets", "desktop", "documents", "downloads", "dokumente", "home", "mnt",
    "objects", "tmp", "temp", "tests", "users", "volumes", "work",
))  # fmt: skip
"""Folders that hold many things; none is called after them."""

FOLDERS_ABOVE = 3
"""How far above a file its name is looked for."""

UNNAMED = "asset"


def is_generic(name: str) -> bool:
    """Whether a name says only what kind of thing has it."""
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word]
    return all(word in GENERIC for word in words)


def name_of_file(path: Path) -> str:
    """The name of the asset in a 3D file."""
    path = path.absolute()
    return _first_name([path.stem, *_names_above(path)]) or path.stem


def name_below(parts: Iterable[str]) -> str:
    """The name of an asset from the parts of its path below a searched folder; empty if generic.

    Args:
        parts: the folders from the searched one downwards, and the stem of the file.
    """
    kept = list(parts)
    while kept and is_generic(kept[-1]):
        kept.pop()
    return "_".join(kept)


def name_of_views(views: Path, description: Mapping[str, object]) -> str:
    """The name of the asset that views show.

    Args:
        views: a capture folder, a transforms.json, or photographs.
        description: the contents of its capture.json; empty if there is none.
    """
    source = description.get("source")
    described = source if isinstance(source, dict) else {}
    name = described.get("name")
    # The capture of an asset has chosen its name; that of photographs is the one of their folder.
    if isinstance(name, str) and name and ("objects" in described or not is_generic(name)):
        return name
    views = views.absolute()
    folder = views.parent if views.suffix else views
    names = [each for each in (folder.name, *_names_above(folder)) if not each.isdecimal()]
    return _first_name(names) or str(name or folder.name or UNNAMED)


def _names_above(path: Path) -> list[str]:
    """The names of the folders around a path, from the inside."""
    return [folder.name for folder in path.parents][:FOLDERS_ABOVE]


def _first_name(names: Iterable[str]) -> str:
    """The first name that is not generic, unless a place comes first."""
    for name in names:
        if name.casefold() in PLACES:
            return ""
        if not is_generic(name):
            return name
    return ""
