# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in a scene: the reconstructed mesh at the position of its source objects."""

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
from ...backend.shared.capture.json_files import read_capture_json
from ...backend.shared.errors import BadAsset, write_failure

COLLECTION = "LSRM"
OWN_NAME = re.compile(rf"{COLLECTION}(\.\d+)?")
"""With the number that Blender adds if the name exists, for example in another scene."""

# Custom properties of imported objects.
REPORT = "lsrm_report"
SOURCE = "lsrm_source"
SOURCE_OBJECTS = "lsrm_source_objects"


@dataclass(frozen=True)
class Result:
    """A result folder.

    Attributes:
        mesh: the GLB file.
        report: report.json; empty for a GLB file alone.
        capture: capture.json of the input views; empty if they are missing.
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
        """The captured asset: its `file`, the names of its `objects`, and a `name` for all.

        Empty if the capture is of another program and describes it differently.
        """
        source = self.capture.get("source")
        return source if isinstance(source, dict) else {}

    @property
    def originals(self) -> list[bpy.types.Object]:
        """The captured objects, if the open file has them."""
        names = self.source.get("objects", [])
        return [bpy.data.objects[name] for name in names if name in bpy.data.objects]


def read_result(path: Path, views: Path | None = None) -> Result:
    """A result folder, or a GLB file alone.

    Args:
        path: of the folder or file.
        views: the capture of the input views; None takes it from the report.

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
    """The normalization from the captured scene's coordinates to those of the capture."""
    written = capture.get("normalization")
    if written is None:
        return Normalization((0.0, 0.0, 0.0), 1.0)
    x, y, z = written["center"]
    return Normalization((x, y, z), written["scale"])


def import_result(result: Result, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Import a result into a collection of a scene; nothing else changes.

    The mesh has the position of the captured object, which is not changed. Custom properties
    store the source of the result.

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
            made.matrix_world = _to_scene_matrix(result.normalization) @ made.matrix_world
    _add_to_scene(imported, result, scene)
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


def append_result(result: Result, blend: Path, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Append what `store_import` has stored to a scene, with the outcome of `import_result`.

    Importing a GLB blocks Blender's window for some tenths of a second, this for hundredths.

    Raises:
        BadAsset: if it cannot be loaded.
    """
    try:
        with bpy.data.libraries.load(str(blend), link=False) as (stored, wanted):
            wanted.objects = stored.objects
    except (OSError, RuntimeError) as error:
        raise BadAsset(f"Blender cannot load {blend}.", "Import the result by hand.") from error
    _add_to_scene(wanted.objects, result, scene)
    return [made for made in wanted.objects if made.type == "MESH"]


def _add_to_scene(imported: list[bpy.types.Object], result: Result, scene: bpy.types.Scene) -> None:
    """Move imported objects into their collection, and store their source."""
    collection, originals = _own_collection(scene), result.originals
    for made in imported:
        _move(made, collection)
        if made.type == "MESH":
            _store_source(made, result, originals)
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
    """Move an object to a collection, out of all others."""
    if made.name not in collection.objects:
        collection.objects.link(made)
    for other in list(made.users_collection):
        if other != collection:
            other.objects.unlink(made)


def _to_scene_matrix(normalization: Normalization) -> Matrix:
    """The matrix from the mesh's coordinates to the scene's."""
    matrix = np.eye(4)
    matrix[:3, :3] /= normalization.scale
    matrix[:3, 3] = normalization.center
    return Matrix(matrix.tolist())


def _store_source(
    made: bpy.types.Object, result: Result, originals: list[bpy.types.Object]
) -> None:
    """Store the source of an object in its custom properties."""
    made.name = made.data.name = f"{result.source.get('name', 'Result')} (LSRM)"
    made[SOURCE] = result.source.get("file", "")
    made[REPORT] = json.dumps(result.report)
    # Pointers instead of names: they survive renaming.
    made[SOURCE_OBJECTS] = {str(index): original for index, original in enumerate(originals)}


def originals_of(made: bpy.types.Object) -> list[bpy.types.Object]:
    """The source objects of an imported result."""
    return [original for original in made.get(SOURCE_OBJECTS, {}).values() if original is not None]


def results_in(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The imported results of a scene."""
    return [shown for shown in scene.objects if REPORT in shown]


def save_blend(path: Path) -> None:
    """Save the open file as .blend, atomically.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be written.
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
