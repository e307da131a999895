# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the buttons start: steps for child processes, and work in Blender between them."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ...backend.shared.atomic_folder import remove_unfinished
from ...backend.shared.errors import BadAsset, BadCapture, Cancelled, LsrmError, write_failure
from .. import preferences
from ..jobs.checkpoints import checkpoint_params
from ..jobs.mesh_check import check_mesh
from ..jobs.session import Step, Task
from ..scene.assets.asset_objects import common_name, moved_by_physics
from ..scene.result_import import append_result, import_result, read_result
from .addon_preferences import INSTALL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from .properties import LSRM_PG_settings

LOGGER = logging.getLogger(__name__)

CAPTURE_WEIGHT, RECONSTRUCT_WEIGHT, IMPORT_WEIGHT = 0.3, 0.65, 0.05
RESULT_WEIGHT = RECONSTRUCT_WEIGHT + IMPORT_WEIGHT
RECONSTRUCT = "lsrm.reconstruct"
CAPTURE = "capture"
"""The folder of views that LSRM makes, in a folder with the name of the object."""

PREPARED = ".result.blend"
FORBIDDEN = re.compile(r"[^\w .-]")


@dataclass(frozen=True)
class SceneReference:
    """The scene of a task: the user may undo, rename, or open another file before the task ends.

    Attributes:
        uid: Blender's identifier of the scene while its file is open.
    """

    uid: int

    @classmethod
    def to(cls, scene: bpy.types.Scene) -> SceneReference:
        """A reference to a scene."""
        return cls(scene.session_uid)

    def find(self) -> bpy.types.Scene | None:
        """The scene, if it is still there."""
        return next((each for each in bpy.data.scenes if each.session_uid == self.uid), None)


@dataclass(frozen=True)
class Target:
    """The objects to capture, and the folder of the outcome.

    Attributes:
        names: of the objects.
        name: that stands for all of them.
        folder: of capture and result.
    """

    names: tuple[str, ...]
    name: str
    folder: Path

    @property
    def views(self) -> Path:
        """The capture folder."""
        return self.folder / CAPTURE


def make_target(objects: Sequence[bpy.types.Object], folder: Path) -> Target:
    """The target of some selected objects, below a folder.

    Raises:
        BadAsset: if none of them can be captured.
    """
    shown = [each for root in objects for each in (root, *root.children_recursive)]
    names = tuple(dict.fromkeys(each.name for each in shown if each.type != "CAMERA"))
    if not names:
        raise BadAsset("No object is selected.", "Select the objects to reconstruct.")
    name = common_name(list(objects), Path("selection"))
    return Target(names, name, folder / (FORBIDDEN.sub("_", name).strip(" .") or "object"))


def capture(scene: bpy.types.Scene, target: Target) -> Task:
    """Capture objects, then use the views as the source."""
    reference = SceneReference.to(scene)
    params = _capture_params(scene.lsrm, target)

    def work() -> Generator[Step, Any, str]:
        info = yield from _capture_copy(target, params)
        if found := reference.find():
            found.lsrm.views_folder = str(target.views)
            found.lsrm.source = "VIEWS"
        return with_warnings(f"{params['views']} views are in {target.views}", info)

    return Task(f"Capture {target.name}", work(), CAPTURE_WEIGHT, "lsrm.capture")


def reconstruct_objects(scene: bpy.types.Scene, target: Target, device: str) -> Task:
    """Capture objects, reconstruct them, and import the result at their position."""
    reference = SceneReference.to(scene)
    params = _capture_params(scene.lsrm, target)
    request = _reconstruct_params(scene.lsrm, target.views, target.folder / "result", device)

    def work() -> Generator[Step, Any, str]:
        yield from _capture_copy(target, params)
        return (yield from _reconstruct_and_import(request, reference))

    return Task(f"Reconstruct {target.name}", work(), CAPTURE_WEIGHT + RESULT_WEIGHT, RECONSTRUCT)


