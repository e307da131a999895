# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the 3D view's sidebar. It draws what is known and looks nothing up."""

from __future__ import annotations

import textwrap

import bpy
from bpy.app.translations import pgettext_iface as say

from .. import preferences
from ..jobs.checkpoints import FOLDER, LICENSE, has_license, has_materials

CHARACTERS_PER_POINT = 0.14
"""Of Blender's interface font, about: labels do not wrap by themselves."""

# What can be done about an error with one click: operator, label.
MENDERS = {
    "ENVIRONMENT_BROKEN": ("lsrm.open_preferences", "Open Preferences"),
    "OUT_OF_MEMORY": ("lsrm.use_less", "Use Less Memory"),
}
DIED = "BACKEND_DIED"
"""What may be an accident: the button that has begun the job is offered again."""

CHECKPOINT = "checkpoint"
# Which setting an error is about.
SETTINGS = {
    "OUTPUT_NOT_WRITABLE": "output_folder",
    "DISK_FULL": "output_folder",
    "BAD_CAPTURE": "views_folder",
    "BAD_IMAGE": "views_folder",
    "BAD_CAMERA": "views_folder",
    "CHECKPOINT_MISSING": CHECKPOINT,
}
STOPPED, LICENSE_NOT_ACCEPTED = "CANCELLED", "LICENSE_NOT_ACCEPTED"


class SidebarPanel:
    """What our panels have in common."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "LSRM"


class LSRM_PT_main(SidebarPanel, bpy.types.Panel):
    """Source, buttons, progress, and what came of it."""

    bl_label = "Reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        """From top to bottom as one works."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, run = context.scene.lsrm, context.window_manager.lsrm
        column = layout.column()
        column.enabled = not run.running
        column.row().prop(settings, "source", expand=True)
        if settings.source == "OBJECTS":
            _draw_objects(column, context)
        else:
            column.prop(settings, "views_folder")
            row = column.row()
            row.operator("lsrm.check_views", icon="CAMERA_DATA")
            row.operator("lsrm.look_through", icon="HIDE_OFF", text="Look Through")
        if run.running:
            _draw_progress(layout, run)
            return
        row = layout.row()
        row.scale_y = 1.4
        row.operator("lsrm.reconstruct", icon="MESH_MONKEY")
        if run.error_code:
            _draw_error(layout, context)
        elif run.note:
            _draw_note(layout, context)


class LSRM_PT_settings(SidebarPanel, bpy.types.Panel):
    """How it is done."""

    bl_label = "Settings"
    bl_parent_id = "LSRM_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Views first, then the mesh."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.lsrm
        column = layout.column()
        for name in ("view_count", "view_size", "samples", "capture_environment"):
            column.prop(settings, name)
        _draw_weights(layout.column(), context)
        column = layout.column()
        for name in ("refine", "faces", "texture_size", "output_folder"):
            column.prop(settings, name)
        row = layout.row()
        row.operator("lsrm.release", icon="MEMORY")
        row.operator("lsrm.open_log", icon="TEXT")


class LSRM_PT_relight(SidebarPanel, bpy.types.Panel):
    """Other lights."""

    bl_label = "Result"

    def draw(self, context: bpy.types.Context) -> None:
        """Compare, then relight."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.lsrm
        row = layout.row()
        row.operator("lsrm.compare", icon="ARROW_LEFTRIGHT")
        row.operator("lsrm.import_result", icon="IMPORT", text="Import")
        layout.prop(settings, "light")
        if settings.light == "FILE":
            layout.prop(settings, "light_file")
        layout.prop(settings, "light_strength")
        layout.prop(settings, "light_rotation")
        row = layout.row()
        row.operator("lsrm.relight", icon="LIGHT_SUN")
        row.operator("lsrm.restore_world", icon="LOOP_BACK", text="Restore")


def _draw_objects(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is selected, and the button that captures it."""
    chosen = context.selected_objects
    if len(chosen) == 1:
        layout.label(text=chosen[0].name, icon="OBJECT_DATA", translate=False)
    elif chosen:
        text = say("{} objects").format(len(chosen))
        layout.label(text=text, icon="OBJECT_DATA", translate=False)
    else:
        layout.label(text="Select what to reconstruct", icon="INFO")
    layout.operator("lsrm.capture", icon="CAMERA_DATA")


