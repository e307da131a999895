# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of quads that looks like a result: QuadriFlow, a new layout, and baked textures."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import bmesh
import bpy
import numpy as np
from mathutils import Matrix

from ....backend.shared.errors import LsrmError
from ..render_settings import RenderSettings, use_cycles
from ..results import originals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....backend.shared.progress import Progress

REMEDY = "The triangles are the result; remesh them by hand if you need quads."
STAGE = "quads"
TRIANGLES_PER_QUAD = 2
REACH = 0.02
"""How far the result may lie from the quads, as a share of its size."""

SAME_SIZE = 0.1
"""How far the size of the quads may be from that of the result, as a share."""

LEAST_QUADS = 0.9
"""Share of the faces; QuadriFlow leaves some triangles."""

FACES_FACTOR = 4.0
"""How far the number of faces may be from the wanted one: a closed surface is of quads already."""

WORK_SIZE = 10.0
SHORTEST_EDGE = 2e-4
"""QuadriFlow refuses meshes with edges of 1e-4, whatever their size."""

VOXELS = 160
"""Along the longest side of what QuadriFlow refuses as it is."""

MARGIN = 4
"""Texels around islands."""


def make_quads(
    original: bpy.types.Object, name: str, scene: bpy.types.Scene, progress: Progress
) -> bpy.types.Object:
    """Make quads of a result, with textures and a normal map from it.

    Args:
        original: the result, alone in the scene.
        name: of the new object, its mesh and material, and the beginning of those of its images.
        scene: the one in the context.
        progress: receives fractions of the stage `quads`; may cancel between steps.

    Raises:
        LsrmError: if QuadriFlow fails.
    """
    progress.report(STAGE, 0.0, "remeshing")
    made, to_original = _welded(original)
    scene.collection.objects.link(made)
    faces = max(len(original.data.polygons) // TRIANGLES_PER_QUAD, 1)
    if not _remesh(made, faces):
        progress.report(STAGE, 0.2, "remeshing a closed surface")
        _close(made)
        if not _remesh(made, faces):
            raise LsrmError("QuadriFlow failed, or lost parts of the surface.", REMEDY)
    made.data.transform(to_original)
    made.matrix_world = original.matrix_world
    made.data.shade_smooth()
    bpy.context.view_layer.update()
    progress.report(STAGE, 0.5, "unwrapping")
    size = max(image.size[0] for image in _images_of(original))
    _unwrap(made, size)
    use_cycles(scene, RenderSettings(samples=1))
    _bake_material(original, made, name, size, progress)
    made.name = made.data.name = name
    return made


def _welded(original: bpy.types.Object) -> tuple[bpy.types.Object, Matrix]:
    """A new object with the surface of a result, closed where its texture has seams.

    Returns:
        The object, of the size `WORK_SIZE`, and the matrix back to the coordinates of the result.
    """
    mesh = original.data
    points = np.empty((len(mesh.vertices), 3), dtype=np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    mesh.calc_loop_triangles()
    triangles = np.empty((len(mesh.loop_triangles), 3), dtype=np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles.ravel())
    vertices, index = np.unique(points, axis=0, return_inverse=True)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    center, scale = (low + high) / 2, float((high - low).max()) / WORK_SIZE
    vertices = (vertices - center) / scale
    welded = bpy.data.meshes.new(original.name)
    welded.from_pydata(vertices.tolist(), [], index.reshape(-1)[triangles].tolist())
    _merge_short_edges(welded)
    back = Matrix.Translation(center.tolist()) @ Matrix.Scale(scale, 4)
    return bpy.data.objects.new(original.name, welded), back


def _merge_short_edges(mesh: bpy.types.Mesh) -> None:
    """Merge the ends of edges that are too short for QuadriFlow."""
    shape = bmesh.new()
    shape.from_mesh(mesh)
    bmesh.ops.remove_doubles(shape, verts=shape.verts, dist=SHORTEST_EDGE)
    shape.to_mesh(mesh)
    shape.free()


def _close(made: bpy.types.Object) -> None:
    """Make the mesh of an object a manifold, which QuadriFlow needs: edge collapse may fold it."""
    made.data.remesh_voxel_size = WORK_SIZE / VOXELS
    made.data.remesh_voxel_adaptivity = 0.0
    originals.select_only([made], [bpy.context.view_layer])
    bpy.ops.object.voxel_remesh()
    _merge_short_edges(made.data)


def _remesh(made: bpy.types.Object, faces: int) -> bool:
    """Replace the mesh of an object by about as many quads; whether that went well.

    A mesh that QuadriFlow refuses, by an error or by a warning, or spoils, stays as it was.
    """
    bpy.context.view_layer.update()
    before, size = made.data.copy(), np.array(made.dimensions)
    originals.select_only([made], [bpy.context.view_layer])
    with suppress(RuntimeError):
        bpy.ops.object.quadriflow_remesh(
            mode="FACES", target_faces=faces, use_mesh_symmetry=False, use_preserve_sharp=False,
            use_preserve_boundary=False, smooth_normals=False,
        )  # fmt: skip
    bpy.context.view_layer.update()
    corners = [polygon.loop_total for polygon in made.data.polygons]
    is_new = faces / FACES_FACTOR < len(corners) < faces * FACES_FACTOR
    is_whole = np.abs(np.array(made.dimensions) - size).max() <= SAME_SIZE * size.max()
    if is_new and is_whole and corners.count(4) > LEAST_QUADS * len(corners):
        bpy.data.meshes.remove(before)
        return True
    made.data = before
    return False


def _unwrap(made: bpy.types.Object, size: int) -> None:
    """Give an object a texture layout."""
    originals.select_only([made], [bpy.context.view_layer])
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.uv.smart_project(angle_limit=math.radians(66), island_margin=MARGIN / size)
    bpy.ops.object.mode_set(mode="OBJECT")


def _images_of(original: bpy.types.Object) -> list[bpy.types.Image]:
    """The images in the material of a result, each once."""
    nodes = original.active_material.node_tree.nodes
    return list(dict.fromkeys(node.image for node in nodes if node.type == "TEX_IMAGE"))


def _bake_material(
    original: bpy.types.Object,
    made: bpy.types.Object,
    name: str,
    size: int,
    progress: Progress,
) -> None:
    """Give the quads the material of the original, with all its images and normals baked."""
    source, images = original.active_material, _images_of(original)
    made.data.materials.append(source)
    baked = {}
    for number, image in enumerate(images):
        progress.report(STAGE, 0.6 + 0.3 * number / len(images), image.name)
        with _shining(original, image):
            color_space = image.colorspace_settings.name
            kind = image.name.removeprefix(source.name).strip()
            baked[image] = _bake(original, made, "EMIT", f"{name} {kind}", size, color_space)
    progress.report(STAGE, 0.9, "normals")
    normals = _bake(original, made, "NORMAL", f"{name} normal", size, "Non-Color")
    material = made.data.materials[0] = source.copy()
    material.name = name
    tree = material.node_tree
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            node.image = baked[node.image]
    texture, bump = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "NormalMap"))
    texture.image = normals
    tree.links.new(texture.outputs["Color"], bump.inputs["Color"])
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


