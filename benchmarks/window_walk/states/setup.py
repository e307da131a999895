# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: install and remove the backend, with a stand-in for the download; weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..in_blender.walk_tools import Walk, WrongState, wait, wait_for, wait_until_ready
from ..in_blender.window import EDGE, MIDDLE, Pane

if TYPE_CHECKING:
    from ..in_blender.window import Steps


def offered(walk: Walk) -> Steps:
    """The preferences where the backend is missing, and may be downloaded."""
    walk.stored.backend_python = ""
    yield from walk.show_preferences()
    yield from walk.window.click("lsrm.allow_online_access", pane=_preferences())
    yield from walk.german_picture("offered")


def installed(walk: Walk) -> Steps:
    """The backend is installed by its button."""
    yield from walk.window.click("lsrm.install_backend", pane=_preferences())
    run = bpy.context.window_manager.lsrm
    yield from wait_for(lambda: run.overall > 0.0 or not run.running)
    yield from walk.window.picture("installing")
    yield from wait(walk)
    if not bpy.context.window_manager.lsrm_setup.own:
        raise WrongState("The preferences do not show the backend that was installed.")
    yield from walk.german_picture("installed")


def removed(walk: Walk) -> Steps:
    """It is removed again, after a question."""
    pane = _preferences()
    yield from walk.window.press("lsrm.remove_backend", MIDDLE, pane)  # the question is there
    yield 0.5
    yield from walk.window.picture("remove_question")
    yield from pane.press("RET", pane.window.width // 2, pane.window.height // 2)
    setup = bpy.context.window_manager.lsrm_setup
    yield from wait_for(lambda: not setup.own, 30.0)
    yield 1.0


def removed_closed(walk: Walk) -> Steps:
    """The panel again, with the backend of the walk."""
    yield from walk.close_preferences()
    walk.stored.backend_python = walk.options["python"]
    yield from wait_until_ready(walk, 60.0)


def checks(walk: Walk) -> Steps:
    """Everything that a job needs, in a list beside the mouse."""
    side = walk.window.side
    yield from walk.window.press("lsrm.show_checks", EDGE, side)
    yield 0.5
    yield from walk.window.picture("check_list")  # which goes when the mouse leaves it
    yield from side.press("ESC", side.region.x + side.region.width // 2, side.region.y)
    yield from walk.window.rest()


def self_tested(walk: Walk) -> Steps:
    """What backend, card and second Blender say, in the preferences."""
    yield from walk.show_preferences()
    yield from walk.window.click("lsrm.self_test", pane=_preferences())
    yield from wait(walk)
    findings = bpy.context.window_manager.lsrm_self_test.findings
    walk.found["findings"] = [each.sentence for each in findings]
    if not findings:
        raise WrongState("The self-test has found nothing.")
    yield from walk.german_picture("self_test")
    yield from walk.close_preferences()


def checkpoint(walk: Walk) -> Steps:
    """Weights in the layout of the release are converted, once their license is accepted."""
    yield from walk.show_preferences()
    walk.stored.release, walk.stored.dinov3 = walk.options["release"], walk.options["dinov3"]
    walk.stored.license_accepted = True
    yield 1.0
    yield from walk.window.picture("license")
    yield from walk.window.click("lsrm.add_checkpoint", pane=_preferences())
    yield from wait(walk)
    yield from walk.german_picture("checkpoint")
    yield from walk.close_preferences()


def with_weights(walk: Walk) -> Steps:
    """A mesh by the network with these weights."""
    walk.select(walk.rocket)
    settings = bpy.context.scene.lsrm
    settings.source = "OBJECTS"
    yield from walk.window.click("lsrm.reconstruct")
    yield from wait(walk)
    settings.checkpoint = "none"
    yield 1.0


def _preferences() -> Pane:
    """The page of the extension."""
    return Pane.of("PREFERENCES", "WINDOW")
