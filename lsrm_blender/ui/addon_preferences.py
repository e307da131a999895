# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's page in Blender's preferences."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..jobs.checkpoints import LICENSE
from ..preferences import PACKAGE
from .wrapped_text import draw_wrapped

INSTALL = "lsrm.install_backend"
"""The operator that installs the backend; its outcome is shown on this page."""

CHARACTERS_PER_LINE = 70


class LSRM_AP_preferences(bpy.types.AddonPreferences):
    """Where the backend is and how it is used."""

    bl_idname = PACKAGE

    backend_python: StringProperty(
        name="Backend Python",
        description="An interpreter that has the backend's packages; empty looks for one",
        subtype="FILE_PATH",
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
    found: StringProperty(options={"SKIP_SAVE"})

    def draw(self, _context: bpy.types.Context) -> None:
        """The backend first: without it there is only capturing."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "backend_python")
        row = layout.row()
        row.operator("lsrm.find_backend", icon="VIEWZOOM")
        row.operator(INSTALL, icon="IMPORT")
        if self.found:
            layout.label(text=self.found, translate=False)
        state = bpy.context.window_manager.lsrm
        if state.operator == INSTALL:
            _draw_installation(layout, state)
        layout.prop(self, "device")
        layout.prop(self, "folder")
        layout.prop(self, "time_limit")
        layout.prop(self, "license_accepted")
        draw_wrapped(layout.column(align=True), LICENSE, CHARACTERS_PER_LINE)


def _draw_installation(layout: bpy.types.UILayout, state: bpy.types.PropertyGroup) -> None:
    """The progress of the installation, or its outcome."""
    if state.running:
        layout.progress(text=f"{state.step} {state.message}", factor=state.overall)
    text = state.note or f"{state.error_message} {state.error_remedy}".strip()
    draw_wrapped(layout.column(align=True), text, CHARACTERS_PER_LINE)


CLASSES = (LSRM_AP_preferences,)
