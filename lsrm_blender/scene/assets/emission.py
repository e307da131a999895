# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects emit light, or consist of a volume, by the nodes of their materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import bpy

# The color and the strength of the emission of a node, under the names that its types give them.
EMITTERS = {
    "EMISSION": ("Color", "Strength"),
    "BSDF_PRINCIPLED": ("Emission Color", "Emission Strength"),
}


def emits_light(shown: bpy.types.Object) -> bool:
    """Whether an object glows, or has lamps or glowing objects in a collection it instances."""
    return _has_emitter(shown, _is_bright)


def glows_evenly(shown: bpy.types.Object) -> bool:
    """Whether whole faces of an object glow, and not only what a texture of it marks."""
    return _has_emitter(shown, _is_evenly_bright)


def _has_emitter(shown: bpy.types.Object, accept: Callable[[bpy.types.Node], bool]) -> bool:
    parts = [part for part in parts_of(shown) if not part.hide_render]
    materials = [material for part in parts for material in _materials(part)]
    lamps = any(part.type == "LIGHT" for part in parts)
    return lamps or any(each is not None and _emits(each, accept) for each in materials)


def is_volume(shown: bpy.types.Object) -> bool:
    """Whether an object shows a volume and no surface, such as smoke or fog."""
    if shown.type == "VOLUME":
        return True
    materials = [material for material in _materials(shown) if material is not None]
    return bool(materials) and all(_is_volume_alone(material) for material in materials)


def parts_of(shown: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """An object, or the objects of the collection that it instances."""
    yield shown
    if shown.instance_type == "COLLECTION" and shown.instance_collection is not None:
        yield from shown.instance_collection.all_objects


def _materials(shown: bpy.types.Object) -> list[bpy.types.Material | None]:
    return [slot.material for slot in shown.material_slots]


def _output(material: bpy.types.Material) -> bpy.types.Node | None:
    """The node that holds what Cycles renders, if the material has nodes."""
    tree = material.node_tree
    if tree is None or not material.use_nodes:
        return None
    return tree.get_output_node("CYCLES")


def _is_volume_alone(material: bpy.types.Material) -> bool:
    output = _output(material)
    if output is None:
        return False
    return output.inputs["Volume"].is_linked and not output.inputs["Surface"].is_linked


def _emits(material: bpy.types.Material, accept: Callable[[bpy.types.Node], bool]) -> bool:
    output = _output(material)
    if output is None:
        return False
    return any(accept(node) for node in _emitters(output.inputs["Surface"], set()))


def _emitters(socket: bpy.types.NodeSocket, seen: set[bpy.types.Node]) -> Iterator[bpy.types.Node]:
    """The nodes that may emit and feed a shader input, through mixtures and groups."""
    for node in (link.from_node for link in socket.links):
        if node in seen:
            continue
        seen.add(node)
        if node.type in EMITTERS:
            yield node
        inputs = [each for each in node.inputs if each.type == "SHADER"]
        if node.type == "GROUP" and node.node_tree is not None:
            ends = [end for end in node.node_tree.nodes if end.type == "GROUP_OUTPUT"]
            inputs += [each for end in ends for each in end.inputs]
        for each in inputs:
            yield from _emitters(each, seen)


def _is_bright(node: bpy.types.Node) -> bool:
    """Whether the emission of a node is not black; what feeds an input is taken as bright."""
    color, strength = (node.inputs.get(name) for name in EMITTERS[node.type])
    if color is None or strength is None:
        return False
    dark = not color.is_linked and max(color.default_value[:3]) <= 0.0
    off = not strength.is_linked and strength.default_value <= 0.0
    return not dark and not off


def _is_evenly_bright(node: bpy.types.Node) -> bool:
    linked = any(node.inputs[name].is_linked for name in EMITTERS[node.type])
    return _is_bright(node) and not linked
