# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session in a window: a timer that goes on with the work and redraws when there is news."""

from __future__ import annotations

import logging

import bpy

from ...backend.shared.errors import LsrmError
from .. import preferences
from ..jobs.backend_client import Client
from ..jobs.child_watchdog import BLENDER_FIRST_MESSAGE, TimeLimits
from ..jobs.session import Plan, Session

LOGGER = logging.getLogger(__name__)
NEVER = 7.0 * 24 * 3600
"""Seconds for the installation, whose speed is the network's."""


def _make_client(child: str) -> Client:
    limit = preferences.chosen().time_limit
    limits = {
        "blender": TimeLimits(stage=limit, first_message=BLENDER_FIRST_MESSAGE),
        "install": TimeLimits(stage=NEVER),
    }.get(child, TimeLimits(stage=limit))
    return Client(lambda: preferences.child_command(child), limits)


SESSION = Session(_make_client)
"""The one of this Blender: timers and operators have no other place in common."""


def start(plan: Plan) -> None:
    """Begin a plan, and let the timer go on with it.

    Raises:
        LsrmError: if it cannot begin.
    """
    try:
        SESSION.start(plan)
    finally:
        show()
        if not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, persistent=True)


def refuse(title: str, operator: str, error: LsrmError) -> None:
    """Show why nothing was begun by a button."""
    SESSION.refuse(title, operator, error)
    show()


def tick() -> float | None:
    """Go on with the work; called by Blender, told when to call again."""
    try:
        changed = SESSION.pump()
    except Exception:
        LOGGER.exception("A plan failed")  # the timer must live: it watches over processes
        changed = True
    if changed:
        show()
    return SESSION.interval


def show() -> None:
    """Let the panel show the state of the session."""
    manager = bpy.context.window_manager
    if manager is None or not hasattr(manager, "lsrm"):
        return
    manager.lsrm.show(SESSION.shown)
    for window in manager.windows:
        for area in window.screen.areas:
            _redraw(area)


def _redraw(area: bpy.types.Area) -> None:
    """Redraw what shows the session, and not the 3D view beside it, which may take long."""
    if area.type == "PREFERENCES":
        area.tag_redraw()
    if area.type == "VIEW_3D":
        for region in area.regions:
            if region.type == "UI":
                region.tag_redraw()


def run(plan: Plan) -> str:
    """Begin a plan and stay with it, for scripts; returns what came of it.

    Raises:
        LsrmError: if it fails.
    """
    from ...backend.shared.progress import Progress

    try:
        return SESSION.run(plan, Progress())
    except LsrmError:
        raise
    except BaseException:
        SESSION.cancel(now=True)
        SESSION.close()
        raise
    finally:
        show()


def unregister() -> None:
    """End the timer and all children."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    SESSION.close()
