# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's default scene and two buttons; photographs with known cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..in_blender.walk_tools import Walk, WrongState, use_quality, wait
from ..in_blender.window import LEFT

if TYPE_CHECKING:
    from ..in_blender.window import Steps


def newcomer(walk: Walk) -> Steps:
    """The default scene, and two buttons."""
    walk.speak("en_US")
    bpy.ops.wm.read_homefile()
    yield 2.0
    yield from walk.window.show_panel()
    yield from use_quality(walk, "NORMAL")
    yield from walk.window.click("lsrm.reconstruct")
    yield from wait(walk)
    walk.check_result("Cube")
    walk.found["note"] = bpy.context.window_manager.lsrm.note
    yield 1.0


def photographs(walk: Walk) -> Steps:
    """Photographs with known cameras, shown and checked."""
    settings = bpy.context.scene.lsrm
    settings.source, settings.views_folder = "VIEWS", walk.options["photographs"]
    yield 1.0
    yield from walk.window.click("lsrm.check_views", LEFT)
    yield from wait(walk)
    checked = bpy.context.window_manager.lsrm_views
    if not checked.checked:
        raise WrongState("The photographs are not checked.")
    walk.found["views"] = checked.views
    yield 1.0
