# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What states of the walk have in common: waiting, looking, judging a result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Vector

from .window import Pane, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .stalls import StallTimer
    from .window import Steps

EXTENSION = "bl_ext.user_default.lsrm"

JOB_SECONDS = 1500.0
"""Within which every job must end."""

RUNNING_SHARE = 0.03
"""Of a job, after which it surely runs."""

TOLERANCE = 0.15
"""Share of the size of an object by which its result may lie elsewhere: views that are small lose
thin parts, such as the antenna of the rocket."""

QUALITY_BUTTONS = {"DRAFT": 0.2, "NORMAL": 0.5, "BEST": 0.8}
"""Where in the sidebar they are, from its left side."""


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

    @property
    def stored(self) -> Any:
        """The preferences of the extension."""
        return bpy.context.preferences.addons[EXTENSION].preferences

    def show_preferences(self) -> Steps:
        """Open the preferences of the extension in a window of their own.

        Raises:
            WrongState: if no window opens.
        """
        yield from self.window.rest()  # the new window opens around the mouse
        bpy.ops.lsrm.open_preferences()
        yield 1.0
        if len(bpy.context.window_manager.windows) == 1:
            raise WrongState("The preferences have no window.")

    def close_preferences(self) -> Steps:
        """Close that window."""
        with Pane.of("PREFERENCES", "WINDOW").context():
            bpy.ops.wm.window_close()
        yield 0.5

    def german_picture(self, name: str) -> Steps:
        """Take a screenshot in German, too."""
        self.speak("de_DE")
        yield 1.0
        yield from self.window.picture(f"{name}_german")
        self.speak("en_US")
        self.timer.forget()
        yield 1.0

    def select(self, name: str) -> None:
        """Select one object, which is shown for it."""
        with self.window.view.context():
            bpy.ops.object.select_all(action="DESELECT")
        bpy.data.objects[name].hide_set(state=False)
        bpy.data.objects[name].select_set(state=True)
        bpy.context.view_layer.objects.active = bpy.data.objects[name]

    def look_at(self, shown: bpy.types.Object) -> None:
        """Let an object and its parts fill the 3D view."""
        lower, upper = _box(shown)
        view = self.window.view.area.spaces.active.region_3d
        view.view_location = (lower + upper) / 2.0
        view.view_distance = 1.6 * (upper - lower).length

    def hide_cameras(self) -> None:
        """Hide the cameras of views, which stand between the artist and the result."""
        for each in bpy.data.objects:
            if each.type == "CAMERA":
                each.hide_set(state=True)

    def speak(self, language: str) -> None:
        """Show Blender in a language, such as "de_DE"."""
        view = bpy.context.preferences.view
        view.language = language
        view.use_translate_interface = True

    def check_result(self, name: str) -> None:
        """Look whether the newest result stands where its original does, and hides it.

        Raises:
            WrongState: if not.
        """
        made = next((each for each in bpy.context.selected_objects if "lsrm_report" in each), None)
        if made is None:
            raise WrongState("No result is selected.")
        shown = bpy.data.objects[name]
        parts = [part for part in (shown, *shown.children_recursive) if part.type == "MESH"]
        if not all(part.hide_get() and part.hide_render for part in parts):
            raise WrongState("The original is not hidden.")
        (lower, upper), (lowest, highest) = _box(shown), _box(made)
        moved = max((lower - lowest).length, (upper - highest).length) / (upper - lower).length
        self.found["moved"] = round(moved, 4)
        if moved > TOLERANCE:
            raise WrongState(f"The result lies {100.0 * moved:.0f} % of its size elsewhere.")


def open_panel(name: str) -> None:
    """Open a panel that is closed at first: nothing tells where its header is, to click it."""
    panel = getattr(bpy.types, name)
    bpy.utils.unregister_class(panel)
    panel.bl_options = set()
    bpy.utils.register_class(panel)


def use_quality(walk: Walk, name: str) -> Steps:
    """Press one of the three buttons."""
    across = QUALITY_BUTTONS[name]
    yield from walk.window.click(f"lsrm.use_quality(quality='{name}'", across)


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


def wait_until_ready(walk: Walk, seconds: float) -> Steps:
    """Wait until the panel, which looks for itself whenever it is drawn, says that it is ready."""
    walk.window.side.region.tag_redraw()
    yield from wait_for(lambda: bpy.context.window_manager.lsrm_readiness.ready, seconds)


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
