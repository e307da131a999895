# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that relight the open scene, put back what it had, and make pictures under lights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, StringProperty

from ....backend.shared.errors import BadAsset, LsrmError
from ... import preferences
from ...scene.assets.targets import make_targets, selected_roots
from ...scene.relight import relit_scene
from ...scene.results.originals import results_in
from ..operators import TaskOperator
from . import relight_tasks, viewport_shading
from .relight_tasks import LIGHT_SHEET, TURNTABLE

if TYPE_CHECKING:
    from ...jobs.task import Task
    from ...scene.assets.targets import Target

SHADING_ITEMS = (
    ("MATERIAL", "Material Preview", "Fast, with the light of the scene"),
    ("RENDERED", "Rendered", "As in the final render, with the light of the scene"),
)


class LSRM_OT_relight(bpy.types.Operator):
    """Light the scene by an environment; the world it had before is kept."""

    bl_idname = "lsrm.relight"
    bl_label = "Relight"
    bl_description = "Light the scene by an environment; the world it had before is kept"
    bl_options = {"REGISTER", "UNDO"}

    environment: StringProperty(
        name="Environment",
        description="A file, a world or image of this .blend, or one of Blender's own lights",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Use the environment light of the property, or of the settings."""
        light = context.scene.lsrm_relight.environment(self.environment)
        try:
            relit_scene.set_environment(context.scene, light)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class LSRM_OT_restore_light(bpy.types.Operator):
    """Give the scene back the world, the lamps and the shading that it had before it was relit."""

    bl_idname = "lsrm.restore_light"
    bl_label = "Restore Light"
    bl_description = "Give the scene back its world and lamps, and viewports their shading"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if something was changed."""
        scene = context.scene
        changed = relit_scene.is_relit(scene) or relit_scene.are_lamps_off(scene)
        if changed or viewport_shading.is_switched():
            return True
        cls.poll_message_set("The scene has not been relit")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put back what was changed."""
        relit_scene.restore(context.scene)
        viewport_shading.restore()
        return {"FINISHED"}


class LSRM_OT_show_light(bpy.types.Operator):
    """Switch this viewport to a shading that shows the light of the scene."""

    bl_idname = "lsrm.show_light"
    bl_label = "Show Light"
    bl_description = "Switch this viewport to a shading that shows the light of the scene"

    shading: EnumProperty(name="Shading", items=SHADING_ITEMS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in a viewport."""
        return context.area is not None and context.area.type == "VIEW_3D"

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: LSRM_OT_show_light) -> str:
        """A tooltip for each shading."""
        return next(text for name, _, text in SHADING_ITEMS if name == properties.shading)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch it; restoring the light switches it back."""
        viewport_shading.show_light(context.screen, context.area, self.shading)
        return {"FINISHED"}


class LSRM_OT_turntable(TaskOperator, bpy.types.Operator):
    """Render the selected objects from all around, under the chosen light."""

    bl_idname = TURNTABLE
    bl_label = "Turntable"
    bl_description = "Render the selected objects from all around, under the chosen light"

    def task(self, context: bpy.types.Context) -> Task:
        """For the selected objects, or the last result."""
        scene = context.scene
        target = _target(context)
        return relight_tasks.turntable(scene, target, preferences.work_folder(scene))


class LSRM_OT_light_sheet(TaskOperator, bpy.types.Operator):
    """Render the selected objects once under every light, all on one picture."""

    bl_idname = LIGHT_SHEET
    bl_label = "Contact Sheet"
    bl_description = (
        "Render the selected objects under the lights of the folder, or under all, on one picture"
    )

    def task(self, context: bpy.types.Context) -> Task:
        """For the selected objects, or the last result."""
        scene = context.scene
        target = _target(context)
        return relight_tasks.contact_sheet(scene, target, preferences.work_folder(scene))


def _target(context: bpy.types.Context) -> Target:
    """The selected objects, or the last result where none can be shown.

    Raises:
        BadAsset: if there is neither.
    """
    chosen = selected_roots(context.selected_objects) or results_in(context.scene)[-1:]
    if not chosen:
        raise BadAsset("No object is selected.", "Select the object to show.")
    return make_targets(chosen, context.view_layer.objects.active, each=False)[0]


CLASSES = (
    LSRM_OT_relight,
    LSRM_OT_restore_light,
    LSRM_OT_show_light,
    LSRM_OT_turntable,
    LSRM_OT_light_sheet,
)
