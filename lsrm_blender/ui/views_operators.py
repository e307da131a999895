# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators for views before a reconstruction: show, check, complete and look through them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ...backend.shared.capture.photograph_folder import count_photographs
from ...backend.shared.errors import LsrmError
from ...backend.shared.names.view_formats import COLMAP, TRANSFORMS
from .. import preferences
from ..scene.cameras.existing_cameras import VIEW
from ..scene.import_views import look_through, show_views
from . import tasks, views_tasks
from .operators import TaskOperator

if TYPE_CHECKING:
    from ..jobs.task import Task

FORMATS = (
    (COLMAP, "COLMAP", "A model as text in sparse/0, beside the images"),
    (TRANSFORMS, "transforms.json", "As nerfstudio and instant-ngp have it"),
)


class LSRM_OT_check_views(TaskOperator, bpy.types.Operator):
    """Show the cameras of the views in the scene, and look for mistakes in them."""

    bl_idname = views_tasks.CHECK
    bl_label = "Show and Check"
    bl_description = "Show the cameras of the views in the scene, and look for mistakes in them"
    bl_options = {"REGISTER", "UNDO"}

    def task(self, context: bpy.types.Context) -> Task:
        """For the chosen views."""
        return views_tasks.check_views(context.scene, tasks.views_folder(context.scene.lsrm))


class LSRM_OT_fix_cameras(TaskOperator, bpy.types.Operator):
    """Correct the likely mistake in the cameras, here and in the reconstruction; check again."""

    bl_idname = views_tasks.FIX_CAMERAS
    bl_label = "Fix Cameras"
    bl_description = "Correct the likely mistake in the cameras, whenever these views are used"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if the check has found a likely mistake."""
        if not context.window_manager.lsrm_views.likely_cause:
            cls.poll_message_set("No mistake is known")
            return False
        return super().poll(context)

    def task(self, context: bpy.types.Context) -> Task:
        """The check, with the cameras corrected."""
        settings = context.scene.lsrm
        views = tasks.views_folder(settings)
        settings.fix_cameras = True
        return views_tasks.check_views(context.scene, views)


class LSRM_OT_find_cameras(TaskOperator, bpy.types.Operator):
    """Find from where photographs were taken, and use them as views."""

    bl_idname = views_tasks.FIND_CAMERAS
    bl_label = "Find Cameras"
    bl_description = "Find from where the photographs were taken, and use a copy of them as views"
    bl_options = {"REGISTER", "UNDO"}

    def task(self, context: bpy.types.Context) -> Task:
        """For the chosen folder of photographs."""
        photographs = tasks.views_folder(context.scene.lsrm)
        root = preferences.work_folder(context.scene)
        return views_tasks.find_cameras(context.scene, photographs, root)


class LSRM_OT_make_masks(TaskOperator, bpy.types.Operator):
    """Make masks for the views that have none, and store them with the views."""

    bl_idname = views_tasks.MAKE_MASKS
    bl_label = "Make Masks"
    bl_description = "Make masks for the views that have none, and store them with the views"
    bl_options = {"REGISTER", "UNDO"}

    def task(self, context: bpy.types.Context) -> Task:
        """For the chosen views."""
        views = tasks.views_folder(context.scene.lsrm)
        output = tasks.jobs_of_views(preferences.work_folder(context.scene), views)
        return views_tasks.make_masks(context.scene, views, output)


class LSRM_OT_import_views(bpy.types.Operator):
    """Show the cameras of posed images in the scene, each with its image."""

    bl_idname = "lsrm.import_views"
    bl_label = "Import Views"
    bl_description = "Show the cameras of posed images in the scene, each with its image"
    bl_options = {"REGISTER", "UNDO"}

    # Not kept for the next time: a dropped file is set beforehand, the file browser is not.
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Show a capture folder or transforms.json, and set it as the source."""
        path = Path(bpy.path.abspath(self.filepath or context.scene.lsrm.views_folder))
        if photographs := count_photographs(path):
            context.scene.lsrm.views_folder, context.scene.lsrm.source = str(path), "VIEWS"
            self.report({"INFO"}, f"{photographs} photographs without cameras: find them first")
            return {"FINISHED"}
        try:
            made = show_views(path, context.scene)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.lsrm.views_folder = str(path)
        context.scene.lsrm.source = "VIEWS"
        self.report({"INFO"}, f"{len(made)} cameras")
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Show what was dropped, or open the file browser."""
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class LSRM_OT_export_views(TaskOperator, bpy.types.Operator):
    """Write the chosen views for other programs, with their images and masks."""

    bl_idname = views_tasks.EXPORT_VIEWS
    bl_label = "Export Views"
    bl_description = "Write the chosen views for other programs, into an empty or a new folder"
    bl_options = {"REGISTER"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    file_format: EnumProperty(name="Format", description="Of the cameras", items=FORMATS)

    def task(self, context: bpy.types.Context) -> Task:
        """For the chosen views."""
        views = tasks.views_folder(context.scene.lsrm)
        output = Path(bpy.path.abspath(self.directory))
        return views_tasks.export_views(views, output, self.file_format)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the task if the file browser has asked for the folder; a script waits for it."""
        if self.options.is_invoke and not bpy.app.background:
            return super().invoke(context, None)
        return super().execute(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event | None) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class LSRM_OT_look_through(bpy.types.Operator):
    """Look through the camera of the active view, with the size of its image."""

    bl_idname = "lsrm.look_through"
    bl_label = "Look Through View"
    bl_description = "Look through the active view's camera, with the render size of its image"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if the active object is the camera of a view."""
        return context.object is not None and VIEW in context.object.keys()  # noqa: SIM118  RNA

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the scene's camera, and show it in this 3D view."""
        look_through(context.object, context.scene)
        if context.space_data is not None and context.space_data.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (
    LSRM_OT_check_views,
    LSRM_OT_fix_cameras,
    LSRM_OT_find_cameras,
    LSRM_OT_make_masks,
    LSRM_OT_import_views,
    LSRM_OT_export_views,
    LSRM_OT_look_through,
)
