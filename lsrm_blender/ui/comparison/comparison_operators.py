# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that compares a result with the views it was made of, and its task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate
from bpy.props import StringProperty

from ....backend.shared.errors import BadAsset
from ... import preferences
from ...jobs.job_folders import work_files
from ...jobs.task import Step, Task
from ...scene.results.originals import RESULT_FOLDER, results_in
from ...scene.results.result_files import find_result, find_views, read_result
from ..operators import TaskOperator

if TYPE_CHECKING:
    from collections.abc import Generator

    from .comparison_state import LSRM_PG_comparison

COMPARE = "lsrm.compare_with_views"
VIEWS_WEIGHT, RENDER_WEIGHT, SCORE_WEIGHT = 0.15, 0.75, 0.1
SMALL_PICTURE = "lsrm_comparison.png"
RENDERS = "renders"
"""The folder of the renders, which the backend knows by this name."""


class LSRM_OT_compare_with_views(TaskOperator, bpy.types.Operator):
    """Render a result at the cameras of its views, and show where they differ, and how much."""

    bl_idname = COMPARE
    bl_label = "Compare with Views"
    bl_description = (
        "Render the result at the cameras of its views, and show where they differ, and how much"
    )

    directory: StringProperty(
        subtype="DIR_PATH", description="Of the result; empty takes the active one"
    )

    def task(self, context: bpy.types.Context) -> Task:
        """For a result folder, the active result, or the last one."""
        chosen = self.directory or _active_result(context)
        if not chosen:
            raise BadAsset("No result is chosen.", "Select a result in the scene.")
        result = find_result(Path(bpy.path.abspath(chosen)))
        return compare_with_views(result, preferences.work_folder(context.scene))


def compare_with_views(result: Path, root: Path) -> Task:
    """Render a result at some of its views, and have the backend score it.

    Args:
        result: its folder.
        root: the folder of all captures and results.

    Raises:
        BadAsset: if it is no result.
        BadCapture: if its views are gone.
    """
    views, name = find_views(result), read_result(result).name

    def work() -> Generator[Step, Any, str]:
        with work_files(root) as temporary:
            files = {"result": str(result), "views": str(views), "work": str(temporary)}
            step = Step("backend", "compared_views", files, "Reading the views", VIEWS_WEIGHT)
            cameras = (yield step)["cameras"]
            renders = {
                "result": str(result),
                "views": str(views),
                "cameras": [{k: v for k, v in each.items() if k != "view"} for each in cameras],
                "output": str(temporary / RENDERS),
            }
            step = Step("blender", "render_result", renders, "Rendering", RENDER_WEIGHT)
            rendered = yield step
            small = Path(bpy.app.tempdir) / SMALL_PICTURE
            names = {camera["name"]: camera["view"] for camera in cameras}
            params = {**files, "names": names, "small": str(small)}
            scores = yield Step("backend", "compare", params, "Comparing", SCORE_WEIGHT)
        state: LSRM_PG_comparison = bpy.context.window_manager.lsrm_comparison
        state.show(name, result, {**scores, **rendered}, small)
        return f"{name} is compared with {len(cameras)} views: PSNR {state.psnr:.1f} dB"

    weight = VIEWS_WEIGHT + RENDER_WEIGHT + SCORE_WEIGHT
    return Task(translate("Compare {}").format(name), work(), weight, COMPARE)


def _active_result(context: bpy.types.Context) -> str:
    """The folder of the active result, or the last one of the scene; empty if there is none."""
    results = results_in(context.scene)
    active = context.view_layer.objects.active
    chosen = [active] if active in results else results[-1:]
    folder = chosen[0].get(RESULT_FOLDER, "") if chosen else ""
    return str(folder or context.scene.lsrm.result_folder)


CLASSES = (LSRM_OT_compare_with_views,)