@contextmanager
def _shining(original: bpy.types.Object, image: bpy.types.Image) -> Iterator[None]:
    """Let an object show an image alone, so that a bake of its light gives the image."""
    before = original.data.materials[0]
    material = bpy.data.materials.new("shining")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    texture, emission, output = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Emission", "OutputMaterial")
    )
    texture.image = image
    tree.links.new(texture.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    original.data.materials[0] = material
    try:
        yield
    finally:
        original.data.materials[0] = before
        bpy.data.materials.remove(material)


def _bake(
    original: bpy.types.Object,
    made: bpy.types.Object,
    kind: str,
    name: str,
    size: int,
    color_space: str,
) -> bpy.types.Image:
    """Bake from one object to another, into a new packed image.

    Raises:
        LsrmError: if Blender cannot bake.
    """
    image = bpy.data.images.new(name, size, size)
    image.colorspace_settings.name = color_space
    target = bpy.data.materials.new("target")
    target.use_nodes = True
    node = target.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    target.node_tree.nodes.active = node
    before = made.data.materials[0]
    made.data.materials[0] = target
    reach = REACH * max(original.dimensions)
    originals.select_only([made, original], [bpy.context.view_layer])
    try:
        bpy.ops.object.bake(
            type=kind, use_selected_to_active=True, cage_extrusion=reach,
            max_ray_distance=2 * reach, margin=MARGIN, normal_space="TANGENT",
        )  # fmt: skip
    except RuntimeError as error:
        raise LsrmError(f"The textures cannot be baked: {error}", REMEDY) from error
    finally:
        made.data.materials[0] = before
        bpy.data.materials.remove(target)
    image.pack()
    return image