def reconstruct_views(scene: bpy.types.Scene, views: Path, folder: Path, device: str) -> Task:
    """Reconstruct from existing views."""
    reference, settings = SceneReference.to(scene), scene.lsrm
    request = {
        **_reconstruct_params(settings, views, folder, device),
        "fix_cameras": settings.fix_cameras,
        "mask_model": bpy.path.abspath(settings.mask_model),
        "up": settings.up,
    }

    def work() -> Generator[Step, Any, str]:
        return (yield from _reconstruct_and_import(request, reference))

    return Task(f"Reconstruct {views.name}", work(), RESULT_WEIGHT, RECONSTRUCT)


def install_backend() -> Task:
    """Install the backend's packages."""

    def work() -> Generator[Step, Any, str]:
        done = yield Step("install", "install", {}, "Installing the backend")
        return f"The backend is installed: {done['python']}"

    return Task("Install the backend", work(), operator=INSTALL)


def import_folder(folder: Path, scene: bpy.types.Scene) -> str:
    """Import a finished result into a scene, in this process.

    Raises:
        LsrmError: if the folder is no result.
    """
    check_mesh(folder / "mesh.glb")
    with _window_of(scene), _same_selection(scene):
        made = import_result(read_result(folder), scene)
        for each in made:
            each.select_set(state=False)
    return _finish_import(made)


def _finish_import(made: Sequence[bpy.types.Object]) -> str:
    """Push one undo step; returns a sentence about the outcome."""
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message="LSRM: import result")
    return f"{', '.join(each.name for each in made)} is in the scene"


def views_folder(settings: LSRM_PG_settings) -> Path:
    """The views of the settings.

    Raises:
        BadCapture: if none are chosen.
    """
    if not settings.views_folder:
        raise BadCapture("No views are chosen.", "Choose a capture folder or a transforms.json.")
    return Path(bpy.path.abspath(settings.views_folder))


def name_of_views(views: Path) -> str:
    """The name of the folder for what is made of views."""
    source = views if views.is_dir() else views.parent
    return source.parent.name if source.name == CAPTURE else source.name


def _capture_copy(target: Target, params: dict[str, Any]) -> Generator[Step, Any, dict[str, Any]]:
    """Have the second Blender capture a copy of the open file."""
    copy = target.folder / "scene.blend"
    _save_copy(copy)
    try:
        params = {**params, "asset": str(copy), "output": str(target.views)}
        step = Step("blender", "capture", params, "Capturing views", CAPTURE_WEIGHT)
        info: dict[str, Any] = yield step
    finally:
        copy.unlink(missing_ok=True)
        remove_unfinished(target.views)
    return info


def _save_copy(path: Path) -> None:
    """Save a copy of the open file, fast: it blocks the interface.

    Raises:
        OutputNotWritable, DiskFull: if the copy cannot be written.
    """
    paths = bpy.context.preferences.filepaths
    preview, changed = paths.file_preview_type, bpy.context.preferences.is_dirty
    paths.file_preview_type = "NONE"  # drawing one takes longer than all the rest
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(
            filepath=str(path), copy=True, compress=False, relative_remap=True
        )
    except (OSError, RuntimeError) as error:
        raise write_failure(path, error) from error
    finally:
        paths.file_preview_type = preview
        bpy.context.preferences.is_dirty = changed


def _reconstruct_and_import(
    params: dict[str, Any], reference: SceneReference
) -> Generator[Step, Any, str]:
    """Have the backend reconstruct views, and import the result into the scene of the task."""
    folder = Path(params["output"])
    try:
        answer = yield Step("backend", "reconstruct", params, "Reconstructing", RECONSTRUCT_WEIGHT)
    finally:
        remove_unfinished(folder)
    sentence = yield from _import_prepared(folder, reference)
    return with_warnings(sentence, answer["report"])


