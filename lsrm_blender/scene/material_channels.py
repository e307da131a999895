# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that show one of their own properties instead of light.

Every closure of a shader (Principled, Diffuse, ...) is replaced by an Emission of the value it has
for the wanted channel. Whatever mixes closures (Mix Shader, node groups, alpha) stays and now mixes
the values, so layered materials need no case of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

# Which input of a closure holds a channel, under the names that node types give it.
INPUTS = {
    "base_color": ("Base Color", "Color"),
    "roughness": ("Roughness",),
    "metallic": ("Metallic",),
}
FULLY_METALLIC = frozenset({"BSDF_GLOSSY", "BSDF_ANISOTROPIC", "BSDF_METALLIC"})
# These transmit light or add none: the mixture keeps its weight for what they cover.
KEPT = frozenset({"BSDF_TRANSPARENT", "HOLDOUT", "MIX_SHADER", "ADD_SHADER", "GROUP", "REROUTE"})
# Their "Roughness" means another thing, or they have none and scatter like chalk.
ROUGH = frozenset({"BSDF_DIFFUSE", "EMISSION", "BACKGROUND", "BSDF_TRANSLUCENT"})
# The surface of faces without a material, as Cycles draws it.
PLAIN_COLOR = (0.8, 0.8, 0.8, 1.0)


@contextmanager
def materials_showing(channel: str) -> Iterator[None]:
    """Make every material of the open file emit one of PASSES, until the end of the block.

    Copies replace the materials, which themselves are never edited. The copies are removed by the
    `no_trace` around every working scene.
    """
    swapped: list[tuple[bpy.types.Material, bpy.types.Material]] = []
    bare = [mesh for mesh in bpy.data.meshes if len(mesh.materials) == 0 and mesh.users]
    try:
        for material in [material for material in bpy.data.materials if material.node_tree]:
            swapped.append((material, _channel_copy(material, channel)))
            material.user_remap(swapped[-1][1])
        for mesh in bare:
            mesh.materials.append(_plain_material(channel))
        yield
    finally:
        for mesh in bare:
            mesh.materials.clear()
        for material, copy in reversed(swapped):
            copy.user_remap(material)


def _channel_copy(material: bpy.types.Material, channel: str) -> bpy.types.Material:
    copy = material.copy()
    _replace_closures(copy.node_tree, channel)
    return copy


def _plain_material(channel: str) -> bpy.types.Material:
    material = bpy.data.materials.new("LSRM plain")
    if material.node_tree is None:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = PLAIN_COLOR
    shader.inputs["Roughness"].default_value = 1.0
    _replace_closures(material.node_tree, channel)
    return material


def _replace_closures(tree: bpy.types.NodeTree, channel: str) -> None:
    """Replace the closures of a copied tree, and of copies of the groups in it."""
    for node in list(tree.nodes):
        if node.type == "GROUP" and node.node_tree is not None:
            node.node_tree = node.node_tree.copy()
            _replace_closures(node.node_tree, channel)
        elif node.type not in KEPT and _is_closure(node):
            _replace_closure(tree, node, channel)


def _is_closure(node: bpy.types.Node) -> bool:
    """Whether a node makes a surface shader by itself."""
    shaders = [socket for socket in node.outputs if socket.type == "SHADER"]
    taken = [socket for socket in node.inputs if socket.type == "SHADER"]
    volume = node.type.startswith("VOLUME") or node.type == "PRINCIPLED_VOLUME"
    return bool(shaders) and not taken and not volume and node.type != "GROUP_INPUT"


def _replace_closure(tree: bpy.types.NodeTree, node: bpy.types.Node, channel: str) -> None:
    """Replace a closure by an Emission of its channel, behind the closure's own alpha."""
    emission = tree.nodes.new("ShaderNodeEmission")
    if channel == "normal":
        _connect(tree, _encoded_normal(tree, node), emission.inputs["Color"])
    else:
        _copy_value(tree, _channel_value(node, channel), emission.inputs["Color"])
    shown = _behind_alpha(tree, node, emission.outputs["Emission"])
    for link in list(next(s for s in node.outputs if s.type == "SHADER").links):
        target = link.to_socket
        tree.links.remove(link)
        _connect(tree, shown, target)


def _channel_value(node: bpy.types.Node, channel: str) -> bpy.types.NodeSocket | float:
    """The input of a closure that holds a channel, or the constant that replaces it."""
    if channel == "roughness" and node.type in ROUGH:
        return 1.0
    for name in INPUTS[channel]:
        if name in node.inputs:
            return node.inputs[name]
    if channel == "metallic":
        return 1.0 if node.type in FULLY_METALLIC else 0.0
    return 1.0 if channel == "roughness" else PLAIN_COLOR[0]


def _copy_value(
    tree: bpy.types.NodeTree, value: bpy.types.NodeSocket | float, target: bpy.types.NodeSocket
) -> None:
    """Link a color input to the source of another input, or copy its constant."""
    if isinstance(value, float):
        target.default_value = (value, value, value, 1.0)
    elif value.is_linked:
        _connect(tree, value.links[0].from_socket, target)
    else:
        target.default_value = _as_color(value.default_value)


def _as_color(value: Any) -> tuple[float, float, float, float]:
    if isinstance(value, (int, float)):
        return (value, value, value, 1.0)
    return (value[0], value[1], value[2], 1.0)


def _encoded_normal(tree: bpy.types.NodeTree, node: bpy.types.Node) -> bpy.types.NodeSocket:
    """The normal in world space as n * 0.5 + 0.5, with the closure's normal or bump map."""
    normal = node.inputs.get("Normal")
    if normal is not None and normal.is_linked:
        source = normal.links[0].from_socket
    else:
        source = tree.nodes.new("ShaderNodeNewGeometry").outputs["Normal"]
    encode = tree.nodes.new("ShaderNodeVectorMath")
    encode.operation = "MULTIPLY_ADD"
    encode.inputs[1].default_value = encode.inputs[2].default_value = (0.5, 0.5, 0.5)
    _connect(tree, source, encode.inputs[0])
    return encode.outputs["Vector"]


def _behind_alpha(
    tree: bpy.types.NodeTree, node: bpy.types.Node, shader: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """A shader that is as transparent as the Principled BSDF it replaces."""
    alpha = node.inputs.get("Alpha")
    if alpha is None or (not alpha.is_linked and alpha.default_value >= 1.0):
        return shader
    mix = tree.nodes.new("ShaderNodeMixShader")
    clear = tree.nodes.new("ShaderNodeBsdfTransparent")
    if alpha.is_linked:
        _connect(tree, alpha.links[0].from_socket, mix.inputs[0])
    else:
        mix.inputs[0].default_value = alpha.default_value
    _connect(tree, clear.outputs[0], mix.inputs[1])
    _connect(tree, shader, mix.inputs[2])
    return mix.outputs[0]


def _connect(
    tree: bpy.types.NodeTree, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket
) -> None:
    tree.links.new(source, target)
