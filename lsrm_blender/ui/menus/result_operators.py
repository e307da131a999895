# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators that pass results on: export, and the asset browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ....backend.shared.errors import LsrmError
from ... import preferences
from ...export_formats import GLB, OBJ, SUFFIXES, USD
from ...jobs.job_folders import folder_name
from ...object_mode import ObjectModeOperator
from ...scene.asset_marks import mark_as_asset
from ...scene.products.level_files import (
    check_nothing_replaced,
    export_level_files,
    plan_level_files,
)
from ...scene.results.export import chosen_results, export_results

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPORT, MARK = "lsrm.export_result", "lsrm.mark_as_asset"
FORMATS = (
    (GLB, "GLB", "One file with mesh, materials and textures, for most programs"),
    (USD, "USD", "For pipelines and film; textures lie beside it"),
    (OBJ, "OBJ", "The oldest format: mesh, color and normals; textures lie beside it"),
)
TAGS = "LSRM, reconstruction"


class LSRM_OT_export_result(ObjectModeOperator, bpy.types.Operator):
    """Export the selected results with their textures."""

    bl_idname = EXPORT
    bl_label = "Export Result"
    bl_description = "Export the selected results with their textures, as GLB, USD or OBJ"
    bl_options = {"REGISTER"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    file_format: EnumProperty(name="Format", description="Of the file", items=FORMATS)
    levels: BoolProperty(
        name="Levels of Detail",
        description="Also write the coarser meshes of the result, each to a file beside it",
    )
    overwrite: BoolProperty(
        name="Overwrite Levels",
        description="Replace the files of levels that are there already",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file, and those of levels; nothing if one of these would be replaced."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            results = _results(context)
            levels = plan_level_files(results, path) if self.levels else []
            if not self.overwrite:
                check_nothing_replaced(levels)
            export_results(results, path, self.file_format, context.scene)
            export_level_files(levels, self.file_format, context.scene)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        names = ", ".join([str(path), *(level.path.name for level in levels)])
        self.report({"INFO"}, f"Written: {names}")
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Open the file browser, with a name for the file."""
        try:
            name = folder_name(_results(context)[0].name)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        file = bpy.data.filepath
        folder = Path(file).parent if file else preferences.work_folder(context.scene)
        self.filepath = str(folder / f"{name}{SUFFIXES[self.file_format][0]}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: bpy.types.Context) -> bool:
        """Let the end of the name follow the format."""
        path = Path(self.filepath)
        if not path.name or path.suffix.lower() in SUFFIXES[self.file_format]:
            return False
        known = {suffix for each in SUFFIXES.values() for suffix in each}
        stem = path.stem if path.suffix.lower() in known else path.name
        self.filepath = str(path.with_name(f"{stem}{SUFFIXES[self.file_format][0]}"))
        return True


class LSRM_OT_mark_as_asset(bpy.types.Operator):
    """Put the selected results into the asset browser, with picture and tags."""

    bl_idname = MARK
    bl_label = "Mark as Asset"
    bl_description = "Put the selected results into the asset browser, with picture and tags"
    bl_options = {"REGISTER", "UNDO"}

    tags: StringProperty(
        name="Tags", description="By which the asset is found, with commas between", default=TAGS
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mark them; they are in the browser once the file is saved in an asset library."""
        tags = [tag.strip() for tag in self.tags.split(",") if tag.strip()]
        try:
            results = _results(context)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for made in results:
            mark_as_asset(made, tags)
        names = ", ".join(made.name for made in results)
        self.report({"INFO"}, f"{names}: in the asset browser, Current File")
        return {"FINISHED"}


def _results(context: bpy.types.Context) -> Sequence[bpy.types.Object]:
    """The results that an operator is about.

    Raises:
        BadAsset: if there are none.
    """
    active = context.view_layer.objects.active
    return chosen_results(context.scene, context.selected_objects, active)


CLASSES = (LSRM_OT_export_result, LSRM_OT_mark_as_asset)
