# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several jobs one after the other, and the panel in another language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..in_blender.walk_tools import RUNNING_SHARE, Walk, WrongState, wait_for
from ..in_blender.window import EDGE

if TYPE_CHECKING:
    from ..in_blender.window import Steps

UNFINISHED = ("WAITING", "RUNNING")
QUEUED = ("Cube", "Cone", "Torus")


def queue(walk: Walk) -> Steps:
    """Three jobs, the first of which runs."""
    with walk.window.view.context():
        bpy.ops.mesh.primitive_cone_add(location=(-4.0, 0.0, 0.0))
        bpy.ops.mesh.primitive_torus_add(location=(-8.0, 0.0, 0.0))
    bpy.context.scene.lsrm.source = "OBJECTS"
    for name in QUEUED:
        walk.select(name)
        yield 0.5
        yield from walk.window.click("lsrm.add_to_queue", EDGE)
    if len(bpy.context.window_manager.lsrm_queue.items) != len(QUEUED):
        raise WrongState("The queue does not hold three jobs.")
    run = bpy.context.window_manager.lsrm
    yield from wait_for(lambda: run.overall > RUNNING_SHARE or not run.running)


def queue_done(walk: Walk) -> Steps:
    """All three have ended."""
    items = bpy.context.window_manager.lsrm_queue.items
    yield from wait_for(lambda: not any(each.state in UNFINISHED for each in items))
    walk.found["queue"] = [each.state for each in items]
    if set(walk.found["queue"]) != {"DONE"}:
        raise WrongState(f"The jobs have ended so: {walk.found['queue']}")
    yield 1.0


def german(walk: Walk) -> Steps:
    """The same panel in German."""
    walk.speak("de_DE")
    yield 2.0
