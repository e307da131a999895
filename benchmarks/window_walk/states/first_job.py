# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Blender as it starts to the first job, which is stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import bpy

from ..in_blender.walk_tools import (
    RUNNING_SHARE,
    Walk,
    WrongState,
    open_panel,
    use_quality,
    wait,
    wait_for,
    wait_until_ready,
)
from ..in_blender.window import EDGE, LEFT

if TYPE_CHECKING:
    from ..in_blender.window import Steps

SMALL = {
    "view_count": 8, "view_size": 128, "samples": 4, "refine": "off", "texture_size": "512",
    "faces": 4000,
}  # fmt: skip
"""The settings of a walk whose pictures are only looked at."""

MANY_VIEWS = 200
"""Of that job, so that it does not end before."""


def start(_walk: Walk) -> Steps:
    """Blender as it starts."""
    yield 1.0


def install(walk: Walk) -> Steps:
    """The zip from disk, and the panel without a backend."""
    bpy.ops.extensions.package_install_files(
        filepath=walk.options["extension"], repo="user_default", enable_on_install=True
    )
    open_panel("LSRM_PT_relit_pictures")
    yield from walk.window.show_panel()


def preferences(walk: Walk) -> Steps:
    """The preferences of the extension, where the backend is chosen."""
    yield from walk.show_preferences()
    yield from walk.window.picture("preferences_window")
    walk.timer.forget()
    yield from walk.close_preferences()
    walk.stored.backend_python = walk.options["python"]
    yield 1.0


def ready(walk: Walk) -> Steps:
    """The panel with all that a job needs."""
    bpy.context.scene.lsrm.output_folder = walk.options["output"]
    yield from wait_until_ready(walk, 60.0)


def demo(walk: Walk) -> Steps:
    """The demo's object, by typing its name into Blender's search."""
    yield from walk.window.type_search("Add Demo Object")
    rocket = bpy.context.view_layer.objects.active
    if rocket is None or not rocket.name.startswith("Rocket"):
        raise WrongState("The search has not added the demo's object.")
    walk.rocket = rocket.name
    if walk.options["quality"] == "small":
        for name, value in SMALL.items():
            setattr(bpy.context.scene.lsrm, name, value)
        bpy.ops.ed.undo_push(message="Settings")  # as each click into a field does
    else:
        yield from use_quality(walk, walk.options["quality"].upper())
    walk.look_at(rocket)
    yield 1.0


def cameras(walk: Walk) -> Steps:
    """The cameras before a capture."""
    yield from walk.window.click("lsrm.preview_cameras", EDGE)
    yield 1.0


def capture(walk: Walk) -> Steps:
    """Views only."""
    yield from walk.window.click("lsrm.capture")
    yield from wait(walk)
    walk.look_at(bpy.data.objects[walk.rocket])


def undone(walk: Walk) -> Steps:
    """What the capture has set is taken back by itself, and set again."""
    settings = bpy.context.scene.lsrm
    views, count = settings.views_folder, settings.view_count
    if settings.source != "VIEWS" or not views:
        raise WrongState("The views are not the source.")
    with walk.window.view.context():
        bpy.ops.ed.undo()
    yield 1.0
    settings = bpy.context.scene.lsrm  # undo has made another scene
    if settings.source != "OBJECTS" or settings.view_count != count:
        raise WrongState("Undo has taken back something else than the new source.")
    with walk.window.view.context():
        bpy.ops.ed.redo()
    yield 1.0
    if bpy.context.scene.lsrm.views_folder != views:
        raise WrongState("The views are not the source again.")


def running(walk: Walk) -> Steps:
    """A job under way."""
    settings = bpy.context.scene.lsrm
    settings.source = "OBJECTS"
    walk.select(walk.rocket)
    walk.view_count, settings.view_count = settings.view_count, MANY_VIEWS
    yield from walk.window.click("lsrm.reconstruct")
    run = bpy.context.window_manager.lsrm
    yield from wait_for(
        lambda: (run.overall > RUNNING_SHARE and run.fraction > 0.0) or not run.running
    )
    if not run.running:
        raise WrongState(f"The job ended early: {run.error_message}")


def stopping(walk: Walk) -> Steps:
    """The panel right after Stop."""
    yield from walk.window.click("lsrm.cancel", LEFT)
    walk.begin = time.monotonic()
    yield 0.1


def stopped(walk: Walk) -> Steps:
    """The job has ended."""
    run = bpy.context.window_manager.lsrm
    yield from wait_for(lambda: not run.running, 60.0)
    bpy.context.scene.lsrm.view_count = walk.view_count
    walk.found["seconds_to_stop"] = round(time.monotonic() - walk.begin, 1)
    if run.error_code != "CANCELLED":
        raise WrongState(f"Stop has led to {run.error_code}: {run.error_message}")


def warned(walk: Walk) -> Steps:
    """Views that one lamp lights are warned of before a mesh is made of them."""
    settings, run = bpy.context.scene.lsrm, bpy.context.window_manager.lsrm
    settings.source, settings.capture_light = "OBJECTS", "scene"
    walk.select(walk.rocket)
    yield from walk.window.click("lsrm.reconstruct")
    yield from wait_for(lambda: run.warnings or not run.running)
    walk.found["warnings"] = run.warnings
    if not run.running:
        raise WrongState("The job has ended without a warning while it ran.")
    yield from walk.window.picture("views_warned_of")
    yield from wait(walk)
    settings.capture_light = "softboxes"
