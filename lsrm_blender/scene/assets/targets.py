# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the selected objects are reconstructed to: one result for all, or one for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

from ....backend.shared.errors import BadAsset
from ..results.originals import originals_of
from .asset_objects import SHOWN_TYPES, anchor, common_root, moved_by_physics

if TYPE_CHECKING:
    from collections.abc import Sequence

UNNAMED_COLLECTION = re.compile(r"Collection[ .\d]*")
"""The names that Blender gives to collections itself."""


@dataclass(frozen=True)
class Target:
    """Objects that are captured together.

    Attributes:
        names: of the objects.
        name: that stands for all of them.
        anchor: the name of the object whose place the result takes; empty if there is none.
    """

    names: tuple[str, ...]
    name: str
    anchor: str = ""

    def source(self) -> dict[str, Any]:
        """The entries of `source` in capture.json."""
        entries: dict[str, Any] = {"file": bpy.data.filepath, "name": self.name}
        root = bpy.data.objects.get(self.anchor)
        return {**entries, "anchor": anchor(root) if root is not None else None}

    def poses(self) -> dict[str, list[list[float]]]:
        """World matrices of rigid bodies as the artist sees them: no copy of the file has them."""
        depsgraph = bpy.context.evaluated_depsgraph_get()
        objects = [bpy.data.objects.get(name) for name in self.names]
        moved = [shown for shown in objects if shown is not None and moved_by_physics(shown)]
        return {
            shown.name: [list(row) for row in shown.evaluated_get(depsgraph).matrix_world]
            for shown in moved
        }


def without_results(
    objects: Sequence[bpy.types.Object], scene: bpy.types.Scene
) -> list[bpy.types.Object]:
    """Objects, each once; instead of a result what it was made of, where the scene still has that.

    A result is selected once it is made: to reconstruct again means the same object, not a copy of
    the copy.
    """
    found: list[bpy.types.Object] = []
    for each in objects:
        originals = [part for part in originals_of(each) if part.name in scene.objects]
        found += _whole(originals) or [each]
    return list(dict.fromkeys(found))


def selected_roots(objects: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """The objects that are not part of another one among them, and have something to show."""
    return [root for root in objects if not _has_ancestor_in(objects, root) and _shows(root)]


def chosen_targets(
    selected: Sequence[bpy.types.Object],
    active: bpy.types.Object | None,
    scene: bpy.types.Scene,
    *,
    each: bool,
) -> list[Target]:
    """The targets of a selection in which results stand for their originals; as `make_targets`."""
    standing = without_results([active] if active else [], scene)
    return make_targets(
        without_results(selected, scene), standing[0] if len(standing) == 1 else None, each=each
    )


def make_targets(
    objects: Sequence[bpy.types.Object], active: bpy.types.Object | None, *, each: bool
) -> list[Target]:
    """The targets of some selected objects.

    Args:
        objects: the selection.
        active: the active object; with one result for all, that takes its place.
        each: whether every object gets a result of its own, with all that hangs from it.

    Raises:
        BadAsset: if none of them can be captured.
    """
    roots = selected_roots(objects)
    if not roots:
        raise BadAsset("No object is selected.", "Select the objects to reconstruct.")
    if each or len(roots) == 1:
        return [Target(_names([root]), root.name, root.name) for root in roots]
    place = active.name if active is not None and active in roots else ""
    return [Target(_names(roots), _common_name(roots), place)]


def _whole(parts: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """The nearest object that all parts are or hang from, if nothing else does; else the parts."""
    for root in _lineage(parts[0]) if parts else ():
        if all(root in _lineage(part) for part in parts):
            others = [each for each in (root, *root.children_recursive) if each not in parts]
            seen = any(each.type in SHOWN_TYPES and not each.hide_render for each in others)
            return [*parts] if seen else [root]
    return [*parts]


def _lineage(shown: bpy.types.Object) -> list[bpy.types.Object]:
    """An object, its parent, and so on."""
    found = [shown]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found


def _names(roots: Sequence[bpy.types.Object]) -> tuple[str, ...]:
    """The names of objects and of all that hangs from them."""
    parts = [part for root in roots for part in (root, *root.children_recursive)]
    return tuple(dict.fromkeys(part.name for part in parts if part.type != "CAMERA"))


def _common_name(roots: Sequence[bpy.types.Object]) -> str:
    """One name for several objects: of what they hang from, or of the collection they are in."""
    root = common_root(roots)
    if root is not None:
        return str(root.name)
    shared = set.intersection(*(set(each.users_collection) for each in roots))
    names = sorted(each.name for each in shared if each.name in bpy.data.collections)
    named = [name for name in names if not UNNAMED_COLLECTION.fullmatch(name)]
    return named[0] if named else f"{roots[0].name} and {len(roots) - 1} more"


def _has_ancestor_in(objects: Sequence[bpy.types.Object], root: bpy.types.Object) -> bool:
    return any(above in objects for above in _lineage(root)[1:])


def _shows(root: bpy.types.Object) -> bool:
    """Whether an object, or one that hangs from it, can have a surface."""
    return any(
        part.type in SHOWN_TYPES or (part.type == "EMPTY" and part.instance_type == "COLLECTION")
        for part in (root, *root.children_recursive)
    )
