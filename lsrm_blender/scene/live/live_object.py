# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview of a running reconstruction as an object in its scene: shown, but no part of it.

It is never rendered, selected or saved. It is found by its mark alone: undo and files that are
opened may remove it, or bring it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
import numpy as np

from ....backend.shared.srgb import srgb_to_linear
from ..assets.vertex_colors import show_vertex_colors
from ..results import placement

if TYPE_CHECKING:
    from ....backend.shared.live.preview_files import PreviewMesh
    from ..results.result_files import Result

LIVE = "lsrm_live"
"""The custom property that marks the object."""

NAME = "LSRM Live Preview"


def show_live_object(mesh: PreviewMesh, result: Result, scene: bpy.types.Scene) -> bpy.types.Object:
    """Show a preview in a scene, at the place of its source.

    Args:
        mesh: the preview.
        result: that is being made.
        scene: to show it in.
    """
    made = bpy.data.objects.new(NAME, _mesh_of(mesh))
    made[LIVE] = True
    made.hide_render = made.hide_select = True
    made.show_in_front = True  # the source is at the same place
    anchor = result.anchor
    source = scene.objects.get(anchor.name) if anchor is not None else None
    made.matrix_world = placement.matrix_in_scene(result.normalization, anchor, source)
    scene.collection.objects.link(made)
    return made


def remove_live_object() -> None:
    """Remove the preview from the open file, wherever it is."""
    found = [each for each in bpy.data.objects if each.get(LIVE)]
    meshes = [each.data for each in found if each.type == "MESH"]
    materials = [each for mesh in meshes for each in mesh.materials if each and each.get(LIVE)]
    if found:
        bpy.data.batch_remove([*found, *meshes, *materials])


def _mesh_of(preview: PreviewMesh) -> bpy.types.Mesh:
    """A mesh with vertex colors, which its material shows."""
    mesh = bpy.data.meshes.new(NAME)
    faces = len(preview.faces)
    mesh.vertices.add(len(preview.vertices))
    mesh.vertices.foreach_set("co", preview.vertices.ravel())
    mesh.loops.add(3 * faces)
    mesh.loops.foreach_set("vertex_index", preview.faces.ravel())
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * faces, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    colors = np.ones((len(preview.vertices), 4), np.float32)
    colors[:, :3] = preview.colors / 255
    layer = mesh.color_attributes.new("Color", "BYTE_COLOR", "POINT")
    layer.data.foreach_set("color_srgb", colors.ravel())
    show_vertex_colors(mesh)
    mesh.materials[0][LIVE] = True
    mean = srgb_to_linear(colors[:, :3].mean(axis=0, keepdims=True))[0]
    mesh.materials[0].diffuse_color = (*mean.tolist(), 1.0)
    return mesh
