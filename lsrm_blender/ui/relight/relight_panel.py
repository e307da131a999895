# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel that relights the scene."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...scene.relight import relit_scene
from ..panel import SidebarPanel
from ..pictures import draw_picture
from ..wrapped_text import draw_text
from .relight_operators import SHADING_ITEMS
from .relight_state import LIGHT_SHEET as LIGHT_SHEET_PICTURE
from .relight_tasks import LIGHT_SHEET, TURNTABLE
from .viewport_shading import shows_light

THUMBNAIL, THUMBNAIL_IN_LIST = 5.0, 5.0
"""In interface units."""


class LSRM_PT_relight(SidebarPanel, bpy.types.Panel):
    """The light: its thumbnail, strength and rotation, and the lamps of the scene."""

    bl_label = "Relight"

    def draw(self, context: bpy.types.Context) -> None:
        """The light, the button, and an offer if the viewport does not show it."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, relit = context.scene.lsrm_relight, relit_scene.is_relit(context.scene)
        layout.template_icon_view(
            settings, "thumbnail", show_labels=True, scale=THUMBNAIL, scale_popup=THUMBNAIL_IN_LIST
        )
        column = layout.column()
        for name in ("file", "folder", "strength", "rotation", "lamps_off"):
            column.prop(settings, name)
        row = layout.row()
        if not relit:
            row.operator("lsrm.relight", icon="LIGHT_SUN")
        row.operator("lsrm.restore_light", icon="LOOP_BACK", text="Restore")
        if relit and not shows_light(context.space_data):
            _draw_offer(layout.box(), context)


class LSRM_PT_relit_pictures(SidebarPanel, bpy.types.Panel):
    """Pictures of the selected objects under the chosen light, or under many."""

    bl_label = "Turntable and Contact Sheet"
    bl_parent_id = "LSRM_PT_relight"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Settings, buttons, and the last pictures."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, made = context.scene.lsrm_relight, context.window_manager.lsrm_relit_pictures
        layout.row().prop(settings, "turntable_output", expand=True)
        column = layout.column()
        for name in ("frames", "size", "samples", "transparent"):
            column.prop(settings, name)
        row = layout.row()
        row.operator(TURNTABLE, icon="FILE_MOVIE")
        row.operator(LIGHT_SHEET, icon="IMGDISPLAY")
        if made.folder:
            box = layout.box()
            draw_picture(box, context, LIGHT_SHEET_PICTURE)
            row = box.row()
            row.label(text=made.asset, icon="IMAGE_DATA", translate=False)
            row.operator("lsrm.open_folder", icon="FILE_FOLDER").folder = made.folder


def _draw_offer(box: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The kinds of shading that show the light."""
    draw_text(box, context, translate("This viewport does not show the light"), icon="INFO")
    row = box.row(align=True)
    for kind, label, _ in SHADING_ITEMS:
        row.operator("lsrm.show_light", text=label, icon=f"SHADING_{_icon(kind)}").shading = kind


def _icon(kind: str) -> str:
    return {"MATERIAL": "TEXTURE", "RENDERED": "RENDERED"}[kind]


CLASSES = (LSRM_PT_relight, LSRM_PT_relit_pictures)
