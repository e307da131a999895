# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The triangles that a render shows, and the smallest sphere around them.

The viewport's geometry is not the render's: modifiers have a level for each, objects a visibility
for each. Only a render engine is handed the latter, so for a moment we are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ...backend.shared.capture.capture import BoundingSphere
from ...backend.shared.errors import BadAsset
from .assets.asset_objects import POINT_TYPES, SHOWN_TYPES

if TYPE_CHECKING:
    from pathlib import Path

SPHERE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Geometry:
    """Triangles in world coordinates.

    Attributes:
        vertices: [n, 3] float64; with those that no triangle has: points of hair, of point clouds,
            and of the boxes around volumes.
        triangles: [m, 3] int64, indices of vertices, counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    triangles: np.ndarray

    def transformed(self, matrix: np.ndarray) -> Geometry:
        """Moved by a matrix [4, 4]; a mirrored one keeps the triangles facing outwards."""
        vertices = self.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        mirrored = np.linalg.det(matrix[:3, :3]) < 0.0
        return Geometry(vertices, self.triangles[:, ::-1] if mirrored else self.triangles)


def joined(parts: list[Geometry]) -> Geometry:
    """Several geometries as one."""
    if not parts:
        return Geometry(np.empty((0, 3)), np.empty((0, 3), np.int64))
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    triangles = [part.triangles + start for part, start in zip(parts, starts, strict=True)]
    return Geometry(np.concatenate([p.vertices for p in parts]), np.concatenate(triangles))


def _mesh_geometry(mesh: bpy.types.Mesh) -> Geometry:
    """A mesh in its own coordinates."""
    mesh.calc_loop_triangles()
    vertices = np.empty(len(mesh.vertices) * 3, np.float32)
    triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.vertices.foreach_get("co", vertices)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    return Geometry(
        vertices.reshape(-1, 3).astype(np.float64), triangles.reshape(-1, 3).astype(np.int64)
    )


def _points(shown: bpy.types.Object) -> Geometry:
    """The points of hair or of a point cloud, or the corners of a volume, in its coordinates."""
    data = shown.data
    if shown.type == "VOLUME":
        points = np.array([corner[:] for corner in shown.bound_box], np.float64)
    else:
        points = _attribute(data, "position", 3)
        radii = _attribute(data, "radius", 1)
        if len(points) == len(radii):
            axes = np.concatenate([np.eye(3), -np.eye(3)])
            points = (points[:, None] + radii[:, None] * axes).reshape(-1, 3)
    return Geometry(points, np.empty((0, 3), np.int64))


def _attribute(data: bpy.types.ID, name: str, size: int) -> np.ndarray:
    """An attribute of points, [n, size]; empty if they have none."""
    attribute = data.attributes.get(name)
    if attribute is None:
        return np.empty((0, size))
    values = np.empty(len(attribute.data) * size, np.float32)
    attribute.data.foreach_get("vector" if size == 3 else "value", values)
    return values.reshape(-1, size).astype(np.float64)


def _is_no_surface(shown: bpy.types.Object) -> bool:
    """Whether an object, also one of an instanced collection, is none in pictures."""
    return shown.is_shadow_catcher or shown.is_holdout or not shown.visible_camera


def _instances_of(depsgraph: bpy.types.Depsgraph) -> list[Geometry]:
    """Every visible instance of every surface, in world coordinates."""
    parts = []
    for instance in depsgraph.object_instances:
        shown = instance.object
        if not instance.show_self or shown.type not in SHOWN_TYPES or _is_no_surface(shown):
            continue
        matrix = np.array(instance.matrix_world)
        if shown.type in POINT_TYPES:
            parts.append(_points(shown).transformed(matrix))
            continue
        mesh = shown.to_mesh()
        if mesh is not None and len(mesh.polygons) > 0:
            parts.append(_mesh_geometry(mesh).transformed(matrix))
        shown.to_mesh_clear()
    return parts


def _collector(parts: list[Geometry]) -> type[bpy.types.RenderEngine]:
    """A render engine that renders nothing but fills `parts`."""

    class LSRM_RenderedGeometry(bpy.types.RenderEngine):
        bl_idname = "LSRM_RENDERED_GEOMETRY"
        bl_label = "LSRM rendered geometry"

        def render(self, depsgraph: bpy.types.Depsgraph) -> None:
            parts.extend(_instances_of(depsgraph))

    return LSRM_RenderedGeometry


def rendered_geometry(scene: bpy.types.Scene) -> Geometry:
    """What a render of a working scene shows, with modifiers and instances.

    Raises:
        BadAsset: if there is none.
    """
    parts: list[Geometry] = []
    engine = _collector(parts)
    bpy.utils.register_class(engine)
    try:
        scene.render.engine = engine.bl_idname
        scene.render.resolution_x = scene.render.resolution_y = 4
        bpy.ops.render.render(scene=scene.name)
    finally:
        bpy.utils.unregister_class(engine)
    geometry = joined(parts)
    if len(geometry.vertices) == 0:
        raise _no_surface(scene)
    return geometry


def viewport_geometry(scene: bpy.types.Scene) -> Geometry:
    """What the viewport would show of a working scene; unlike a render, this changes no image.

    Raises:
        BadAsset: if there is nothing.
    """
    layer = scene.view_layers[0]
    layer.update()
    geometry = joined(_instances_of(layer.depsgraph))
    if len(geometry.vertices) == 0:
        raise _no_surface(scene)
    return geometry


def _no_surface(scene: bpy.types.Scene) -> BadAsset:
    """The error for a scene that shows nothing: it may have points, but no faces."""
    meshes = [shown.data for shown in scene.objects if shown.type == "MESH"]
    points = sum(len(mesh.vertices) for mesh in meshes)
    if points > 0 and not any(len(mesh.polygons) for mesh in meshes):
        return BadAsset(
            f"The asset holds {points} points and no faces, so renders show nothing.",
            "Make a surface of the points first, for example in MeshLab or CloudCompare.",
        )
    return BadAsset(
        "The asset shows no surface in a render.",
        "Choose an object with faces, and make it visible in renders.",
    )


def bounding_sphere(points: np.ndarray) -> BoundingSphere:
    """The smallest sphere around points [n, 3].

    At most four of them lie on it and determine it. While a point lies outside, the farthest one is
    added to these, and those no longer needed are dropped; the radius grows at every step.

    Raises:
        BadAsset: if all points coincide, or are not finite.
    """
    if not np.isfinite(points).all():
        raise BadAsset("The asset has vertices that are not finite.", "Repair its mesh.")
    support = points[:1]
    center, radius = points[0], 0.0
    while True:
        distances = np.linalg.norm(points - center, axis=1)
        farthest = int(distances.argmax())
        if distances[farthest] <= radius * (1.0 + SPHERE_TOLERANCE) + np.finfo(float).tiny:
            break
        previous = radius
        support, center, radius = _sphere_around(np.vstack([support, points[farthest]]))
        if radius <= previous:  # no progress beyond rounding errors
            radius = max(previous, float(distances[farthest]))
            break
    if radius == 0.0:
        raise BadAsset("All vertices of the asset coincide.", "Check its scale.")
    x, y, z = center.tolist()
    return BoundingSphere((x, y, z), float(radius))


def _sphere_around(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The smallest sphere around at most five points: its support, center and radius."""
    best: tuple[np.ndarray, np.ndarray, float] | None = None
    for count in range(1, min(len(points), 4) + 1):
        for chosen in combinations(range(len(points)), count):
            support = points[list(chosen)]
            center = _equidistant(support)
            radius = float(np.linalg.norm(support - center, axis=1).max())
            reach = float(np.linalg.norm(points - center, axis=1).max())
            if reach <= radius * (1.0 + SPHERE_TOLERANCE) and (best is None or radius < best[2]):
                best = support, center, radius
    if best is not None:
        return best
    center = points.mean(axis=0)
    return points[:1], center, float(np.linalg.norm(points - center, axis=1).max())


def _equidistant(points: np.ndarray) -> np.ndarray:
    """The point [3] in the span of points [k, 3] that is equally far from all of them.

    Solves 2 (p_i - p_0) . x = |p_i - p_0|^2 for the shortest x.
    """
    edges = points[1:] - points[0]
    if len(edges) == 0:
        return points[0]
    offset = np.linalg.lstsq(2.0 * edges, (edges**2).sum(axis=1), rcond=None)[0]
    return points[0] + offset


def write_ply(path: Path, geometry: Geometry) -> None:
    """Store triangles as binary PLY, float32 positions."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(geometry.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(geometry.triangles)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(len(geometry.triangles), dtype=[("count", "u1"), ("index", "<i4", 3)])
    faces["count"] = 3
    faces["index"] = geometry.triangles
    vertices = geometry.vertices.astype("<f4")
    path.write_bytes(header.encode("ascii") + vertices.tobytes() + faces.tobytes())
