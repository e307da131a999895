# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing what of the open file views show, what lights it, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy

from ....backend.shared.errors import BadAsset
from ....backend.shared.names.asset_names import is_generic, name_of_file
from ..results.originals import originals_of, results_in
from .emission import emits_light, is_volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mathutils import Matrix

MESH_TYPES = frozenset({"MESH", "CURVE", "SURFACE", "META", "FONT"})
POINT_TYPES = frozenset({"CURVES", "POINTCLOUD", "VOLUME"})
"""Types without triangles: hair, point clouds and volumes."""

SHOWN_TYPES = MESH_TYPES | POINT_TYPES
# Cycles does not draw these; Blender lays them over its renders.
DRAWN_OVER = frozenset({"GREASEPENCIL", "GPENCIL"})
NAMES_IN_A_SENTENCE = 8


@dataclass(frozen=True)
class AssetChoice:
    """The file to open, and the objects in it to capture.

    Attributes:
        path: of the file.
        object_name: limits the choice to this object and its children.
        collection_name: limits the choice to the objects of this collection.
        names: limits the choice to the objects with these names, if there are any.
        up_axis: "Y", "Z" or "auto", for formats without a convention.
    """

    path: Path
    object_name: str | None = None
    collection_name: str | None = None
    names: tuple[str, ...] = ()
    up_axis: str = "auto"


@dataclass(frozen=True)
class Asset:
    """What is captured of the open file.

    Attributes:
        objects: that views show.
        source: the entry `source` of capture.json.
        warnings: for the user, about the file and what is left out of it.
        poses: world matrices of objects that physics has moved, by name.
    """

    objects: list[bpy.types.Object]
    source: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    poses: Mapping[str, Matrix] = field(default_factory=dict)


def choose(scene: bpy.types.Scene, choice: AssetChoice) -> Asset:
    """The objects of the open file that a choice names; all that render, if it names none.

    Raises:
        BadAsset: if there are none.
    """
    _show_originals(scene, choice.names)
    named = _named_objects(scene, choice)
    shown = [each for each in named if _can_show(each)]
    objects, left_out = _without_left_out(scene, shown)
    if not objects:
        unseen = [each for each in shown if is_unseen(scene, each)]
        hidden = [f"No camera sees: {_names(unseen)}."] if unseen else []
        raise BadAsset(
            " ".join([f"{choice.path.name} holds nothing to capture.", *left_out, *hidden]),
            "Choose a file, object or collection with a visible surface.",
        )
    root = bpy.data.objects.get(choice.object_name or "") or common_root(objects)
    source: dict[str, Any] = {
        "file": str(choice.path.absolute()),
        "name": choice.object_name or choice.collection_name or _name(root, choice.path),
        "objects": [each.name for each in objects],
    }
    if root is not None:
        source["anchor"] = anchor(root)
    warnings = (*left_out, *_never_shown(named), *_layer_warnings(scene, choice))
    return Asset(objects, source, warnings, _poses(scene, objects))


def _named_objects(scene: bpy.types.Scene, choice: AssetChoice) -> list[bpy.types.Object]:
    """The objects that a choice names, of any type.

    Raises:
        BadAsset: if the file has not what is named.
    """
    if choice.object_name is not None:
        return _with_children(choice.object_name)
    if choice.collection_name is not None:
        return _collection_objects(choice.collection_name)
    objects = _rendered_objects(scene)
    if not choice.names:
        return objects
    found = [shown for shown in objects if shown.name in choice.names]
    if not any(_can_show(shown) for shown in found):
        raise BadAsset(
            f"Nothing of {listed(choice.names)} appears in a render.",
            "Choose objects with a surface that are not excluded from renders.",
        )
    return found


def _show_originals(scene: bpy.types.Scene, names: tuple[str, ...]) -> None:
    """Show chosen objects that were hidden for a result.

    In renders, if the viewport shows them: what was hidden for a result in another scene is hidden
    from the renders of all. In both, if their result is shown here instead of them.
    """
    layer = scene.view_layers[0]
    results = [made for each in bpy.data.scenes for made in results_in(each)]
    for made in results:
        replaces = made.name in layer.objects and not made.hide_get(view_layer=layer)
        for original in originals_of(made):
            if original.name in names and original.name in layer.objects:
                if replaces:
                    original.hide_set(state=False, view_layer=layer)
                original.hide_render &= original.hide_get(view_layer=layer)


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


def _used_layers(scene: bpy.types.Scene) -> list[bpy.types.ViewLayer]:
    """The view layers that a render of the scene uses."""
    return [layer for layer in scene.view_layers if layer.use] or list(scene.view_layers)


