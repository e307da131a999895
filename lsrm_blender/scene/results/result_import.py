# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in a scene: the reconstructed mesh instead of its source objects."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import BadAsset, write_failure
from . import originals, placement
from .textures import unpack_textures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .result_files import Result


def import_result(
    result: Result, scene: bpy.types.Scene, *, pack: bool = True
) -> list[bpy.types.Object]:
    """Import a result into a scene, instead of what it was made of.

    The result has name, transform, origin, parent and collections of its source, which is hidden.
    Custom properties store where it comes from.

    Args:
        result: to import.
        scene: that gets it.
        pack: whether its textures become part of the .blend; else they are files beside the mesh.

    Returns:
        The meshes.

    Raises:
        BadAsset: if Blender cannot read the mesh.
        OutputNotWritable, DiskFull: if the files of textures cannot be written.
    """
    if result.is_quads:
        return append_result(result, result.mesh, scene, pack=pack)
    imported, meshes = _read_mesh(result)
    _add_to_scene(imported, result, scene)
    if not pack:
        unpack_textures(meshes, result.mesh)
    return meshes


def import_level(
    result: Result, finest: bpy.types.Object, scene: bpy.types.Scene
) -> list[bpy.types.Object]:
    """Import a level of detail to where the finest mesh is now; nothing is hidden for it.

    Args:
        result: read from the file of the level.
        finest: imported from the same result folder.
        scene: of the finest mesh, which the context shows.

    Returns:
        The meshes.

    Raises:
        BadAsset: if Blender cannot read the mesh.
    """
    imported, meshes = _read_mesh(result)
    layer = bpy.context.view_layer
    source = scene.objects.get(result.anchor.name) if result.anchor is not None else None
    for made in imported:
        placement.move_to(made, [scene.collection])  # the active one may be hidden
    layer.update()
    for made in imported:
        if made.type == "MESH":
            _name(made, f"{finest.name}{result.level}")
        if made.parent is not None:
            continue
        if source is not None and result.anchor is not None and made.type == "MESH":
            placement.take_place(made, result.anchor, source, layer)
        made.matrix_world = finest.matrix_world
    layer.update()
    return meshes


def store_import(result: Result, blend: Path) -> None:
    """Import a result into the open file, and store it as a .blend for `append_result`.

    Raises:
        BadAsset: if Blender cannot read the mesh.
        OutputNotWritable, DiskFull: if the .blend cannot be written.
    """
    made = import_result(result, bpy.context.scene)
    for each in bpy.context.selected_objects:
        each.select_set(state=False)
    bpy.context.view_layer.update()
    try:
        bpy.data.libraries.write(str(blend), set(made), fake_user=False, compress=False)
    except (OSError, RuntimeError) as error:
        raise write_failure(blend, error) from error


def append_result(
    result: Result, blend: Path, scene: bpy.types.Scene, *, pack: bool = True
) -> list[bpy.types.Object]:
    """Append what was stored after an import to a scene, with the outcome of `import_result`.

    Importing a GLB blocks Blender's window for some tenths of a second, this for hundredths.

    Raises:
        BadAsset: if it cannot be loaded.
        OutputNotWritable, DiskFull: as `import_result` raises.
    """
    try:
        with bpy.data.libraries.load(str(blend), link=False) as (stored, wanted):
            wanted.objects = stored.objects
    except (OSError, RuntimeError) as error:
        raise BadAsset(f"Blender cannot load {blend}.", "Import the result by hand.") from error
    _add_to_scene(wanted.objects, result, scene)
    meshes = [made for made in wanted.objects if made.type == "MESH"]
    if not pack:
        unpack_textures(meshes, result.mesh)
    return meshes


def _read_mesh(result: Result) -> tuple[list[bpy.types.Object], list[bpy.types.Object]]:
    """Import the GLB of a result to where it was captured; returns all objects, and the meshes.

    Raises:
        BadAsset: if Blender cannot read it.
    """
    before = set(bpy.data.objects)
    try:
        bpy.ops.import_scene.gltf(filepath=str(result.mesh))
    except (RuntimeError, ValueError, KeyError) as error:
        raise BadAsset(f"Blender cannot open {result.mesh}.", "Reconstruct again.") from error
    imported = [made for made in bpy.data.objects if made not in before]
    meshes = [made for made in imported if made.type == "MESH"]
    if not meshes:
        raise BadAsset(f"{result.mesh} holds no mesh.", "Reconstruct again.")
    for made in imported:
        if made.parent is None:
            placement.place_mesh(made, result.normalization, result.anchor)
    return imported, meshes


def _add_to_scene(
    imported: Sequence[bpy.types.Object], result: Result, scene: bpy.types.Scene
) -> None:
    """Give imported objects name, place and source; show and select them instead of the source."""
    layers = originals.layers_shown(scene)
    present = {each.name: each for each in scene.objects if each not in imported}
    source = present.get(result.anchor.name) if result.anchor is not None else None
    collections = placement.collections_for(source, scene, layers[0])
    for made in imported:
        placement.move_to(made, collections)
    layers[0].update()
    meshes = [made for made in imported if made.type == "MESH"]
    for made in meshes:
        _name(made, _name_of(result, source))
        _store_source(made, result, present)
        if source is not None and result.anchor is not None and made.parent is None:
            placement.take_place(made, result.anchor, source, layers[0])
    originals.hide_replaced(meshes, scene)
    originals.select_only(meshes, layers)
    layers[0].update()


def _name_of(result: Result, source: bpy.types.Object | None) -> str:
    """The source's name if the result is of it alone, else that of the asset; and the level."""
    alone = source is not None and source.name == result.source.get("name")
    name = str(source.name) if alone and source is not None else result.name
    return f"{name}{result.level}"


def _name(made: bpy.types.Object, name: str) -> None:
    """Call an object, its mesh and its material after the asset; Blender numbers equal names."""
    made.name = made.data.name = name
    for material in made.data.materials:
        if material is not None:
            material.name = name


def _store_source(
    made: bpy.types.Object, result: Result, present: Mapping[str, bpy.types.Object]
) -> None:
    """Store where an object comes from in its custom properties.

    Args:
        made: the object.
        result: that it was imported from.
        present: the other objects of the scene, by name; the originals are among them, or gone.
    """
    made[originals.SOURCE] = result.source.get("file", "")
    made[originals.REPORT] = json.dumps(result.report)
    made[originals.RESULT_FOLDER] = str(result.mesh.parent)
    made[originals.VIEWS] = result.views
    made[originals.IMPORTED] = time.time()
    # Pointers instead of names: they survive renaming.
    captured = [present[name] for name in result.source.get("objects", []) if name in present]
    pointers = {str(index): original for index, original in enumerate(captured)}
    made[originals.SOURCE_OBJECTS] = pointers
