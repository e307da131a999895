# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewports that show the light of the scene, and the shading that they had before.

Undo does not change viewports, so what they had is stored in their screens, not in the scene.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

STORED = "lsrm_shading"
"""Custom property of a screen: shading by number of the area."""

SHOWN = "shown"
"""The key of what a viewport was switched to."""

SCENE_LIGHT = {
    "MATERIAL": ("use_scene_world", "use_scene_lights"),
    "RENDERED": ("use_scene_world_render", "use_scene_lights_render"),
}
"""For each kind of shading that has light, the settings with which it is that of the scene."""


def shows_light(space: bpy.types.Space | None) -> bool:
    """Whether a space is a viewport that shows the world of the scene, or no viewport at all."""
    if space is None or space.type != "VIEW_3D":
        return True
    shading = space.shading
    return shading.type in SCENE_LIGHT and getattr(shading, SCENE_LIGHT[shading.type][0])


def show_light(screen: bpy.types.Screen, area: bpy.types.Area, kind: str) -> None:
    """Switch a viewport to a kind of shading, with the light of the scene.

    Args:
        screen: of the area.
        area: with the viewport.
        kind: of `SCENE_LIGHT`.
    """
    shading, key = area.spaces.active.shading, str(list(screen.areas).index(area))
    stored = screen[STORED].to_dict() if STORED in screen else {}
    if key not in stored:
        names = [name for each in SCENE_LIGHT.values() for name in each]
        stored[key] = {name: getattr(shading, name) for name in ("type", *names)}
    stored[key][SHOWN] = kind
    screen[STORED] = stored
    shading.type = kind
    for name in SCENE_LIGHT[kind]:
        setattr(shading, name, True)


def is_switched() -> bool:
    """Whether a viewport was switched."""
    return any(STORED in screen for screen in bpy.data.screens)


def restore() -> None:
    """Give viewports back the shading that they had, unless the user has chosen another since."""
    for screen in bpy.data.screens:
        for area, stored in _switched(screen):
            shading = area.spaces.active.shading
            if shading.type == stored.pop(SHOWN):
                for name, value in stored.items():
                    setattr(shading, name, value)
        screen.pop(STORED, None)


def _switched(screen: bpy.types.Screen) -> Iterator[tuple[bpy.types.Area, dict[str, str]]]:
    """The viewports of a screen that were switched, with what is stored of them."""
    stored = screen[STORED].to_dict() if STORED in screen else {}
    for number, values in stored.items():
        if int(number) < len(screen.areas) and screen.areas[int(number)].type == "VIEW_3D":
            yield screen.areas[int(number)], values