def _import_prepared(folder: Path, reference: SceneReference) -> Generator[Step, Any, str]:
    """Import a result into the scene of the task without blocking the window.

    The second Blender imports it and stores a .blend, from which it is appended here. If the second
    Blender fails, it is imported here, as the button Import does.
    """
    blend = folder.with_name(PREPARED)
    _remove_prepared(blend)
    try:
        yield from _prepare_import(folder, blend)
        scene = reference.find()
        if scene is None:
            return f"Another file is open now. The result is in {folder}"
        scene.lsrm.result_folder = str(folder)
        if not blend.is_file():
            return import_folder(folder, scene)
        return _finish_import(append_result(read_result(folder), blend, scene))
    finally:
        _remove_prepared(blend)


def _prepare_import(folder: Path, blend: Path) -> Generator[Step, Any, None]:
    """Have the second Blender import a result and store it; failures are logged only."""
    params = {"result": str(folder), "output": str(blend)}
    try:
        yield Step("blender", "prepare", params, "Importing", IMPORT_WEIGHT)
    except Cancelled:
        raise
    except LsrmError as error:
        LOGGER.warning("%s", error)


def _remove_prepared(blend: Path) -> None:
    """Remove a prepared import, finished or not."""
    for path in blend.parent.glob(f"{blend.name}*"):
        path.unlink(missing_ok=True)


def _capture_params(settings: LSRM_PG_settings, target: Target) -> dict[str, Any]:
    """The parameters of `capture`."""
    return {
        "objects": list(target.names),
        "source": {"file": bpy.data.filepath, "name": target.name},
        "poses": _simulated_poses(target),
        "views": settings.view_count,
        "size": settings.view_size,
        "samples": settings.samples,
        "environment": bpy.path.abspath(settings.capture_environment),
    }


def _simulated_poses(target: Target) -> dict[str, list[list[float]]]:
    """World matrices of rigid bodies as the artist sees them: a copy of the file has not them."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    objects = [bpy.data.objects.get(name) for name in target.names]
    moved = [shown for shown in objects if shown is not None and moved_by_physics(shown)]
    return {
        shown.name: [list(row) for row in shown.evaluated_get(depsgraph).matrix_world]
        for shown in moved
    }


def _reconstruct_params(
    settings: LSRM_PG_settings, views: Path, output: Path, device: str
) -> dict[str, Any]:
    """The parameters of `reconstruct`.

    Raises:
        LsrmError: if the chosen weights are missing, or their license is not accepted.
    """
    folder = Path(bpy.path.abspath(settings.checkpoint_folder))
    accepted = preferences.current().license_accepted
    return {
        "views": str(views),
        "output": str(output),
        **checkpoint_params(settings, folder, accepted=accepted),
        "refine": settings.refine,
        "texture_size": settings.texture_size,
        "faces": settings.faces,
        "device": device,
    }


def with_warnings(sentence: str, answer: dict[str, Any]) -> str:
    """A sentence, and the warnings of an answer below it."""
    return "\n".join([sentence, *(answer.get("warnings") or [])])


@contextmanager
def _window_of(scene: bpy.types.Scene) -> Iterator[None]:
    """Override the context with a window that shows the scene: a timer has none.

    Raises:
        LsrmError: if no window shows it.
    """
    windows = bpy.context.window_manager.windows
    if bpy.app.background or not windows:
        yield
        return
    window = next((each for each in windows if each.scene == scene), None)
    if window is None:
        raise LsrmError(
            f"No window shows the scene {scene.name!r}.", "Show it, then import the result."
        )
    with bpy.context.temp_override(window=window):
        yield


@contextmanager
def _same_selection(scene: bpy.types.Scene) -> Iterator[None]:
    """Restore the selection afterwards."""
    layer = bpy.context.view_layer
    selected, active = (
        [each.name for each in layer.objects if each.select_get()],
        layer.objects.active,
    )
    name = active.name if active is not None else ""
    yield
    for each in bpy.context.view_layer.objects:
        each.select_set(state=each.name in selected)
    bpy.context.view_layer.objects.active = scene.objects.get(name)
