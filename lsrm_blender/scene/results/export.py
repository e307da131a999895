# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export of results with Blender's own exporters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import BadAsset, BadRequest, LsrmError, write_failure
from ...export_formats import GLB, SUFFIXES, USD
from . import originals
from .textures import images_of, store_image, texture_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def chosen_results(
    scene: bpy.types.Scene,
    selected: Sequence[bpy.types.Object],
    active: bpy.types.Object | None,
) -> list[bpy.types.Object]:
    """The selected results, or the one whose original is the active object.

    Raises:
        BadAsset: if there are none.
    """
    results = [each for each in originals.results_in(scene) if each in selected]
    if results:
        return results
    pair = originals.find_pair(scene, active)
    if pair is None:
        raise BadAsset("No result is selected.", "Select what LSRM has made.")
    return [pair.result]


def export_results(
    objects: Sequence[bpy.types.Object], path: Path, kind: str, scene: bpy.types.Scene
) -> None:
    """Export objects with their textures.

    Args:
        objects: of the scene's view layer; all else stays out.
        path: of the file; textures of USD and OBJ are put beside it.
        kind: GLB, USD or OBJ.
        scene: that the window shows.

    Raises:
        BadRequest: if this Blender does not have the format, or the name does not go with it.
        OutputNotWritable, DiskFull: if it cannot be written.
        LsrmError: if Blender's exporter fails.
    """
    if path.suffix.lower() not in SUFFIXES[kind]:
        raise BadRequest(f"{path.name} is no name for {kind}.", f"Call it {SUFFIXES[kind][0]}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _shown_alone(objects, scene):
            _export(objects, path, kind)
    except OSError as error:
        raise write_failure(path, error) from error
    except AttributeError as error:  # some builds have no USD; the glTF add-on may be disabled
        raise BadRequest(f"This Blender cannot export {kind}.", "Choose another format.") from error
    except RuntimeError as error:
        raise LsrmError(
            f"Blender could not export {path.name}: {error}", "Try another format."
        ) from error


def _export(objects: Sequence[bpy.types.Object], path: Path, kind: str) -> None:
    """Export the selected objects."""
    if kind == GLB:
        bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB", use_selection=True)
    elif kind == USD:
        bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True)
    else:
        with _textures_beside(objects, path):
            bpy.ops.wm.obj_export(
                filepath=str(path), export_selected_objects=True, path_mode="STRIP"
            )


@contextmanager
def _shown_alone(objects: Sequence[bpy.types.Object], scene: bpy.types.Scene) -> Iterator[None]:
    """Show and select objects only; exporters leave out what is hidden."""
    layer = bpy.context.view_layer
    hidden = [each for each in objects if each.hide_get(view_layer=layer)]
    with selection_kept():
        originals.set_hidden(hidden, scene, hidden=False)
        originals.select_only(objects, [layer])
        try:
            yield
        finally:
            originals.set_hidden(hidden, scene, hidden=True)


@contextmanager
def selection_kept() -> Iterator[None]:
    """Select at the end what is selected now."""
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, [each for each in layer.objects if each.select_get()]
    try:
        yield
    finally:
        for each in layer.objects:
            each.select_set(each in selected)
        layer.objects.active = active


@contextmanager
def _textures_beside(objects: Sequence[bpy.types.Object], path: Path) -> Iterator[None]:
    """Put the textures of objects beside an OBJ, whose materials then name them."""
    images, before = images_of(objects), {}
    try:
        for index, image in enumerate(images):
            file = path.with_name(texture_name(image, path.stem))
            store_image(image, file)
            before[index] = image.filepath_raw
            image.filepath_raw = str(file)
        yield
    finally:
        for index, name in before.items():
            images[index].filepath_raw = name
