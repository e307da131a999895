# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images in the materials of results, packed into the .blend or as files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import write_failure
from ...jobs.job_folders import folder_name

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXTURES = "textures"
"""The folder of files, beside the mesh."""


def images_of(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Image]:
    """The images in the materials of objects, each once."""
    materials = [each for made in objects for each in made.data.materials if each is not None]
    trees = [each.node_tree for each in materials if each.node_tree is not None]
    nodes = [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE"]
    return list(dict.fromkeys(node.image for node in nodes if node.image is not None))


def store_image(image: bpy.types.Image, file: Path) -> None:
    """Store an image as it came.

    Raises:
        OSError, RuntimeError: if that fails.
    """
    if image.packed_file is not None:
        file.write_bytes(image.packed_file.data)
    elif (source := Path(bpy.path.abspath(image.filepath))).is_file():
        if source != file:
            shutil.copyfile(source, file)
    else:
        image.save(filepath=str(file))


def texture_name(image: bpy.types.Image, stem: str) -> str:
    """The name of the file of an image, as many readers of .mtl files take it: without blanks.

    It begins with that of the mesh, so that two meshes in one folder have textures of their own.
    """
    name = folder_name(image.name)
    begins = name.lower().startswith(stem.lower())
    suffix = ".jpg" if image.file_format == "JPEG" else ".png"
    return (name if begins else f"{stem}_{name}").replace(" ", "_") + suffix


def unpack_textures(objects: Sequence[bpy.types.Object], mesh: Path) -> None:
    """Take the images of objects out of the .blend, and put them as files beside a mesh.

    Their color spaces stay: roughness, metallic and normals are no colors. Paths are relative to
    the .blend where it lies above them.

    Args:
        objects: that were imported from the mesh.
        mesh: the file of a result.

    Raises:
        OutputNotWritable, DiskFull: if they cannot be stored.
    """
    folder = mesh.parent / TEXTURES
    for image in images_of(objects):
        if image.packed_file is None:
            continue
        file = folder / texture_name(image, mesh.stem)
        try:
            folder.mkdir(exist_ok=True)
            file = _beside_others(file, image.packed_file.data)
            store_image(image, file)
        except OSError as error:
            raise write_failure(file, error) from error
        image.filepath_raw = _path_from_blend(file)
        image.unpack(method="REMOVE")


def _beside_others(file: Path, data: bytes) -> Path:
    """The file, with a number in its name if one of that name holds other data, as after edits."""
    number, free = 1, file
    while free.is_file() and free.read_bytes() != data:
        number += 1
        free = file.with_stem(f"{file.stem}_{number}")
    return free


def _path_from_blend(file: Path) -> str:
    """The path of a file as Blender stores it."""
    blend = bpy.data.filepath
    below = blend and file.is_relative_to(Path(blend).parent)
    return str(bpy.path.relpath(str(file)) if below else file)
