# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job to its end, and all that can be done with its result."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy

from ..in_blender.walk_tools import Walk, WrongState, wait
from ..in_blender.window import LEFT, RIGHT

if TYPE_CHECKING:
    from ..in_blender.window import Steps

TURNS = 12
"""Changes of strength and rotation under the hand."""

FINAL_SAMPLES, FINAL_SECONDS = 16, 25.0
SMOOTH_SAMPLES, SMOOTH_SECONDS = 96, 120.0
"""Of the viewport in which they end: for a look, and for a picture of the pages."""


def reconstructed(walk: Walk) -> Steps:
    """The same job to its end."""
    yield from walk.window.click("lsrm.reconstruct")
    yield from wait(walk)
    walk.check_result(walk.rocket)
    walk.hide_cameras()
    yield 1.0


def original(walk: Walk) -> Steps:
    """The original instead of its result."""
    yield from walk.window.click("lsrm.compare(", LEFT)
    if _hidden_parts(walk) != {False}:
        raise WrongState("The original is still hidden.")


def history(walk: Walk) -> Steps:
    """Past results, with one chosen."""
    yield from walk.window.click("lsrm.compare(", LEFT)
    if _hidden_parts(walk) != {True}:
        raise WrongState("The result does not take the place of the original.")
    past = bpy.context.window_manager.lsrm_history
    past.active = next(number for number, entry in enumerate(past.entries) if entry.result)
    yield 1.0


def compare(walk: Walk) -> Steps:
    """The result beside its views."""
    yield from walk.window.click("lsrm.compare_with_views")
    yield from wait(walk)


def relight(walk: Walk) -> Steps:
    """Another light, in a viewport that does not show it yet."""
    bpy.context.scene.lsrm_relight.light = "sunset"
    yield from walk.window.click("lsrm.relight", LEFT)
    yield 1.0


def relight_live(walk: Walk) -> Steps:
    """Strength and rotation under the hand."""
    scene = bpy.context.scene
    bpy.data.objects["Cube"].hide_set(state=True)
    scene.render.engine, scene.cycles.preview_samples = "CYCLES", 1
    yield from walk.window.click("lsrm.show_light(shading='RENDERED'", RIGHT)
    yield 2.0
    for turn in range(TURNS):
        _turn(scene, turn)
        yield 0.1
    small = walk.options["quality"] == "small"
    scene.cycles.preview_samples = FINAL_SAMPLES if small else SMOOTH_SAMPLES
    _turn(scene, TURNS)  # a viewport that is done does not look at its samples again
    yield FINAL_SECONDS if small else SMOOTH_SECONDS


def _turn(scene: bpy.types.Scene, turn: int) -> None:
    """Another rotation and strength of the light."""
    scene.lsrm_relight.rotation = math.radians(10.0 * turn)
    scene.lsrm_relight.strength = 1.0 + 0.05 * turn


def _hidden_parts(walk: Walk) -> set[bool]:
    """Whether the parts of the original are hidden from renders."""
    parts = bpy.data.objects[walk.rocket].children_recursive
    return {each.hide_render for each in parts if each.type == "MESH"}


def turntable(walk: Walk) -> Steps:
    """Frames from all around."""
    light = bpy.context.scene.lsrm_relight
    light.frames, light.size, light.samples = 6, 96, 2
    yield from walk.window.click("lsrm.turntable", LEFT)
    yield from wait(walk)


def light_sheet(walk: Walk) -> Steps:
    """One picture under all lights."""
    yield from walk.window.click("lsrm.light_sheet", RIGHT)
    yield from wait(walk)


def restored(walk: Walk) -> Steps:
    """World, lamps and shading as they were."""
    yield from walk.window.click("lsrm.restore_light")
    yield 1.0
    if bpy.context.scene.world.name != "World":
        raise WrongState("The world of the scene is not back.")
