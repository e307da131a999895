# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint, brass, steel and glass of the demo's toy, all procedural, and the light it stands in."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

Color = tuple[float, float, float]

CREAM: Color = (0.84, 0.76, 0.58)
RED: Color = (0.62, 0.035, 0.025)
TEAL: Color = (0.015, 0.17, 0.21)
BRASS: Color = (0.83, 0.55, 0.20)
STEEL: Color = (0.52, 0.53, 0.55)


@dataclass(frozen=True)
class Palette:
    """The materials of the toy.

    Attributes:
        cream: enamel of the body.
        checks: enamel of the checkered band.
        red: enamel of nose, fins and the inside of the nozzle.
        letters: enamel of the letters.
        brass: of rings and the ball.
        steel: of nozzle and antenna.
        glass: of the windows.
    """

    cream: bpy.types.Material
    checks: bpy.types.Material
    red: bpy.types.Material
    letters: bpy.types.Material
    brass: bpy.types.Material
    steel: bpy.types.Material
    glass: bpy.types.Material


def make_palette() -> Palette:
    """All materials, new."""
    return Palette(
        cream=_paint("Cream enamel", CREAM),
        checks=_checkered("Checkered enamel"),
        red=_paint("Red enamel", RED),
        letters=_paint("Teal enamel", TEAL),
        brass=_metal("Brass", BRASS, 0.28),
        steel=_metal("Steel", STEEL, 0.38),
        glass=_glass("Glass"),
    )


def _principled(name: str) -> tuple[bpy.types.Material, bpy.types.NodeTree, bpy.types.Node]:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    return material, tree, shader


def _rgba(color: Color, factor: float = 1.0) -> tuple[float, float, float, float]:
    return (color[0] * factor, color[1] * factor, color[2] * factor, 1.0)


def _clouds(
    tree: bpy.types.NodeTree, scale: float, low: tuple[float, ...], high: tuple[float, ...]
) -> bpy.types.NodeSocket:
    """A noise color between two, for hand-laid paint and worn metal."""
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 6.0
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.35, 0.65
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = low, high
    tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac" if "Fac" in noise.outputs else 0], ramp.inputs["Fac"])
    return ramp.outputs["Color"]


def _paint(name: str, color: Color) -> bpy.types.Material:
    """Enamel with a soft sheen."""
    material, tree, shader = _principled(name)
    tone = _clouds(tree, 6.0, _rgba(color, 0.93), _rgba(color, 1.03))
    tree.links.new(tone, shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.42
    return material


def _checkered(name: str) -> bpy.types.Material:
    """Cream and teal checks; the mesh's u runs around the body, v along it."""
    material, tree, shader = _principled(name)
    cream = _clouds(tree, 4.0, _rgba(CREAM, 0.95), _rgba(CREAM, 1.02))
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    checker = tree.nodes.new("ShaderNodeTexChecker")
    checker.inputs["Scale"].default_value = 1.0
    checker.inputs["Color2"].default_value = _rgba(TEAL)
    stretch = tree.nodes.new("ShaderNodeMapping")
    stretch.inputs["Scale"].default_value = (28.0, 14.0, 0.0)
    stretch.inputs["Location"].default_value = (0.001, 0.001, 0.5)
    tree.links.new(coordinates.outputs["UV"], stretch.inputs["Vector"])
    tree.links.new(stretch.outputs["Vector"], checker.inputs["Vector"])
    tree.links.new(cream, checker.inputs["Color1"])
    tree.links.new(checker.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.38
    return material


def _metal(name: str, color: Color, roughness: float) -> bpy.types.Material:
    """Bare metal, a little tarnished."""
    material, tree, shader = _principled(name)
    tone = _clouds(tree, 9.0, _rgba(color, 0.82), _rgba(color))
    tree.links.new(tone, shader.inputs["Base Color"])
    shader.inputs["Metallic"].default_value = 1.0
    shader.inputs["Roughness"].default_value = roughness
    return material


def _glass(name: str) -> bpy.types.Material:
    """A dark pane that hides what is behind it."""
    material, _, shader = _principled(name)
    shader.inputs["Base Color"].default_value = (0.02, 0.09, 0.16, 1.0)
    shader.inputs["Roughness"].default_value = 0.12
    return material


def make_sky() -> bpy.types.World:
    """A soft, bright day: a ramp from warm ground over a pale horizon to blue."""
    world = bpy.data.worlds.new("Soft day")
    if world.node_tree is None:
        world.use_nodes = True
    tree = world.node_tree
    background = next(node for node in tree.nodes if node.type == "BACKGROUND")
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    height = tree.nodes.new("ShaderNodeMapRange")
    height.inputs["From Min"].default_value = -1.0
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    elements = ramp.color_ramp.elements
    elements[0].color, elements[1].color = (0.34, 0.29, 0.24, 1.0), (0.62, 0.80, 1.15, 1.0)
    elements.new(0.5).color = (1.0, 0.96, 0.9, 1.0)
    tree.links.new(coordinates.outputs["Generated"], parts.inputs["Vector"])
    tree.links.new(parts.outputs["Z"], height.inputs["Value"])
    tree.links.new(height.outputs["Result"], ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], background.inputs["Color"])
    return world
