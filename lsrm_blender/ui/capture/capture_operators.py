# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators before a capture: a quality for all settings, and a preview of the cameras."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty

from ....backend.shared.errors import LsrmError
from ...jobs.quality import QUALITIES
from ...preflight.obstacles import check_capture
from ...scene.assets.asset_objects import AssetChoice, choose
from ...scene.assets.targets import chosen_targets
from ...scene.cameras.scene_cameras import Framing
from ...scene.capture.planned_views import preview_of, remove_preview, show_preview
from ...scene.capture.settings import CaptureSettings

PREVIEW_CAMERAS, USE_QUALITY = "lsrm.preview_cameras", "lsrm.use_quality"

QUALITY_LABELS = {"DRAFT": "Draft", "NORMAL": "Normal", "BEST": "Best"}
QUALITY_ITEMS = (
    ("DRAFT", "Draft", "Few small views and no refinement: shows whether it works"),
    ("NORMAL", "Normal", "For most objects"),
    ("BEST", "Best", "Many large views and a fine mesh"),
)


class LSRM_OT_preview_cameras(bpy.types.Operator):
    """Show the cameras of the capture in the scene, or remove them again."""

    bl_idname = PREVIEW_CAMERAS
    bl_label = "Preview Cameras"
    bl_description = "Show the cameras of the capture in the scene, or remove them again"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Toggle the preview of the selected objects."""
        scene, settings = context.scene, context.scene.lsrm
        if preview_of(scene) is not None:
            remove_preview(scene)
            return {"FINISHED"}
        try:
            check_capture(scene, context.selected_objects)
            active = context.view_layer.objects.active
            target = chosen_targets(context.selected_objects, active, scene, each=False)[0]
            asset = choose(scene, AssetChoice(Path(bpy.data.filepath), names=target.names))
            framing = Framing(settings.view_size)
            chosen = CaptureSettings(settings.view_count, settings.placement, framing=framing)
            plan = show_preview(asset, scene, chosen)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "\n".join([f"{plan.count} cameras", *plan.warnings]))
        return {"FINISHED"}


class LSRM_OT_use_quality(bpy.types.Operator):
    """Set the number, size and samples of the views, refinement, texture and faces."""

    bl_idname = USE_QUALITY
    bl_label = "Use Quality"
    bl_description = "Set the number, size and samples of the views, refinement, texture and faces"
    bl_options = {"REGISTER", "UNDO"}

    quality: EnumProperty(name="Quality", items=QUALITY_ITEMS, default="NORMAL")

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: LSRM_OT_use_quality) -> str:
        """A tooltip for each quality."""
        return next(text for name, _, text in QUALITY_ITEMS if name == properties.quality)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the settings; others stay as they are."""
        for name, value in QUALITIES[self.quality].to_dict().items():
            setattr(context.scene.lsrm, name, value)
        return {"FINISHED"}


CLASSES = (LSRM_OT_preview_cameras, LSRM_OT_use_quality)
