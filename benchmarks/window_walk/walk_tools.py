# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What states of the walk have in common: waiting, selecting, looking."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Vector

from .window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .stalls import StallTimer
    from .window import Steps

JOB_SECONDS = 1500.0
"""Within which every job must end."""


class WrongState(Exception):
    """What an artist would call a fault."""


class Walk:
    """What the states share.

    Attributes:
        options: of the command line.
        timer: of the stalls.
        window: the main window.
        found: what the present state adds to the report.
        rocket: the name of the demo's object.
        view_count: of the jobs that are not stopped.
        begin: when a button was pressed whose effect is waited for.
    """

    def __init__(self, options: dict[str, Any], timer: StallTimer) -> None:
        self.options = options
        self.timer = timer
        self.window = Window(Path(options["pictures"]), Path(options["framebuffer"]))
        self.found: dict[str, Any] = {}
        self.rocket = ""
        self.view_count = 0
        self.begin = 0.0

    def select(self, name: str) -> None:
        """Select one object."""
        with self.window.context():
            bpy.ops.object.select_all(action="DESELECT")
        bpy.data.objects[name].select_set(state=True)
        bpy.context.view_layer.objects.active = bpy.data.objects[name]

    def look_at(self, shown: bpy.types.Object) -> None:
        """Let an object and its parts fill the 3D view."""
        lower, upper = _box(shown)
        view = self.window.viewport.spaces.active.region_3d
        view.view_location = (lower + upper) / 2.0
        view.view_distance = 1.6 * (upper - lower).length


def wait(walk: Walk) -> Steps:
    """Wait for the end of a job.

    Raises:
        WrongState: if it fails, or takes too long.
    """
    run = bpy.context.window_manager.lsrm
    begin = time.monotonic()
    yield from wait_for(lambda: not run.running)
    walk.found["job_seconds"] = round(time.monotonic() - begin, 1)
    if run.error_code:
        raise WrongState(f"{run.error_code}: {run.error_message} {run.error_remedy}")
    yield 1.0


def wait_for(condition: Callable[[], bool], seconds: float = JOB_SECONDS) -> Steps:
    """Wait until something is so.

    Raises:
        WrongState: if that takes too long.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            run = bpy.context.window_manager.lsrm
            raise WrongState(f"Waited in vain: {run.title} {run.step} {run.message}")
        yield 0.1


def _box(shown: bpy.types.Object) -> tuple[Vector, Vector]:
    """The lowest and highest coordinates of an object and its parts."""
    parts = [part for part in (shown, *shown.children_recursive) if part.type == "MESH"]
    corners = [part.matrix_world @ Vector(corner) for part in parts for corner in part.bound_box]
    return _extreme(min, corners), _extreme(max, corners)


def _extreme(pick: Callable[..., float], corners: Sequence[Vector]) -> Vector:
    return Vector([pick(corner[axis] for corner in corners) for axis in range(3)])
