# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a job needs, in a list beside the mouse: what there is, what is missing, what mends it.

The panel has one line: the first thing that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.errors import LicenseNotAccepted
from .. import preferences
from ..jobs.room import gigabytes
from ..preflight.obstacles import checks
from . import session_timer
from .wrapped_text import draw_wrapped

if TYPE_CHECKING:
    from ..preflight.obstacles import Check

SHOW_CHECKS = "lsrm.show_checks"
WIDTH, CHARACTERS = 460, 66
"""Of the list, in pixels of an unscaled interface and in letters."""


class LSRM_OT_show_checks(bpy.types.Operator):
    """List all that the job needs, each with what mends it."""

    bl_idname = SHOW_CHECKS
    bl_label = "Check Everything"
    bl_description = "List all that the job needs: what there is, what is missing, what mends it"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Report what was found, to a script."""
        found = list(checks(context.scene, context.selected_objects))
        missing = any(each.obstacle for each in found)
        self.report({"WARNING"} if missing else {"INFO"}, "\n".join(map(sentence, found)))
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Look once, and show the list."""
        if bpy.app.background:
            return self.execute(context)
        self.found = list(checks(context.scene, context.selected_objects))
        shown: set[str] = context.window_manager.invoke_popup(self, width=WIDTH)
        return shown

    def draw(self, context: bpy.types.Context) -> None:
        """What was found, then what the last self-test has found, and the button for another."""
        layout = self.layout
        for check in self.found:
            _draw_check(layout, context, check)
        if device := device_text():
            layout.label(text=device, icon="CHECKMARK", translate=False)
        layout.separator()
        draw_findings(layout, context)
        layout.operator("lsrm.self_test", icon="CONSOLE")


def sentence(check: Check) -> str:
    """A check for people."""
    if check.obstacle is None:
        return f"{translate(check.name)}: {check.found}"
    error = check.obstacle.error
    return f"{translate(check.name)}: {translate(error.message)} {translate(error.remedy)}"


def device_text() -> str:
    """What a backend that was started computes with; empty before."""
    about = session_timer.SESSION.about("backend")
    if not about:
        return ""
    memory = f", {gigabytes(about['memory'])}" if about["memory"] else ""
    return f"{translate('Device')}: {about['device']}{memory}, PyTorch {about['torch']}"


def draw_findings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the last self-test has found; nothing before the first one."""
    for finding in context.window_manager.lsrm_self_test.findings:
        icon = "CHECKMARK" if finding.ok else "ERROR"
        draw_wrapped(layout.column(align=True), finding.sentence, CHARACTERS, icon)


def _draw_check(layout: bpy.types.UILayout, context: bpy.types.Context, check: Check) -> None:
    """One check, with the setting or the button that mends it."""
    obstacle = check.obstacle
    icon = "ERROR" if obstacle else "CHECKMARK"
    draw_wrapped(layout.column(align=True), sentence(check), CHARACTERS, icon)
    if obstacle is None:
        return
    stored = preferences.addon_preferences()
    if obstacle.error.code == LicenseNotAccepted.code and stored is not None:
        layout.prop(stored, "license_accepted")
    if obstacle.setting:
        layout.prop(context.scene.lsrm, obstacle.setting)
    elif obstacle.operator:
        layout.operator(obstacle.operator, text=obstacle.label)


CLASSES = (LSRM_OT_show_checks,)
