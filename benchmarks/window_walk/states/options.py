# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that most jobs do not need: levels of detail, quads, a light from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from backend.shared.names.result_names import level_mesh

from ..in_blender.walk_tools import Walk, WrongState, open_panel, wait, wait_for, wait_until_ready
from ..in_blender.window import LEFT

if TYPE_CHECKING:
    from ..in_blender.window import Steps

LONG_NAME = "Ornamental garden lantern, left of the gate"
REMESHING, MANY_FACES = "Remeshing to quads", 40_000


def light_missing(walk: Walk) -> Steps:
    """An HDR image shall light the capture, and none is chosen."""
    open_panel("LSRM_PT_settings")
    walk.select("Cube")
    bpy.context.scene.lsrm.source = "OBJECTS"
    bpy.context.scene.lsrm.capture_light = "FILE"
    yield 2.0
    if bpy.context.window_manager.lsrm_readiness.setting != "capture_environment":
        raise WrongState("The panel does not miss the image.")
    yield from walk.german_picture("light_missing")


def light_chosen(walk: Walk) -> Steps:
    """The image is chosen."""
    lights = bpy.context.preferences.studio_lights
    image = next(light.path for light in lights if light.type == "WORLD")
    bpy.context.scene.lsrm.capture_environment = image
    yield from wait_until_ready(walk, 20.0)


def levels(walk: Walk) -> Steps:
    """A result with levels of detail and quads, whose name is long."""
    cube = bpy.data.objects["Cube"]
    cube.name = LONG_NAME
    walk.select(LONG_NAME)
    settings = bpy.context.scene.lsrm
    settings.lods, settings.quads = "1000, 500, 200", True
    yield 0.5
    yield from walk.window.click("lsrm.reconstruct")
    yield from wait(walk)
    cube.name = "Cube"
    yield from walk.window.side.scroll_down()
    yield from walk.german_picture("levels")


def level_imported(walk: Walk) -> Steps:
    """One of the coarser meshes, by its button."""
    before = set(bpy.data.objects)
    chosen = bpy.context.window_manager.lsrm_history.chosen()
    if chosen is None or not chosen.levels:
        raise WrongState("The result has no levels of detail.")
    finest = level_mesh(int(chosen.levels.split()[0]))
    file = Path(chosen.result) / finest
    yield from walk.window.click(f'lsrm.import_result(directory="{file.as_posix()}"', LEFT)
    yield 1.0
    made = set(bpy.data.objects) - before
    if [Path(finest).stem.rpartition("_")[2] in each.name for each in made] != [True]:
        raise WrongState(f"The button has imported {[each.name for each in made]}.")


def quads_stopped(walk: Walk) -> Steps:
    """Stop while QuadriFlow works, which takes long on many faces: the result stays."""
    walk.select("Cube")
    settings = bpy.context.scene.lsrm
    settings.lods, settings.quads, settings.faces = "", True, MANY_FACES
    yield 0.5
    yield from walk.window.click("lsrm.reconstruct")
    run = bpy.context.window_manager.lsrm
    yield from wait_for(lambda: run.step == REMESHING or not run.running)
    yield from walk.window.picture("remeshing")
    yield from walk.window.click("lsrm.cancel", LEFT)
    yield from wait_for(lambda: not run.running, 60.0)
    if run.error_code != "CANCELLED":
        raise WrongState(f"Stop has led to {run.error_code}: {run.error_message}")
    latest = bpy.context.window_manager.lsrm_history.entries[0]
    if not latest.result or latest.quads:
        raise WrongState("The result is not in Past Results, or it has quads.")
    settings.quads, settings.capture_light = False, "softboxes"
    yield 1.0
