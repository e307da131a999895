# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in a scene: the reconstructed mesh at the place of what it was made from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.shared.cameras import Normalization
from ...backend.shared.capture_format import read_capture_json
from ...backend.shared.errors import BadAsset, write_failure

COLLECTION = "LSRM"
OWN_NAME = re.compile(rf"{COLLECTION}(\.\d+)?")
"""As Blender numbers it where the name is taken, by another scene for one."""

# Custom properties of imported objects.
REPORT = "lsrm_report"
SOURCE = "lsrm_source"
SOURCE_OBJECTS = "lsrm_source_objects"


@dataclass(frozen=True)
class Result:
    """What a result folder says about itself.

    Attributes:
        mesh: the GLB file.
        report: report.json, empty for a bare GLB.
        capture: capture.json of the views it was made from, empty if they are gone.
    """

    mesh: Path
    report: dict[str, Any]
    capture: dict[str, Any]

    @property
    def normalization(self) -> Normalization:
        """From the scene's coordinates to those of the mesh."""
        return normalization_of(self.capture)

    @property
    def source(self) -> dict[str, Any]:
        """What was captured: its `file`, the names of its `objects`, and a `name` for them all."""
        source: dict[str, Any] = self.capture.get("source", {})
        return source

    @property
    def originals(self) -> list[bpy.types.Object]:
        """The captured objects, if the open file has them."""
        names = self.source.get("objects", [])
        return [bpy.data.objects[name] for name in names if name in bpy.data.objects]


def read_result(path: Path, views: Path | None = None) -> Result:
    """A result folder, or a GLB file alone.

    Args:
        path: of the folder or file.
        views: the capture it was made from; None asks its report.

    Raises:
        BadAsset: if there is no mesh, or the report is broken.
    """
    mesh = path / "mesh.glb" if path.is_dir() else path
    if not mesh.is_file():
        raise BadAsset(f"There is no mesh {mesh}.", "Give the folder of a finished result.")
    report_file = mesh.with_name("report.json")
    try:
        report = json.loads(report_file.read_text("utf-8")) if report_file.is_file() else {}
    except ValueError as error:
        raise BadAsset(f"{report_file} is no JSON file.", "Reconstruct again.") from error
    if views is None and "views" in report.get("request", {}):
        views = Path(report["request"]["views"])
    capture = read_capture_json(views) if views is not None and views.is_dir() else {}
    return Result(mesh, report, capture)


def normalization_of(capture: dict[str, Any]) -> Normalization:
    """How the coordinates of a capture differ from those of the scene that was captured."""
    written = capture.get("normalization")
    if written is None:
        return Normalization((0.0, 0.0, 0.0), 1.0)
    x, y, z = written["center"]
    return Normalization((x, y, z), written["scale"])


def import_result(result: Result, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Bring a result into a scene, in its own collection; nothing else changes.

    The mesh lies where the captured object lies, the object itself stays as it is. Custom
    properties say where the result comes from.

    Raises:
        BadAsset: if Blender cannot read the mesh.
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
            made.matrix_world = _placement(result.normalization) @ made.matrix_world
    _settle(imported, result, scene)
    return meshes


def store_import(result: Result, blend: Path) -> None:
    """Import a result into the open file and store it for `append_result`, quick to load.

    Raises:
        BadAsset: if Blender cannot read the mesh.
        OutputNotWritable, DiskFull: as they say.
    """
    made = import_result(result, bpy.context.scene)
    for each in bpy.context.selected_objects:
        each.select_set(state=False)
    bpy.context.view_layer.update()
    try:
        bpy.data.libraries.write(str(blend), set(made), fake_user=False, compress=False)
    except (OSError, RuntimeError) as error:
        raise write_failure(blend, error) from error


def append_result(result: Result, blend: Path, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Bring what `store_import` has stored into a scene, as `import_result` would.

    Importing takes Blender's window some tenths of a second, and this takes hundredths.

    Raises:
        BadAsset: if it cannot be loaded.
    """
    try:
        with bpy.data.libraries.load(str(blend), link=False) as (stored, wanted):
            wanted.objects = stored.objects
    except (OSError, RuntimeError) as error:
        raise BadAsset(f"Blender cannot load {blend}.", "Import the result by hand.") from error
    _settle(wanted.objects, result, scene)
    return [made for made in wanted.objects if made.type == "MESH"]


def _settle(imported: list[bpy.types.Object], result: Result, scene: bpy.types.Scene) -> None:
    """Put imported objects into their collection, and write down where they come from."""
    collection, originals = _own_collection(scene), result.originals
    for made in imported:
        _move(made, collection)
        if made.type == "MESH":
            _note_origin(made, result, originals)
    bpy.context.view_layer.update()


def _own_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection for results."""
    children = scene.collection.children
    own = (each for each in children if OWN_NAME.fullmatch(each.name) and each.library is None)
    found = next(own, None)
    if found is None:
        found = bpy.data.collections.new(COLLECTION)
        scene.collection.children.link(found)
    return found


def _move(made: bpy.types.Object, collection: bpy.types.Collection) -> None:
    """Let an object be in one collection only."""
    if made.name not in collection.objects:
        collection.objects.link(made)
    for other in list(made.users_collection):
        if other != collection:
            other.objects.unlink(made)


def _placement(normalization: Normalization) -> Matrix:
    """The matrix that takes the mesh's coordinates to the scene's."""
    matrix = np.eye(4)
    matrix[:3, :3] /= normalization.scale
    matrix[:3, 3] = normalization.center
    return Matrix(matrix.tolist())


def _note_origin(made: bpy.types.Object, result: Result, originals: list[bpy.types.Object]) -> None:
    """Write where an object comes from into its custom properties."""
    made.name = made.data.name = f"{result.source.get('name', 'Result')} (LSRM)"
    made[SOURCE] = result.source.get("file", "")
    made[REPORT] = json.dumps(result.report)
    # Pointers and not names: they survive renaming.
    made[SOURCE_OBJECTS] = {str(index): original for index, original in enumerate(originals)}


def originals_of(made: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects of the file that an imported result was made from."""
    return [original for original in made.get(SOURCE_OBJECTS, {}).values() if original is not None]


def results_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The imported results of a scene."""
    return [shown for shown in scene.objects if REPORT in shown]


def save_blend(path: Path) -> None:
    """Store the open file as .blend, whole or not at all.

    Raises:
        OutputNotWritable, DiskFull: as they say.
    """
    path = path.absolute()
    part = path.with_name(f".{path.stem}.part.blend")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(
            filepath=str(part), copy=True, compress=True, relative_remap=True
        )
        part.replace(path)
    except (OSError, RuntimeError) as error:
        raise write_failure(path, error) from error
    finally:
        part.unlink(missing_ok=True)
