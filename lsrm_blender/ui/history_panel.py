# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel with what earlier jobs have made."""

from __future__ import annotations

import os

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.names.result_names import level_mesh
from .panel import SidebarPanel
from .wrapped_text import draw_text

THUMBNAIL = 5.0
"""Height of the picture of the chosen result, in lines."""

BUTTONS = 2
"""Side by side: three German ones are cut off."""

NAME_WIDTH, YEAR = 0.55, len("2026-")
"""Share of a line that the name has; what the date is shown without there."""


class LSRM_UL_history(bpy.types.UIList):
    """A line for each job: picture, name, number, date."""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        _icon: int,
        _active_data: bpy.types.PropertyGroup,
        _active_property: str,
    ) -> None:
        """What was made, and when."""
        row = layout.split(factor=NAME_WIDTH)
        text = f"{item.name} {item.number}"
        if item.icon:
            row.label(text=text, icon_value=item.icon, translate=False)
        else:
            row.label(text=text, icon="IMAGE_DATA", translate=False)
        row.label(text=item.date[YEAR:], translate=False)


class LSRM_PT_history(SidebarPanel, bpy.types.Panel):
    """Results and views of earlier jobs."""

    bl_label = "Past Results"  # Blender translates History itself, to another word

    def draw(self, context: bpy.types.Context) -> None:
        """The list, then what is known of the chosen one, and what to do with it."""
        layout, history = self.layout, context.window_manager.lsrm_history
        row = layout.row()
        if history.entries:
            row.template_list("LSRM_UL_history", "", history, "entries", history, "active", rows=3)
        else:
            row.label(text="No results yet", icon="INFO")
        row.operator("lsrm.refresh_history", text="", icon="FILE_REFRESH")
        entry = history.chosen()
        if entry is not None:
            _draw_entry(layout.box(), context, entry)


def _draw_entry(
    box: bpy.types.UILayout, context: bpy.types.Context, entry: bpy.types.PropertyGroup
) -> None:
    """Picture, settings and score of a job, and buttons for what it has made."""
    row = box.row()
    if entry.icon:
        row.template_icon(icon_value=entry.icon, scale=THUMBNAIL)
    column = row.column()
    column.label(text=f"{entry.name} {entry.number}", translate=False)
    column.label(text=entry.date, translate=False)
    if entry.result:
        column.label(text=entry.score, translate=False)
    else:
        column.label(text="Views only")
    draw_text(box, context, entry.description())
    buttons = box.column(align=True)
    buttons.operator_context = "EXEC_DEFAULT"
    if entry.result:
        buttons.operator(
            "lsrm.import_result", icon="IMPORT", text="Import"
        ).directory = entry.result
    if entry.views:
        buttons.operator(
            "lsrm.import_views", icon="VIEW_CAMERA", text="Use Views"
        ).filepath = entry.views
    _draw_levels(box, entry)
    if entry.result:
        box.operator("lsrm.compare_with_views", icon="IMAGE_REFERENCE").directory = entry.result
    row = box.row()
    row.operator("lsrm.open_folder", icon="FILE_FOLDER").folder = entry.folder
    row.operator("lsrm.delete_result", icon="TRASH", text="Delete").folder = entry.folder


def _draw_levels(box: bpy.types.UILayout, entry: bpy.types.PropertyGroup) -> None:
    """A button for each coarser level of detail, and one for the quads, which imports them."""
    if not (entry.levels or entry.quads):
        return
    grid = box.grid_flow(row_major=True, columns=BUTTONS, even_columns=True, align=True)
    grid.operator_context = "EXEC_DEFAULT"
    for faces in entry.levels.split():
        text = translate("{} faces").format(faces)
        mesh = os.path.join(entry.result, level_mesh(int(faces)))  # noqa: PTH118 - it is drawn often
        grid.operator("lsrm.import_result", text=text, translate=False).directory = mesh
    if entry.quads:
        grid.operator("lsrm.import_result", text="Quads", icon="MESH_GRID").directory = entry.quads


CLASSES = (LSRM_UL_history, LSRM_PT_history)
