# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the 3D view's sidebar; it draws stored state only, so that drawing is fast."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as translate

from .. import preferences
from ..jobs.checkpoints import FOLDER, LICENSE, has_license
from ..scene.assets.targets import without_results
from . import views_tasks
from .capture.capture_panel import draw_capture_settings, draw_placement, draw_quality
from .capture.demo_object import ADD_DEMO
from .capture.readiness import readiness_of, ready_text
from .check_list import SHOW_CHECKS
from .menus.result_operators import EXPORT, MARK
from .pictures import icon
from .views_panel import draw_views
from .wrapped_text import draw_text

# The repair that the panel offers for an error code: operator, label.
REPAIRS = {
    "ENVIRONMENT_BROKEN": ("lsrm.open_preferences", "Open Preferences"),
    "OUT_OF_MEMORY": ("lsrm.use_less", "Use Less Memory"),
    "OBJECT_OUT_OF_FRAME": (views_tasks.CHECK, "Show and Check"),
    "EMPTY_MASK": (views_tasks.CHECK, "Show and Check"),
    "TOO_FEW_VIEWS": (views_tasks.CHECK, "Show and Check"),
}
BACKEND_DIED = "BACKEND_DIED"
"""This may be an accident: the panel offers to start the task again."""

CHECKPOINT = "checkpoint"
# The setting that the panel shows below an error.
SETTING_OF_ERROR = {
    "OUTPUT_NOT_WRITABLE": "output_folder",
    "DISK_FULL": "output_folder",
    "BAD_CAPTURE": "views_folder",
    "BAD_IMAGE": "views_folder",
    "BAD_CAMERA": "views_folder",
    "CHECKPOINT_MISSING": CHECKPOINT,
}
VIEWS_SETTINGS = ("up", "mask_backdrop", "mask_model", "mask_erode", "mask_feather")
"""The settings that only views have."""

MESH_SETTINGS = (
    "refine", "faces", "lods", "quads", "texture_size", "pack_textures", "output_folder",
    "live_preview",
)  # fmt: skip

LIVE_PICTURE = "live"
"""The name of the picture of what a running task has made so far."""

LIVE_SCALE = 7.0
"""Its side, in interface units."""

CANCELLED, LICENSE_NOT_ACCEPTED = "CANCELLED", "LICENSE_NOT_ACCEPTED"


class SidebarPanel:
    """Base of the panels."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "LSRM"


class LSRM_PT_main(SidebarPanel, bpy.types.Panel):
    """Source, buttons, progress and outcome."""

    bl_label = "Reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        """Source, button, then progress or outcome."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, state = context.scene.lsrm, context.window_manager.lsrm
        column = layout.column()
        column.row().prop(settings, "source", expand=True)
        if settings.source == "OBJECTS":
            _draw_objects(column, context)
        else:
            draw_views(column, context)
        if state.running:
            _draw_progress(layout, context)
            layout.operator("lsrm.add_to_queue", icon="PRESET_NEW")
            _draw_live_picture(layout, context)
            return
        row = layout.row(align=True)
        row.scale_y = 1.4
        row.operator("lsrm.reconstruct", icon="MESH_MONKEY")
        row.operator("lsrm.add_to_queue", text="", icon="PRESET_NEW")
        _draw_readiness(layout, context)
        if state.error_code and state.error_message != readiness_of(context).message:
            _draw_error(layout, context)
        if state.note and state.operator not in views_tasks.OPERATORS:
            _draw_note(layout, context)


class LSRM_PT_settings(SidebarPanel, bpy.types.Panel):
    """Settings of the capture and the reconstruction."""

    bl_label = "Settings"
    bl_parent_id = "LSRM_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Views first, then weights and mesh."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.lsrm
        column = layout.column()
        if settings.source == "OBJECTS":
            draw_capture_settings(column, context)
        else:
            for name in VIEWS_SETTINGS:
                column.prop(settings, name)
        _draw_weights(layout.column(), context)
        column = layout.column()
        for name in MESH_SETTINGS:
            column.prop(settings, name)
        row = layout.row()
        row.operator("lsrm.release", icon="MEMORY")
        row.operator("lsrm.open_log", icon="TEXT")


class LSRM_PT_result(SidebarPanel, bpy.types.Panel):
    """The result: comparison with its original, and import."""

    bl_label = "Result"

    def draw(self, _context: bpy.types.Context) -> None:
        """Comparison and import."""
        column = self.layout.column(align=True)
        column.operator("lsrm.compare", icon="ARROW_LEFTRIGHT")
        column.operator("lsrm.import_result", icon="IMPORT", text="Import")
        column.operator(EXPORT, icon="EXPORT", text="Export")
        column.operator(MARK, icon="ASSET_MANAGER")


