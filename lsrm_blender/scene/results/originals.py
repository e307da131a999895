# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results and their originals: which belong together, and which of them is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Custom properties of imported objects.
REPORT = "lsrm_report"
RESULT_FOLDER = "lsrm_result"
SOURCE = "lsrm_source"
SOURCE_OBJECTS = "lsrm_source_objects"
VIEWS = "lsrm_views"
IMPORTED = "lsrm_imported"
"""When it was imported, in seconds since 1970."""


@dataclass(frozen=True)
class Pair:
    """A result and what it was made of.

    Attributes:
        result: the imported object.
        originals: its source objects, at least one.
        others: earlier or later results of the same source, which stay hidden.
    """

    result: bpy.types.Object
    originals: tuple[bpy.types.Object, ...]
    others: tuple[bpy.types.Object, ...] = ()


def originals_of(made: bpy.types.Object) -> list[bpy.types.Object]:
    """The source objects of an imported result."""
    stored = made.get(SOURCE_OBJECTS, {})
    return [original for original in stored.values() if original is not None]


def results_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The imported results of a scene, in the order of their import."""
    results = [shown for shown in scene.objects if REPORT in shown]
    return sorted(results, key=lambda made: made.get(IMPORTED, 0.0))


def find_pair(scene: bpy.types.Scene, active: bpy.types.Object | None) -> Pair | None:
    """The pair of the active object, which is a result or an original; else the only pair.

    None if there is none, or if several could be meant. A result of photographs has no original
    and so forms no pair.
    """
    results = [each for each in results_in(scene) if _originals_in(scene, each)]
    chosen = [each for each in results if active in (each, *originals_of(each))]
    if not chosen:
        chosen = results
        if len({_source_key(each) for each in results}) != 1:
            return None
    shown = [each for each in chosen if not each.hide_get(view_layer=scene.view_layers[0])]
    result = active if active in chosen else (shown or chosen)[-1]
    same = [each for each in results if each != result and _share_source(each, result)]
    return Pair(result, tuple(_originals_in(scene, result)), tuple(same))


def swap(pair: Pair, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Show the originals of a pair instead of its result, or the other way round.

    Returns:
        What is shown now.
    """
    show_result = pair.result.hide_get(view_layer=scene.view_layers[0])
    set_hidden([*pair.originals], scene, hidden=show_result)
    set_hidden([pair.result], scene, hidden=not show_result)
    set_hidden(pair.others, scene, hidden=True)
    return [pair.result] if show_result else [*pair.originals]


def hide_replaced(meshes: Sequence[bpy.types.Object], scene: bpy.types.Scene) -> None:
    """Hide what lies where a new result does: its originals, and earlier results of its source.

    An object that is being edited stays visible.
    """
    others = [each for each in results_in(scene) if each not in meshes]
    earlier = [each for each in others if any(_share_source(each, made) for made in meshes)]
    replaced = [*(each for made in meshes for each in _originals_in(scene, made)), *earlier]
    set_hidden([each for each in replaced if each.mode == "OBJECT"], scene, hidden=True)


def set_hidden(
    objects: Iterable[bpy.types.Object], scene: bpy.types.Scene, *, hidden: bool
) -> None:
    """Hide or show objects in all view layers of a scene, and in renders."""
    for each in objects:
        each.hide_render = hidden
        for layer in scene.view_layers:
            if each.name in layer.objects:
                each.hide_set(hidden, view_layer=layer)


def select_only(objects: Sequence[bpy.types.Object], layers: Iterable[bpy.types.ViewLayer]) -> None:
    """Select objects instead of all others, and make the first the active one.

    Where an object is being edited, that stays active: a mode is never left.
    """
    for layer in layers:
        active = layer.objects.active
        present = [each for each in objects if each.name in layer.objects]
        if not present or (active is not None and active.mode != "OBJECT"):
            continue
        for each in layer.objects:
            each.select_set(each in present, view_layer=layer)
        layer.objects.active = present[0]


def layers_shown(scene: bpy.types.Scene) -> list[bpy.types.ViewLayer]:
    """The view layers of a scene that windows show; the first one if none does."""
    windows = bpy.context.window_manager.windows
    shown = [each.view_layer for each in windows if each.scene == scene]
    return shown or [scene.view_layers[0]]


def _originals_in(scene: bpy.types.Scene, made: bpy.types.Object) -> list[bpy.types.Object]:
    """The originals of a result that are in a scene: others may have been deleted from it."""
    return [each for each in originals_of(made) if each.name in scene.objects]


def _source_key(made: bpy.types.Object) -> frozenset[str]:
    return frozenset(each.name for each in originals_of(made))


def _share_source(one: bpy.types.Object, other: bpy.types.Object) -> bool:
    """Whether two results were made of the same objects, or of the same views."""
    sources = set(originals_of(one)), set(originals_of(other))
    same_views = bool(one.get(VIEWS)) and one.get(VIEWS) == other.get(VIEWS)
    return same_views or bool(sources[0] & sources[1])
