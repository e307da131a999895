# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertex colors of imported meshes, which Blender's importers leave invisible."""

from __future__ import annotations

import bpy
import numpy as np

GRAY_TOLERANCE = 0.02
"""A base color whose channels differ less has no color of its own."""


def show_vertex_colors(mesh: bpy.types.Mesh) -> None:
    """Show the vertex colors of a mesh without materials, or with plain gray ones alone.

    Scans often have vertex colors alone, or with the white material that a writer adds.
    """
    colors = mesh.color_attributes
    if not colors:
        return
    materials = [material for material in mesh.materials if material is not None]
    if not materials:
        mesh.materials.clear()
        mesh.materials.append(_new_material())
        _link_colors(mesh.materials[0], colors[0].name)
    elif _vary(colors[0]) and all(_is_plain(material) for material in materials):
        for index, material in enumerate(mesh.materials):
            mesh.materials[index] = material.copy() if material is not None else _new_material()
            _link_colors(mesh.materials[index], colors[0].name)


def _vary(colors: bpy.types.Attribute) -> bool:
    """Whether vertex colors are more than one white for all."""
    values = np.empty(len(colors.data) * 4, np.float32)
    if len(values) == 0:
        return False
    colors.data.foreach_get("color", values)
    return bool((values.reshape(-1, 4)[:, :3] < 1.0).any())


def _new_material() -> bpy.types.Material:
    material = bpy.data.materials.new("Vertex colors")
    if material.node_tree is None:
        material.use_nodes = True
    return material


def _shader(material: bpy.types.Material) -> bpy.types.Node | None:
    """The one Principled BSDF of a material, if it has one."""
    nodes = material.node_tree.nodes if material.node_tree is not None else []
    found = [node for node in nodes if node.type == "BSDF_PRINCIPLED"]
    return found[0] if len(found) == 1 else None


def _is_plain(material: bpy.types.Material) -> bool:
    """Whether a material has one gray base color, without a texture."""
    shader = _shader(material)
    if shader is None or shader.inputs["Base Color"].is_linked:
        return False
    red, green, blue, _ = shader.inputs["Base Color"].default_value
    return bool(max(red, green, blue) - min(red, green, blue) <= GRAY_TOLERANCE)


def _link_colors(material: bpy.types.Material, layer: str) -> None:
    """Make vertex colors the base color of a material."""
    shader, nodes = _shader(material), material.node_tree.nodes
    if shader is None:
        return
    colors = nodes.new("ShaderNodeVertexColor")
    colors.layer_name = layer
    material.node_tree.links.new(colors.outputs["Color"], shader.inputs["Base Color"])
