# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a result: transform, origin, parent and collection of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from mathutils import Matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import bpy

    from ....backend.shared.cameras import Normalization
    from .result_files import Anchor

TRANSFORM = (
    "rotation_mode", "location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle",
    "scale", "delta_location", "delta_rotation_euler", "delta_rotation_quaternion", "delta_scale",
)  # fmt: skip
PARENT = ("parent", "parent_type", "parent_bone", "parent_vertices", "matrix_parent_inverse")
SMALLEST_DETERMINANT = 1e-12
TOLERANCE = 1e-6
"""Of matrix entries, relative to the largest one."""


def place_mesh(made: bpy.types.Object, normalization: Normalization, anchor: Anchor | None) -> None:
    """Give an imported object the coordinates of the captured scene.

    With an anchor its origin becomes that of the anchor, else it stays that of the views.
    """
    placed = _to_scene_matrix(normalization) @ made.matrix_world
    place = Matrix(anchor.matrix) if anchor is not None else Matrix()
    if made.type != "MESH" or anchor is None or abs(place.determinant()) < SMALLEST_DETERMINANT:
        made.matrix_world = placed
        return
    made.matrix_world = place
    # Not place: no object has the shear that parents may have given its source.
    _transform(made.data, made.matrix_basis.inverted() @ placed)


def take_place(
    made: bpy.types.Object, anchor: Anchor, source: bpy.types.Object, layer: bpy.types.ViewLayer
) -> None:
    """Move an object that `place_mesh` has placed to where its source is now, and as it is.

    Args:
        made: the imported object.
        anchor: where the source was when it was captured.
        source: the object whose place is taken.
        layer: that shows both.
    """
    captured = Matrix(anchor.matrix)
    if abs(captured.determinant()) < SMALLEST_DETERMINANT:
        return
    if not _same(made.matrix_basis, captured):
        _transform(made.data, captured.inverted() @ made.matrix_basis)
    _copy(source, made, (*PARENT, *TRANSFORM))
    layer.update()
    wanted = _world_matrix(source, layer)
    if not _same(made.matrix_world, wanted):  # constraints or physics move the source
        made.matrix_world = wanted
        layer.update()
    if not _same(made.matrix_world, wanted):  # a sheared matrix, which no transform of its own has
        _transform(made.data, made.matrix_world.inverted_safe() @ wanted)


def matrix_in_scene(
    normalization: Normalization, anchor: Anchor | None, source: bpy.types.Object | None
) -> Matrix:
    """The matrix from the world of the views to the scene, where the source is now.

    Args:
        normalization: from the captured scene to the world of the views.
        anchor: where the source was when it was captured, if there is one.
        source: the object that the views show, if it is still there.
    """
    placed = _to_scene_matrix(normalization)
    if anchor is None or source is None:
        return placed
    captured = Matrix(anchor.matrix)
    if abs(captured.determinant()) < SMALLEST_DETERMINANT:
        return placed
    return source.matrix_world @ captured.inverted() @ placed


def collections_for(
    source: bpy.types.Object | None, scene: bpy.types.Scene, layer: bpy.types.ViewLayer
) -> list[bpy.types.Collection]:
    """Where a result belongs: the collections of its source, else the active one of the scene."""
    own = [scene.collection, *scene.collection.children_recursive]
    if source is not None:
        found = [each for each in source.users_collection if each in own and _is_local(each)]
        if found:
            return found
    active = layer.active_layer_collection
    usable = active is not None and active.is_visible and _is_local(active.collection)
    return [active.collection if usable else scene.collection]


def move_to(made: bpy.types.Object, collections: Sequence[bpy.types.Collection]) -> None:
    """Move an object to collections, out of all others."""
    for collection in collections:
        if made.name not in collection.objects:
            collection.objects.link(made)
    for other in list(made.users_collection):
        if other not in collections:
            other.objects.unlink(made)


def _is_local(collection: bpy.types.Collection) -> bool:
    """Whether objects can be added to a collection: it is not of another file."""
    return collection.library is None and collection.override_library is None


def _world_matrix(source: bpy.types.Object, layer: bpy.types.ViewLayer) -> Matrix:
    """Where an object is seen, also if constraints or physics have moved it."""
    return source.evaluated_get(layer.depsgraph).matrix_world.copy()


def _copy(source: bpy.types.Object, made: bpy.types.Object, names: Sequence[str]) -> None:
    for name in names:
        setattr(made, name, getattr(source, name))


def _same(first: Matrix, second: Matrix) -> bool:
    one, other = np.array(first), np.array(second)
    return bool(np.abs(one - other).max() <= TOLERANCE * max(1.0, np.abs(other).max()))


def _to_scene_matrix(normalization: Normalization) -> Matrix:
    """The matrix from the mesh's coordinates to the scene's."""
    matrix = np.eye(4)
    matrix[:3, :3] /= normalization.scale
    matrix[:3, 3] = normalization.center
    return Matrix(matrix.tolist())


def _transform(mesh: bpy.types.Mesh, matrix: Matrix) -> None:
    """Transform a mesh with its shading normals; a mirrored one stays right side out."""
    linear = np.array(matrix.to_3x3(), dtype=np.float64)
    normals = _vertex_normals(mesh) @ np.linalg.inv(linear)
    mesh.transform(matrix)
    if matrix.determinant() < 0.0:
        mesh.flip_normals()
    if mesh.has_custom_normals:  # stored relative to the faces, which may be sheared now
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        unit = normals / np.maximum(lengths, SMALLEST_DETERMINANT)
        mesh.normals_split_custom_set_from_vertices(unit.tolist())


def _vertex_normals(mesh: bpy.types.Mesh) -> np.ndarray:
    """The shading normal of every vertex, [vertices, 3]: one, since seams have two vertices."""
    corners = np.empty((len(mesh.loops), 3), dtype=np.float32)
    mesh.corner_normals.foreach_get("vector", corners.ravel())
    vertices = np.empty(len(mesh.loops), dtype=np.int32)
    mesh.loops.foreach_get("vertex_index", vertices)
    normals = np.zeros((len(mesh.vertices), 3))
    normals[vertices] = corners
    return normals
