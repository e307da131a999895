# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening 3D files of every kind, and choosing what to capture in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ...backend.shared.errors import BadAsset
from .rendered_geometry import MESH_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Formats without an axis convention of their own, and the one that most writers follow.
USUAL_UP_AXIS = {".obj": "Y", ".ply": "Z", ".stl": "Z"}
SUFFIXES = (
    ".blend", ".glb", ".gltf", ".obj", ".fbx", ".ply", ".stl", ".usd", ".usda", ".usdc", ".usdz",
)  # fmt: skip


@dataclass(frozen=True)
class AssetChoice:
    """The file to open, and the objects in it to capture.

    Attributes:
        path: of the file.
        object_name: limits the choice to this object and its children.
        collection_name: limits the choice to the objects of this collection.
        up_axis: "Y", "Z" or "auto", for formats without a convention.
    """

    path: Path
    object_name: str | None = None
    collection_name: str | None = None
    up_axis: str = "auto"


def open_asset(choice: AssetChoice) -> list[bpy.types.Object]:
    """Replace the open file by an asset.

    Returns:
        The objects to capture.

    Raises:
        BadAsset: if the file is missing, of an unknown kind, broken, or has nothing to capture.
    """
    open_file(choice.path, choice.up_axis)
    return chosen_objects(bpy.context.scene, choice)


def open_file(path: Path, up_axis: str = "auto") -> None:
    """Replace the open file by a 3D file of any kind.

    Raises:
        BadAsset: if the file is missing, of an unknown kind, or broken.
    """
    if not path.is_file():
        raise BadAsset(f"There is no file {path}.", "Check the path.")
    if path.suffix.lower() not in SUFFIXES:
        known = " ".join(SUFFIXES)
        raise BadAsset(f"{path.name} is no 3D file that LSRM opens.", f"It opens {known}.")
    try:
        _load(path, up_axis)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
        # Blender's importers are Python add-ons: a broken file may raise any of these.
        reason = str(error).strip().splitlines()[-1:] or ["no reason given"]
        raise BadAsset(
            f"Blender cannot open {path.name}: {reason[0]}", "Check the file."
        ) from error


def open_empty() -> None:
    """Replace the open file by an empty one."""
    # Not read_factory_settings: that would unload this very extension.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)


def _load(path: Path, up_axis: str) -> None:
    suffix = path.suffix.lower()
    if suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
        return
    open_empty()
    up = USUAL_UP_AXIS.get(suffix, "Z") if up_axis == "auto" else up_axis
    _importer(suffix, up)(filepath=str(path))
    for mesh in bpy.data.meshes:
        _show_vertex_colors(mesh)


def _importer(suffix: str, up_axis: str) -> Callable[..., set[str]]:
    """Blender's operator for a kind of file, with its axes set."""
    axes = {"forward_axis": "NEGATIVE_Z", "up_axis": "Y"}
    if up_axis == "Z":
        axes = {"forward_axis": "Y", "up_axis": "Z"}
    if suffix in (".glb", ".gltf"):
        return bpy.ops.import_scene.gltf
    if suffix == ".fbx":
        return bpy.ops.import_scene.fbx
    if suffix.startswith(".usd"):
        return bpy.ops.wm.usd_import
    operator = {
        ".obj": bpy.ops.wm.obj_import,
        ".ply": bpy.ops.wm.ply_import,
        ".stl": bpy.ops.wm.stl_import,
    }[suffix]
    return lambda **options: operator(**options, **axes)


def _show_vertex_colors(mesh: bpy.types.Mesh) -> None:
    """Add a material that shows vertex colors: scans often have these alone."""
    if any(mesh.materials) or not mesh.color_attributes:
        return
    material = bpy.data.materials.new("Vertex colors")
    if material.node_tree is None:
        material.use_nodes = True
    nodes = material.node_tree.nodes
    colors = nodes.new("ShaderNodeVertexColor")
    colors.layer_name = mesh.color_attributes[0].name
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(colors.outputs["Color"], shader.inputs["Base Color"])
    mesh.materials.clear()
    mesh.materials.append(material)


def chosen_objects(scene: bpy.types.Scene, choice: AssetChoice) -> list[bpy.types.Object]:
    """The objects of the open file that a choice names; all that render, if it names none.

    Raises:
        BadAsset: if there are none.
    """
    if choice.object_name is not None:
        objects = _with_children(choice.object_name)
    elif choice.collection_name is not None:
        objects = _collection_objects(choice.collection_name)
    else:
        objects = _rendered_objects(scene.view_layers[0].layer_collection)
    objects = [shown for shown in objects if _can_show(shown)]
    if not objects:
        raise BadAsset(
            f"{choice.path.name} holds nothing to capture.",
            "Choose a file, object or collection with a visible surface.",
        )
    return objects


def _with_children(name: str) -> list[bpy.types.Object]:
    parent = bpy.data.objects.get(name)
    if parent is None:
        names = ", ".join(sorted(bpy.data.objects.keys())[:20])
        raise BadAsset(f"There is no object named {name!r}.", f"The file has: {names}.")
    return [parent, *parent.children_recursive]


def _collection_objects(name: str) -> list[bpy.types.Object]:
    collection = bpy.data.collections.get(name)
    if collection is None:
        names = ", ".join(sorted(bpy.data.collections.keys())[:20])
        raise BadAsset(f"There is no collection named {name!r}.", f"The file has: {names}.")
    return list(collection.all_objects)


def _rendered_objects(layer: bpy.types.LayerCollection) -> list[bpy.types.Object]:
    """The objects of a layer collection and those below, less what is excluded from renders."""
    if layer.exclude or layer.collection.hide_render:
        return []
    found = list(layer.collection.objects)
    for child in layer.children:
        found.extend(shown for shown in _rendered_objects(child) if shown not in found)
    return found


def _can_show(shown: bpy.types.Object) -> bool:
    """Whether an object brings a surface into a render: its own, or that of a collection."""
    instancer = shown.type == "EMPTY" and shown.instance_type == "COLLECTION"
    return not shown.hide_render and (shown.type in MESH_TYPES or instancer)


def common_name(objects: list[bpy.types.Object], path: Path) -> str:
    """One name for all: that of their common root object, or that of the file."""
    roots = set()
    for shown in objects:
        root = shown
        while root.parent is not None:
            root = root.parent
        roots.add(root.name)
    return roots.pop() if len(roots) == 1 else path.stem


def lights(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The lamps that a render of the scene uses."""
    found = _rendered_objects(scene.view_layers[0].layer_collection)
    return [lamp for lamp in found if lamp.type == "LIGHT" and not lamp.hide_render]
