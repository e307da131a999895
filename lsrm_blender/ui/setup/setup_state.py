# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preferences show of backend, driver and checkpoints.

Drawing must not look at files: it draws what was found last, and a timer looks again.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ....backend.shared.checkpoint_folders import installed_checkpoints
from ....backend.shared.errors import LsrmError
from ....backend.shared.machine.torch_builds import nvidia_driver
from ....backend.shared.virtual_environments import backend_environment
from ... import preferences
from ...windows import redraw

FRESH_SECONDS = 4.0
"""How long an answer is drawn before files are looked at again."""

LOOK_SECONDS = 0.5
"""Between two looks for the answer about the driver."""

UNKNOWN = -1


class _DriverQuery:
    """Asks once for the version of the graphics driver, in a thread: it may take seconds."""

    def __init__(self) -> None:
        self.version = UNKNOWN
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Ask, if that was not done before."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._ask, name="LSRM driver", daemon=True)
            self._thread.start()

    def _ask(self) -> None:
        self.version = nvidia_driver()


_driver = _DriverQuery()


class LSRM_PG_setup(bpy.types.PropertyGroup):
    """What is installed; not saved in the file."""

    seen_at: FloatProperty(default=UNKNOWN)
    known: BoolProperty()
    python: StringProperty()
    problem: StringProperty()
    own: BoolProperty()
    build: StringProperty()
    driver: IntProperty(default=UNKNOWN)
    checkpoints: StringProperty()

    def look(self) -> None:
        """Find out, and store it."""
        folder = preferences.environment_folder()
        self.python, self.problem = "", ""
        try:
            python = preferences.backend_python()
        except LsrmError as error:
            self.problem = error.message
        else:
            self.python = str(python)
        self.own = bool(self.python) and Path(self.python).is_relative_to(folder)
        self.build = _installed_build(folder) if self.own else ""
        self.driver = _driver.version
        self.checkpoints = ", ".join(installed_checkpoints())
        self.known, self.seen_at = True, time.monotonic()


def setup_of(context: bpy.types.Context) -> LSRM_PG_setup:
    """What was found last; asks for another look if that is old."""
    state: LSRM_PG_setup = context.window_manager.lsrm_setup
    if time.monotonic() - state.seen_at > FRESH_SECONDS or state.driver != _driver.version:
        _driver.start()
        if not bpy.app.timers.is_registered(_look):
            bpy.app.timers.register(_look, first_interval=0.0)
    return state


def look_again() -> None:
    """Have the panel and the preferences look again at once, because something was changed."""
    manager = bpy.context.window_manager
    manager.lsrm_setup.seen_at = manager.lsrm_readiness.seen_at = UNKNOWN
    redraw()


def _look() -> float | None:
    """Look; the callback of a timer that goes on until the driver has answered."""
    manager = bpy.context.window_manager
    if manager is None or not hasattr(manager, "lsrm_setup"):
        return None
    manager.lsrm_setup.look()
    redraw()
    return LOOK_SECONDS if _driver.version == UNKNOWN else None


def _installed_build(folder: Path) -> str:
    """The build of PyTorch that the button has installed; empty if pip has chosen."""
    record = backend_environment(folder).installation_record
    try:
        return str(json.loads(record.read_text("utf-8")).get("build", ""))
    except (OSError, ValueError, AttributeError):
        return ""


CLASSES = (LSRM_PG_setup,)


def attach() -> None:
    """Add the pointer to the window manager, after the class is registered."""
    bpy.types.WindowManager.lsrm_setup = PointerProperty(type=LSRM_PG_setup)


def detach() -> None:
    """End the timer, and remove the pointer."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    del bpy.types.WindowManager.lsrm_setup
