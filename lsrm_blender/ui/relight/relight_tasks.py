# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that make pictures of objects under lights, in the second Blender."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate

from ....backend.shared.errors import BadAsset
from ...jobs.job_folders import folder_name, new_job_folder, work_files
from ...jobs.task import Step, Task
from ...scene.blend_files import save_copy
from . import light_list

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...scene.assets.targets import Target
    from .relight_settings import LSRM_PG_relight_settings
    from .relight_state import LSRM_PG_relit_pictures

TURNTABLE, LIGHT_SHEET = "lsrm.turntable", "lsrm.light_sheet"
PICTURES = "relit"
"""The folder of pictures, in that of an object, with a numbered one for each job."""

COPY, SMALL_SHEET = "scene.blend", "lsrm_light_sheet.png"


def turntable(scene: bpy.types.Scene, target: Target, root: Path) -> Task:
    """Render a turntable of objects under the chosen light.

    Args:
        scene: of the objects.
        target: what is shown.
        root: the folder of all captures and results.
    """
    settings: LSRM_PG_relight_settings = scene.lsrm_relight
    video = settings.turntable_output == "VIDEO"
    params = {
        **_params(settings, target, [settings.light]),
        "frames": settings.frames,
        "video": video,
        "transparent": settings.transparent and not video,
    }

    def work() -> Generator[Step, Any, str]:
        made = yield from _render(target, root, params)
        return translate("The turntable is in {}").format((made["videos"] or made["images"])[0])

    return Task(translate("Turntable of {}").format(target.name), work(), operator=TURNTABLE)


def contact_sheet(scene: bpy.types.Scene, target: Target, root: Path) -> Task:
    """Render objects under many lights, and put the pictures on a contact sheet.

    Args:
        scene: of the objects.
        target: what is shown.
        root: the folder of all captures and results.

    Raises:
        BadAsset: if no light is listed.
    """
    light_list.refresh()
    sources = light_list.for_contact_sheet()
    if not sources:
        raise BadAsset("There are no lights.", "Choose a folder with HDR images.")
    params = {**_params(scene.lsrm_relight, target, sources), "sheet": True}

    def work() -> Generator[Step, Any, str]:
        made = yield from _render(target, root, params)
        return translate("The contact sheet is {}").format(made["sheet"])

    return Task(translate("Contact sheet of {}").format(target.name), work(), operator=LIGHT_SHEET)


def _params(
    settings: LSRM_PG_relight_settings, target: Target, sources: Sequence[str]
) -> dict[str, Any]:
    """The parameters of `relight`, for stills without a contact sheet."""
    lights = [settings.environment(source) for source in sources]
    return {
        "objects": list(target.names),
        "lights": [
            {"source": each.source, "strength": each.strength, "rotation": each.rotation}
            for each in lights
        ],
        "frames": 0,
        "video": False,
        "sheet": False,
        "size": settings.size,
        "samples": settings.samples,
        "transparent": settings.transparent,
        "small": str(Path(bpy.app.tempdir) / SMALL_SHEET),
    }


def _render(
    target: Target, root: Path, params: dict[str, Any]
) -> Generator[Step, Any, dict[str, Any]]:
    """Have the second Blender render a copy of the open file; returns its answer."""
    jobs = root / folder_name(target.name) / PICTURES
    record = {"name": target.name, "file": bpy.data.filepath}
    with work_files(root) as temporary, new_job_folder(jobs, record) as job:
        copy = temporary / COPY
        save_copy(copy)
        request = {**params, "asset": str(copy), "output": str(job.path)}
        made: dict[str, Any] = yield Step("blender", "relight", request, "Rendering")
    state: LSRM_PG_relit_pictures = bpy.context.window_manager.lsrm_relit_pictures
    state.show(target.name, job.path, Path(params["small"]) if made["sheet"] else None)
    return made