def _rendered_objects(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects of all used view layers, each once, less what is excluded from renders."""
    layers = [_layer_objects(layer.layer_collection) for layer in _used_layers(scene)]
    return list(dict.fromkeys(shown for objects in layers for shown in objects))


def _layer_objects(layer: bpy.types.LayerCollection) -> list[bpy.types.Object]:
    """The objects of a layer collection and those below, less what is excluded from renders."""
    if layer.exclude or layer.collection.hide_render:
        return []
    found = list(layer.collection.objects)
    for child in layer.children:
        found.extend(shown for shown in _layer_objects(child) if shown not in found)
    return found


def _can_show(shown: bpy.types.Object) -> bool:
    """Whether an object brings something into a render: itself, or a collection."""
    instancer = shown.type == "EMPTY" and shown.instance_type == "COLLECTION"
    return not shown.hide_render and (shown.type in SHOWN_TYPES or instancer)


def _without_left_out(
    scene: bpy.types.Scene, objects: list[bpy.types.Object]
) -> tuple[list[bpy.types.Object], list[str]]:
    """The objects that are part of the asset, and sentences about the others."""
    catchers = [shown for shown in objects if shown.is_shadow_catcher]
    rest = [shown for shown in objects if shown not in catchers]
    holdouts = [shown for shown in rest if _in_all_layers(scene, shown, "holdout_get")]
    rest = [shown for shown in rest if shown not in holdouts and not is_unseen(scene, shown)]
    volumes = [shown for shown in rest if is_volume(shown)]
    if len(volumes) == len(rest):
        volumes = []  # nothing but a volume is an asset of its own
    reasons = (
        (catchers, "Shadow catchers are left out: {}."),
        (holdouts, "Holdouts are left out: {}."),
        (volumes, "Volumes are left out: {}. To capture one, choose it alone."),
    )
    sentences = [text.format(_names(left)) for left, text in reasons if left]
    return [shown for shown in rest if shown not in volumes], sentences


def _in_all_layers(scene: bpy.types.Scene, shown: bpy.types.Object, flag: str) -> bool:
    """Whether an object has a flag of view layers in all used layers that it is in."""
    layers = [layer for layer in _used_layers(scene) if shown.name in layer.objects]
    return bool(layers) and all(getattr(shown, flag)(view_layer=layer) for layer in layers)


def is_unseen(scene: bpy.types.Scene, shown: bpy.types.Object) -> bool:
    """Whether no camera sees an object that otherwise takes part in a render."""
    return not shown.visible_camera or _in_all_layers(scene, shown, "indirect_only_get")


def _never_shown(objects: Iterable[bpy.types.Object]) -> list[str]:
    """Sentences about objects that should show something but cannot."""
    drawn = [each for each in objects if each.type in DRAWN_OVER and not each.hide_render]
    return [f"Grease Pencil is left out of the views: {_names(drawn)}."] if drawn else []


def _layer_warnings(scene: bpy.types.Scene, choice: AssetChoice) -> list[str]:
    """A sentence if the view layers show different objects, which are now captured together."""
    if choice.object_name or choice.collection_name or choice.names:
        return []
    layers = _used_layers(scene)
    shown = [{o for o in _layer_objects(each.layer_collection) if _can_show(o)} for each in layers]
    if all(objects == shown[0] for objects in shown):
        return []
    names = listed(layer.name for layer in layers)
    return [f"The objects of several view layers are captured together: {names}."]


def _poses(scene: bpy.types.Scene, objects: Iterable[bpy.types.Object]) -> dict[str, Matrix]:
    """The evaluated world matrices of objects that the scene's rigid bodies move."""
    if scene.rigidbody_world is None:
        return {}
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return {
        shown.name: shown.evaluated_get(depsgraph).matrix_world.copy()
        for shown in objects
        if moved_by_physics(shown)
    }


def moved_by_physics(shown: bpy.types.Object) -> bool:
    """Whether an object, or one that carries it, is a rigid body."""
    root: bpy.types.Object | None = shown
    while root is not None:
        if root.rigid_body is not None:
            return True
        root = root.parent
    return False


def common_root(objects: Iterable[bpy.types.Object]) -> bpy.types.Object | None:
    """The object that all others hang from, itself or above them; None if there is none."""
    roots = set()
    for shown in objects:
        root = shown
        while root.parent is not None:
            root = root.parent
        roots.add(root)
    return roots.pop() if len(roots) == 1 else None


def _name(root: bpy.types.Object | None, path: Path) -> str:
    """The name of an asset: in a .blend that of its root object, else that of the file."""
    if path.suffix.lower() != ".blend" or root is None or is_generic(root.name):
        return name_of_file(path)
    return str(root.name)


def anchor(root: bpy.types.Object) -> dict[str, Any]:
    """The object whose place a result takes, and where it is: an entry of `source`."""
    evaluated = root.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return {"object": root.name, "matrix": [list(row) for row in evaluated.matrix_world]}


def lights(
    scene: bpy.types.Scene, captured: Iterable[bpy.types.Object] = ()
) -> list[bpy.types.Object]:
    """What lights a render of the scene, besides its world.

    Lamps, glowing objects that are not captured, and objects that no camera sees: these reflect
    or block light, or they would not be there.
    """
    captured = set(captured)
    found = []
    for shown in _rendered_objects(scene):
        if shown.hide_render or shown in captured:
            continue
        lit = _can_show(shown) and (emits_light(shown) or is_unseen(scene, shown))
        if shown.type == "LIGHT" or lit:
            found.append(shown)
    return found


def _names(objects: Iterable[bpy.types.Object]) -> str:
    return listed(shown.name for shown in objects)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence; of many only the first ones."""
    names = list(names)
    more = len(names) - NAMES_IN_A_SENTENCE
    text = ", ".join(names[:NAMES_IN_A_SENTENCE])
    return f"{text} and {more} more" if more > 0 else text