def _draw_objects(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The selected objects, and the button that captures them."""
    selected = without_results(context.selected_objects, context.scene)
    row = layout.row(align=True)
    if selected:
        one = len(selected) == 1
        text = selected[0].name if one else translate("{} objects").format(len(selected))
        row.label(text=text, icon="OBJECT_DATA", translate=False)
        row.operator(ADD_DEMO, text="", icon="ADD")
        if not one:
            layout.row().prop(context.scene.lsrm, "results", expand=True)
    else:
        row.label(text="Select what to reconstruct", icon="INFO")
        layout.operator(ADD_DEMO, icon="ADD")
    draw_quality(layout, context)
    draw_placement(layout, context)
    layout.operator("lsrm.capture", icon="CAMERA_DATA")


def _draw_weights(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The choice of weights; for released weights also their license."""
    settings = context.scene.lsrm
    _draw_checkpoint(layout, settings)
    if has_license(settings.checkpoint):
        draw_text(layout, context, LICENSE)
        _draw_acceptance(layout)
    layout.prop(settings, "material")


def _draw_checkpoint(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """The choice of weights, and the folder of the user's own ones."""
    layout.prop(settings, CHECKPOINT)
    if settings.checkpoint == FOLDER:
        layout.prop(settings, "checkpoint_folder")


def _draw_acceptance(layout: bpy.types.UILayout) -> None:
    """The checkbox of the license, if this is an installed extension."""
    stored = preferences.addon_preferences()
    if stored is not None:
        layout.prop(stored, "license_accepted")


def _draw_readiness(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """One line: ready, or what is missing with what mends it; and a button that lists all."""
    state = readiness_of(context)
    if not state.known:
        layout.label(text="Looking…", icon="TIME")
        return
    if state.ready:
        row = layout.row(align=True)
        row.label(text=ready_text(context), icon="CHECKMARK", translate=False)
        row.operator(SHOW_CHECKS, text="", icon="COLLAPSEMENU", emboss=False)
        return
    box = layout.box()
    row = box.row()
    draw_text(row.column(), context, translate(state.message), icon="ERROR")
    row.operator(SHOW_CHECKS, text="", icon="COLLAPSEMENU", emboss=False)
    if state.code == LICENSE_NOT_ACCEPTED:
        _draw_acceptance(box)
    if state.setting == CHECKPOINT:
        _draw_checkpoint(box, context.scene.lsrm)
    elif state.setting:
        box.prop(context.scene.lsrm, state.setting)
    elif state.operator:
        box.operator(state.operator, text=state.label)
    else:
        draw_text(box, context, translate(state.remedy))


def _draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The progress of the task and of its stage, and two ways to stop.

    Nothing comes or goes while a task runs, so that no button moves away under the mouse.
    """
    state, box = context.window_manager.lsrm, layout.box()
    box.label(text=state.title, icon="TIME", translate=False)
    text = translate(state.step)
    if state.stopping:
        text = translate("Stopping…")
    elif state.eta >= 0.0:
        text = translate("{}, {} left").format(text, clock(state.eta))
    box.progress(text=text, factor=state.overall, translate=False)
    text = translate("Starting…")
    if state.stage:
        text = f"{translate(state.stage.capitalize())} {100.0 * state.fraction:.0f} %"
    box.progress(text=text, factor=state.fraction, translate=False)
    _draw_message(box.row(), state)
    row = box.row()
    stop = row.row()
    stop.enabled = not state.stopping
    stop.operator("lsrm.cancel", text="Stop", icon="PAUSE").now = False
    row.operator("lsrm.cancel", text="Stop Now", icon="CANCEL").now = True


def _draw_message(row: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    """What the views are warned of, in the place of the detail of the stage; a click shows all."""
    if state.warnings:
        first = state.warnings.partition("\n")[0]
        name = "lsrm.show_warnings"
        row.operator(name, text=first, icon="ERROR", emboss=False, translate=False)
    else:
        row.label(text=state.message)


def _draw_live_picture(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """A picture of what the task has made so far, if there is one."""
    if picture := icon(LIVE_PICTURE):
        box = layout.box()
        box.template_icon(picture, scale=LIVE_SCALE)
        box.prop(context.scene.lsrm, "live_preview")


def _draw_error(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Message and remedy of an error, with a setting or a button that helps."""
    state, settings = context.window_manager.lsrm, context.scene.lsrm
    box = layout.box()
    stopped = state.error_code == CANCELLED
    head = box.row()
    head.alert = not stopped
    head.label(text=state.title, icon="CANCEL" if stopped else "ERROR", translate=False)
    head.operator("lsrm.dismiss", text="", icon="X", emboss=False)
    draw_text(box, context, state.error_message)
    draw_text(box, context, state.error_remedy)
    setting = SETTING_OF_ERROR.get(state.error_code)
    if setting == CHECKPOINT:
        _draw_checkpoint(box, settings)
    elif setting:
        box.prop(settings, setting)
    if state.error_code == LICENSE_NOT_ACCEPTED:
        _draw_acceptance(box)
    row = box.row()
    if repair := REPAIRS.get(state.error_code):
        row.operator(repair[0], text=repair[1])
    elif state.error_code == BACKEND_DIED and state.operator:
        row.operator(state.operator, text="Try Again")
    if state.log and not stopped:
        row.operator("lsrm.open_log", icon="TEXT")
    if not stopped:
        row.operator("lsrm.copy_report", text="", icon="COPYDOWN")


def _draw_note(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The outcome of the last task."""
    box = layout.box()
    first, *warnings = context.window_manager.lsrm.note.splitlines()
    row = box.row()
    column = row.column()
    draw_text(column, context, first, icon="CHECKMARK")
    row.operator("lsrm.dismiss", text="", icon="X", emboss=False)
    for warning in warnings:
        draw_text(box, context, warning, icon="INFO")
    if result := context.window_manager.lsrm.result:
        row = box.row()
        row.operator_context = "EXEC_DEFAULT"
        row.operator("lsrm.import_result", icon="IMPORT", text="Import").directory = result


def clock(seconds: float) -> str:
    """A duration for people, in seconds or minutes."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


CLASSES = (LSRM_PT_main, LSRM_PT_settings, LSRM_PT_result)
