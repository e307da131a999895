# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's page in Blender's preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as translate
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ....backend.shared.checkpoint_folders import RELEASE_LICENSE
from ....backend.shared.errors import EnvironmentBroken
from ....backend.shared.machine.torch_builds import BUILDS, builds, fitting_build
from ...jobs.checkpoints import LICENSE, PBR, RGB
from ...preferences import PACKAGE
from ..check_list import draw_findings
from ..wrapped_text import draw_wrapped
from .released_files import ReleasedFiles
from .self_test import SELF_TEST
from .setup_state import UNKNOWN, look_again, setup_of
from .setup_tasks import ADD_CHECKPOINT, INSTALL

if TYPE_CHECKING:
    from .setup_state import LSRM_PG_setup

CHARACTERS_PER_LINE = 70
AUTO = "auto"
BUILD_NAMES = {"cu130": "CUDA 13", "cu126": "CUDA 12", "cpu": "Processor"}


def _changed(_preferences: LSRM_AP_preferences, _context: bpy.types.Context) -> None:
    """Show at once what a changed path leads to."""
    look_again()


class LSRM_AP_preferences(ReleasedFiles, bpy.types.AddonPreferences):
    """Where the backend is and how it is used."""

    bl_idname = PACKAGE

    backend_python: StringProperty(
        name="Backend Python",
        description="An interpreter that has the backend's packages; empty looks for one",
        subtype="FILE_PATH",
        update=_changed,
    )
    torch_build: EnumProperty(
        name="PyTorch",
        description="The build of PyTorch that is installed with the backend",
        items=(
            (AUTO, "Automatic", "The build that fits the graphics driver"),
            ("cu130", BUILD_NAMES["cu130"], "For NVIDIA drivers from version 580"),
            ("cu126", BUILD_NAMES["cu126"], "For NVIDIA drivers from version 525"),
            ("cpu", BUILD_NAMES["cpu"], "Slower, and always available"),
        ),
    )
    device: EnumProperty(
        name="Device",
        description="What the backend computes on",
        items=(
            ("auto", "Automatic", "The graphics card if there is one that works"),
            ("cpu", "Processor", "Slower, and always available"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
            ("cuda:all", "All CUDA Cards", "The network runs on all NVIDIA graphics cards"),
        ),
    )
    folder: StringProperty(
        name="Folder",
        description="For results of files that were never saved; empty means in your documents",
        subtype="DIR_PATH",
    )
    time_limit: FloatProperty(
        name="Time Limit",
        description="Seconds after which a stage of a job is stopped",
        default=1800.0,
        min=10.0,
    )
    license_accepted: BoolProperty(
        name="Accept License", description=f"Of the released weights. {LICENSE}", default=False
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The backend first: without it there is only capturing."""
        layout = self.layout
        layout.use_property_split = True
        setup, state = setup_of(context), context.window_manager.lsrm
        _draw_backend(layout.box(), self, setup, state)
        layout.prop(self, "device")
        layout.prop(self, "folder")
        layout.prop(self, "time_limit")
        _draw_checkpoints(layout.box(), self, setup, state)
        _draw_self_test(layout.box(), context, state)


def _draw_backend(
    layout: bpy.types.UILayout,
    stored: LSRM_AP_preferences,
    setup: LSRM_PG_setup,
    state: bpy.types.PropertyGroup,
) -> None:
    """One line about the backend, then what can be done about it."""
    layout.prop(stored, "backend_python")
    if state.running and state.operator == INSTALL:
        _draw_running(layout, state)
        return
    text, icon = _status(setup)
    draw_wrapped(layout.column(align=True), text, CHARACTERS_PER_LINE, icon)
    if setup.own:
        layout.operator("lsrm.remove_backend", icon="TRASH")
    missing = setup.known and not setup.python and not stored.backend_python
    if missing or (setup.own and state.error_code == EnvironmentBroken.code):
        _draw_offer(layout, stored, setup)
    if state.operator == INSTALL and not setup.own:
        _draw_error(layout, state)


def _status(setup: LSRM_PG_setup) -> tuple[str, str]:
    """The one line, and its icon."""
    if not setup.known:
        return translate("Looking…"), "TIME"
    if setup.problem:
        return translate(setup.problem), "ERROR"
    text = translate("The backend runs in {}").format(setup.python)
    if setup.build in BUILD_NAMES:
        text = f"{text} ({translate(BUILD_NAMES[setup.build])})"
    return text, "CHECKMARK"


def _draw_offer(
    layout: bpy.types.UILayout, stored: LSRM_AP_preferences, setup: LSRM_PG_setup
) -> None:
    """The installation with its size, or what has to be allowed first."""
    layout.prop(stored, "torch_build")
    driver = max(setup.driver, 0)
    chosen = fitting_build(driver) if stored.torch_build == AUTO else BUILDS[stored.torch_build]
    if setup.driver == UNKNOWN:
        layout.label(text="Looking…", icon="TIME")
    else:
        text = translate("{}: {} GB to download, {} GB on disk")
        size = text.format(
            translate(BUILD_NAMES[chosen.name]), chosen.cost.download, chosen.cost.disk
        )
        draw_wrapped(layout.column(align=True), size, CHARACTERS_PER_LINE, "INFO")
    if chosen not in builds() or (setup.driver != UNKNOWN and chosen.driver > driver):
        layout.label(text="This computer has no driver for this build", icon="ERROR")
    if bpy.app.online_access:
        layout.operator(INSTALL, icon="IMPORT")
    elif bpy.app.online_access_override:
        layout.label(text="Blender was started with --offline-mode", icon="ERROR")
    else:
        layout.label(text="Blender may not go online, which this needs", icon="INFO")
        layout.operator("lsrm.allow_online_access", icon="INTERNET")


def _draw_checkpoints(
    layout: bpy.types.UILayout,
    stored: LSRM_AP_preferences,
    setup: LSRM_PG_setup,
    state: bpy.types.PropertyGroup,
) -> None:
    """The checkpoints that are installed, and what adds one, with its license."""
    installed = setup.checkpoints.split(", ") if setup.checkpoints else []
    text = translate("Checkpoints: {}").format(setup.checkpoints or translate("None"))
    layout.label(text=text, translate=False)
    if state.running and state.operator == ADD_CHECKPOINT:
        _draw_running(layout, state)
        return
    layout.prop(stored, "release")
    layout.prop(stored, "dinov3")
    if stored.release or RGB in installed or PBR in installed:
        column = layout.column(align=True)
        for line in RELEASE_LICENSE.splitlines():
            column.label(text=line, translate=False)
        layout.prop(stored, "license_accepted")
    layout.operator(ADD_CHECKPOINT, icon="ADD")
    if state.operator == ADD_CHECKPOINT:
        draw_wrapped(layout.column(align=True), state.note, CHARACTERS_PER_LINE, "CHECKMARK")
        _draw_error(layout, state)


def _draw_self_test(
    layout: bpy.types.UILayout, context: bpy.types.Context, state: bpy.types.PropertyGroup
) -> None:
    """The button, then what it has found, in sentences."""
    if state.running and state.operator == SELF_TEST:
        _draw_running(layout, state)
        return
    layout.operator(SELF_TEST, icon="CONSOLE")
    draw_findings(layout, context)
    if state.operator == SELF_TEST:
        _draw_error(layout, state)


def _draw_running(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    """The progress of a task, and the button that stops it."""
    text = translate("Stopping…") if state.stopping else f"{translate(state.step)} {state.message}"
    layout.progress(text=text, factor=state.overall)
    if not state.stopping:
        layout.operator("lsrm.cancel", text="Stop", icon="PAUSE").now = False


def _draw_error(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    """Message and remedy, if a task has failed."""
    text = f"{state.error_message} {state.error_remedy}".strip()
    if text:
        draw_wrapped(layout.column(align=True), text, CHARACTERS_PER_LINE, "ERROR")


CLASSES = (LSRM_AP_preferences,)
