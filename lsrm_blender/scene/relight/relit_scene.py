# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The open scene under another light: its world, its lamps, and what it had before.

What a scene had is stored in the scene itself, so that undo and saved files keep it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..lighting import adjust_world, make_world

if TYPE_CHECKING:
    from ..lighting import EnvironmentLight

# Custom properties of a scene.
RELIT = "lsrm_relit"
PREVIOUS_WORLD = "lsrm_previous_world"
LAMPS_OFF = {"hide_viewport": "lsrm_lamps_off_viewport", "hide_render": "lsrm_lamps_off_render"}
"""The lamps that were switched off, for each of the properties that do it."""

MADE = "lsrm_made"
"""Custom property of the worlds and images that were made for a light."""


def is_relit(scene: bpy.types.Scene) -> bool:
    """Whether a scene has another light than its own."""
    return RELIT in scene


def are_lamps_off(scene: bpy.types.Scene) -> bool:
    """Whether the lamps of a scene were switched off."""
    return any(key in scene for key in LAMPS_OFF.values())


def set_environment(scene: bpy.types.Scene, environment: EnvironmentLight) -> bpy.types.World:
    """Light a scene by an environment light; the world that it had stays in the file.

    Raises:
        BadAsset: if nothing has that name.
    """
    known = set(bpy.data.images)
    world = make_world(environment)
    world[MADE] = True
    for image in set(bpy.data.images) - known:
        image[MADE] = True
    if not is_relit(scene):
        scene[RELIT] = True
        if scene.world is not None:
            scene[PREVIOUS_WORLD] = scene.world
    _replace_world(scene, world)
    return world


def adjust(scene: bpy.types.Scene, strength: float, rotation: float) -> None:
    """Change the light of a relit scene in place, fast enough for a slider.

    Args:
        scene: nothing happens to one that is not relit.
        strength: a factor on the radiance.
        rotation: in degrees about +z.
    """
    if is_relit(scene) and scene.world is not None and MADE in scene.world:
        adjust_world(scene.world, strength, rotation)


def switch_lamps(scene: bpy.types.Scene, *, on: bool) -> None:
    """Switch the lamps of a scene off, in viewport and renders, or on again those that were on."""
    if on:
        _switch_on(scene)
    elif not are_lamps_off(scene):
        _switch_off(scene)


def restore(scene: bpy.types.Scene) -> None:
    """Give a scene back the world that it had before it was first relit, and its lamps."""
    _switch_on(scene)
    if is_relit(scene):
        previous = scene.get(PREVIOUS_WORLD)
        _replace_world(scene, previous if isinstance(previous, bpy.types.World) else None)
        for key in (RELIT, PREVIOUS_WORLD):
            scene.pop(key, None)


def _replace_world(scene: bpy.types.Scene, world: bpy.types.World | None) -> None:
    """Set the world of a scene; the one it had is removed if it was made for a light."""
    old, scene.world = scene.world, world
    if old is None or old == world or MADE not in old or old.users > 0:
        return
    nodes = old.node_tree.nodes if old.node_tree is not None else ()
    images = {node.image for node in nodes if node.type == "TEX_ENVIRONMENT" and node.image}
    bpy.data.worlds.remove(old)
    for image in images:
        if MADE in image and image.users == 0:
            bpy.data.images.remove(image)


def _switch_off(scene: bpy.types.Scene) -> None:
    lamps = [each for each in scene.objects if each.type == "LIGHT"]
    for name, key in LAMPS_OFF.items():
        lit = [lamp for lamp in lamps if not getattr(lamp, name)]
        scene[key] = {str(index): lamp for index, lamp in enumerate(lit)}
        for lamp in lit:
            setattr(lamp, name, True)


def _switch_on(scene: bpy.types.Scene) -> None:
    for name, key in LAMPS_OFF.items():
        for lamp in scene.get(key, {}).values():
            if lamp is not None:  # removed from the file meanwhile
                setattr(lamp, name, False)
        scene.pop(key, None)