def _draw_weights(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The choice of weights, and their license where it is not ours."""
    settings = context.scene.lsrm
    _draw_checkpoint(layout, settings)
    if has_license(settings.checkpoint):
        _write(layout, context, LICENSE)
        _draw_acceptance(layout)
    if has_materials(settings.checkpoint):
        layout.prop(settings, "material")


def _draw_checkpoint(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The choice, and the folder where one is chosen."""
    layout.prop(settings, CHECKPOINT)
    if settings.checkpoint == FOLDER:
        layout.prop(settings, "checkpoint_folder")


def _draw_acceptance(layout: bpy.types.UILayout) -> None:
    """The box to tick, where Blender keeps preferences for us."""
    mine = preferences.registered()
    if mine is not None:
        layout.prop(mine, "license_accepted")


def _draw_progress(layout: bpy.types.UILayout, run: bpy.types.PropertyGroup) -> None:
    """The whole, the stage, the detail; and two ways to stop."""
    box = layout.box()
    box.label(text=run.title, icon="TIME", translate=False)
    text = say(run.step)
    if run.eta >= 0.0:
        text = say("{}, {} left").format(text, clock(run.eta))
    box.progress(text=text, factor=run.overall, translate=False)
    if run.stage:
        text = f"{run.stage.capitalize()} {100.0 * run.fraction:.0f} %"
        box.progress(text=text, factor=run.fraction, translate=False)
    box.label(text=run.message or ("" if run.stage else "Starting…"))
    row = box.row()
    if run.stopping:
        row.label(text="Stopping…")
    else:
        row.operator("lsrm.cancel", text="Stop", icon="PAUSE").now = False
    row.operator("lsrm.cancel", text="Stop Now", icon="CANCEL").now = True


def _draw_error(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What went wrong, what to do about it, and a button where one can."""
    run, settings = context.window_manager.lsrm, context.scene.lsrm
    box = layout.box()
    stopped = run.error_code == STOPPED
    head = box.row()
    head.alert = not stopped
    head.label(text=run.title, icon="CANCEL" if stopped else "ERROR", translate=False)
    head.operator("lsrm.dismiss", text="", icon="X", emboss=False)
    _write(box, context, run.error_message)
    _write(box, context, run.error_remedy)
    setting = SETTINGS.get(run.error_code)
    if setting == CHECKPOINT:
        _draw_checkpoint(box, settings)
    elif setting:
        box.prop(settings, setting)
    if run.error_code == LICENSE_NOT_ACCEPTED:
        _draw_acceptance(box)
    row = box.row()
    if mender := MENDERS.get(run.error_code):
        row.operator(mender[0], text=mender[1])
    elif run.error_code == DIED and run.operator:
        row.operator(run.operator, text="Try Again")
    if run.log and not stopped:
        row.operator("lsrm.open_log", icon="TEXT")


def _draw_note(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What came of the last job."""
    box = layout.box()
    first, *warnings = context.window_manager.lsrm.note.splitlines()
    row = box.row()
    column = row.column()
    _write(column, context, first, icon="CHECKMARK")
    row.operator("lsrm.dismiss", text="", icon="X", emboss=False)
    for warning in warnings:
        _write(box, context, warning, icon="INFO")


def _write(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """A sentence over as many lines as it takes."""
    scale = context.preferences.system.ui_scale or 1.0
    spare = 4 if icon == "NONE" else 10  # icons, and the button that puts a message away
    width = max(20, int(context.region.width / scale * CHARACTERS_PER_POINT) - spare)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, width) or [""]):
        column.label(text=line, icon=icon if number == 0 else "NONE", translate=False)


def clock(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


CLASSES = (LSRM_PT_main, LSRM_PT_settings, LSRM_PT_relight)
