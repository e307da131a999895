# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks about views before a reconstruction: check them, find cameras, make masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.errors import EnvironmentBroken
from ..jobs.job_folders import new_job_folder
from ..jobs.task import Step, Task
from ..scene.import_views import show_views
from .import_steps import SceneReference
from .tasks import jobs_of_views, with_warnings
from .undo import push_undo

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .views_state import LSRM_PG_views

CHECK, FIX_CAMERAS = "lsrm.check_views", "lsrm.fix_cameras"
FIND_CAMERAS, MAKE_MASKS = "lsrm.find_cameras", "lsrm.make_masks"
INSTALL_TOOLS, EXPORT_VIEWS = "lsrm.install_photo_tools", "lsrm.export_views"
OPERATORS = frozenset({CHECK, FIX_CAMERAS, FIND_CAMERAS, MAKE_MASKS, INSTALL_TOOLS})
"""Those whose outcome the panel shows with the views."""

PHOTOS = "photos"
"""The extra of the backend that finding cameras and making masks needs."""

CONTACT_SHEET = "lsrm_views.png"
FIND_WEIGHT, MASKS_WEIGHT = 10.0, 5.0
"""Durations relative to that of the check that follows."""


def check_views(scene: bpy.types.Scene, views: Path) -> Task:
    """Show the cameras of views, and have the backend check them."""
    reference = SceneReference.to(scene)

    def work() -> Generator[Step, Any, str]:
        return (yield from _check(reference, views))

    return Task(translate("Check {}").format(views.name), work(), operator=CHECK)


def find_cameras(scene: bpy.types.Scene, photographs: Path, root: Path) -> Task:
    """Find the cameras of photographs, make them the source, and check them.

    Args:
        scene: that the task is for.
        photographs: folder of images without cameras.
        root: the folder of all captures and results.
    """
    reference = SceneReference.to(scene)

    def work() -> Generator[Step, Any, str]:
        yield from _require_tools("Finding cameras")
        jobs = jobs_of_views(root, photographs)
        with new_job_folder(jobs, {"name": jobs.name, "file": bpy.data.filepath}) as job:
            params = {"photos": str(photographs), "output": str(job.views)}
            yield Step("backend", "photos", params, "Finding cameras", FIND_WEIGHT)
        if scene := reference.find():
            scene.lsrm.views_folder = str(job.views)
        return (yield from _check(reference, job.views))

    title = translate("Find cameras of {}").format(photographs.name)
    return Task(title, work(), FIND_WEIGHT + 1.0, FIND_CAMERAS)


def make_masks(scene: bpy.types.Scene, views: Path, output: Path) -> Task:
    """Make the masks that views lack, and check them.

    Args:
        scene: that the task is for.
        views: capture folder or transforms.json.
        output: folder for masks that the capture does not take.
    """
    reference, options = SceneReference.to(scene), scene.lsrm.mask_options()
    model, backdrop = options["mask_model"], options["mask_backdrop"]

    def work() -> Generator[Step, Any, str]:
        if not backdrop:
            yield from _require_tools("Making masks")
        params = {
            "views": str(views),
            "output": str(output),
            "model": model,
            "backdrop": backdrop,
        }
        made = yield Step("backend", "masks", params, "Making masks", MASKS_WEIGHT)
        return (yield from _check(reference, views, made["warnings"]))

    return Task(
        translate("Make masks of {}").format(views.name), work(), MASKS_WEIGHT + 1.0, MAKE_MASKS
    )


def export_views(views: Path, output: Path, file_format: str) -> Task:
    """Write views for other programs.

    Args:
        views: capture folder, transforms.json or COLMAP model.
        output: an empty or a new folder.
        file_format: as the command `export-views` takes it.
    """

    def work() -> Generator[Step, Any, str]:
        params = {"views": str(views), "output": str(output), "format": file_format}
        written = yield Step("backend", "export_views", params, "Exporting views")
        note = translate("{} views are in {}").format(written["views"], output)
        return with_warnings(note, written)

    return Task(translate("Export {}").format(views.name), work(), operator=EXPORT_VIEWS)


def install_photo_tools() -> Task:
    """Install the packages that finding cameras and making masks needs."""

    def work() -> Generator[Step, Any, str]:
        yield Step("install", "install", {"extras": [PHOTOS]}, "Installing photograph tools")
        _state().tools_missing = False
        return translate("The photograph tools are installed")

    return Task(translate("Install photograph tools"), work(), operator=INSTALL_TOOLS)


def _check(
    reference: SceneReference, views: Path, notes: Sequence[str] = ()
) -> Generator[Step, Any, str]:
    """Show the cameras of views, and have the backend check them; returns the outcome.

    Args:
        reference: to the scene.
        views: capture folder or transforms.json.
        notes: to show before the warnings about the views.
    """
    scene = reference.find()
    if scene is None:
        return "Another file is open now."
    _state().begin(scene.lsrm)
    if _state().photographs:
        yield from _look_for_tools()
        return f"{_state().photographs} photographs without cameras"
    show_views(views, scene)
    push_undo("show views")
    options = scene.lsrm.mask_options()
    params = {
        "views": str(views),
        "fix_cameras": scene.lsrm.fix_cameras,
        "mask_erode": options["mask_erode"],
        "mask_feather": options["mask_feather"],
        "contact_sheet": str(_contact_sheet()),
    }
    found = yield Step("backend", "check", params, "Checking the views")
    found["warnings"] = [*notes, *found["warnings"]]
    if found["masks"]["missing"]:
        yield from _look_for_tools()
    if scene := reference.find():
        _store(found, scene, views)
    return with_warnings(_outcome(found), found)


def _store(found: dict[str, Any], scene: bpy.types.Scene, views: Path) -> None:
    """Store the answer of the backend, if the user has not chosen other views meanwhile."""
    if not _state().is_of(scene.lsrm):
        return
    _state().show_check(found, scene.lsrm, _contact_sheet())
    if found["cameras"]:
        show_views(views, scene, found["cameras"])
        push_undo("show corrected views")


def _contact_sheet() -> Path:
    """The file of the contact sheet in this session of Blender."""
    return Path(bpy.app.tempdir) / CONTACT_SHEET


def _outcome(found: dict[str, Any]) -> str:
    """A sentence about the answer of the backend to `check`."""
    if missing := found["masks"]["missing"]:
        return f"{found['views']} views, {missing} without masks"
    if found["doubtful"]:
        return f"{found['views']} views are doubtful"
    if found["warnings"]:
        return f"{found['views']} views can be used"
    return f"{found['views']} views are good"


def _require_tools(work: str) -> Generator[Step, Any, None]:
    """Check that the tools for photographs are installed.

    Raises:
        EnvironmentBroken: if not.
    """
    extra = yield from _look_for_tools()
    if not extra["installed"]:
        raise EnvironmentBroken(
            f"{work} needs the photograph tools, which are not installed.",
            f"Press Install Photograph Tools ({extra['size']}).",
        )


def _look_for_tools() -> Generator[Step, Any, dict[str, Any]]:
    """Query the backend for the tools for photographs, and store the answer."""
    extras = yield Step("backend", "extras", {}, "Looking for photograph tools", 0.0)
    extra: dict[str, Any] = extras[PHOTOS]
    _state().show_tools(extra)
    return extra


def _state() -> LSRM_PG_views:
    """What the panel shows of the views; another object once another file is opened."""
    state: LSRM_PG_views = bpy.context.window_manager.lsrm_views
    return state
