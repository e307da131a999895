# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons do, as plans: steps for the children, and Blender's own part between them."""

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
from ..jobs.checkpoints import weights_of
from ..jobs.mesh_check import check_mesh
from ..jobs.session import Plan, Step
from ..scene.asset_import import common_name
from ..scene.import_views import show_views
from ..scene.result_import import append_result, import_result, read_result

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from .properties import LSRM_PG_settings

LOGGER = logging.getLogger(__name__)

CAPTURE_WEIGHT, RECONSTRUCT_WEIGHT, IMPORT_WEIGHT = 0.3, 0.65, 0.05
RESULT_WEIGHT = RECONSTRUCT_WEIGHT + IMPORT_WEIGHT
RECONSTRUCT = "lsrm.reconstruct"
PREPARED = ".result.blend"
UNFIT = re.compile(r"[^\w .-]")


@dataclass(frozen=True)
class Place:
    """Where a plan was begun: the user may undo, rename, or open another file before it ends.

    Attributes:
        uid: by which Blender knows the scene for as long as its file is open.
    """

    uid: int

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> Place:
        """The place of a scene."""
        return cls(scene.session_uid)

    def find(self) -> bpy.types.Scene | None:
        """The scene, if it is still there."""
        return next((each for each in bpy.data.scenes if each.session_uid == self.uid), None)


@dataclass(frozen=True)
class Target:
    """What to capture, and where to put what comes of it.

    Attributes:
        names: of the objects.
        name: for them all.
        folder: for capture and result.
    """

    names: tuple[str, ...]
    name: str
    folder: Path

    @property
    def views(self) -> Path:
        """The capture folder."""
        return self.folder / "capture"


def target_of(objects: Sequence[bpy.types.Object], folder: Path) -> Target:
    """What the selected objects are as a target, below a folder.

    Raises:
        BadAsset: if nothing is selected that could be captured.
    """
    shown = [each for root in objects for each in (root, *root.children_recursive)]
    names = tuple(dict.fromkeys(each.name for each in shown if each.type != "CAMERA"))
    if not names:
        raise BadAsset("No object is selected.", "Select the objects to reconstruct.")
    name = common_name(list(objects), Path("selection"))
    return Target(names, name, folder / (UNFIT.sub("_", name).strip(" .") or "object"))


def capture(scene: bpy.types.Scene, target: Target) -> Plan:
    """Photograph objects, then use the views as source."""
    place = Place.of(scene)
    params = _capture_params(scene.lsrm, target)

    def work() -> Generator[Step, Any, str]:
        info = yield from _captured(target, params)
        if found := place.find():
            found.lsrm.views_folder = str(target.views)
            found.lsrm.source = "VIEWS"
        return _with_warnings(f"{params['views']} views are in {target.views}", info)

    return Plan(f"Capture {target.name}", work(), CAPTURE_WEIGHT, "lsrm.capture")


def reconstruct_objects(scene: bpy.types.Scene, target: Target, device: str) -> Plan:
    """Photograph objects, reconstruct them, and put the result in their place."""
    place = Place.of(scene)
    params = _capture_params(scene.lsrm, target)
    asked = _reconstruct_params(scene.lsrm, target.views, target.folder / "result", device)

    def work() -> Generator[Step, Any, str]:
        yield from _captured(target, params)
        return (yield from _reconstructed(asked, place))

    return Plan(f"Reconstruct {target.name}", work(), CAPTURE_WEIGHT + RESULT_WEIGHT, RECONSTRUCT)


def reconstruct_views(scene: bpy.types.Scene, views: Path, folder: Path, device: str) -> Plan:
    """Reconstruct from views that are there already."""
    place = Place.of(scene)
    asked = _reconstruct_params(scene.lsrm, views, folder, device)

    def work() -> Generator[Step, Any, str]:
        return (yield from _reconstructed(asked, place))

    return Plan(f"Reconstruct {views.name}", work(), RESULT_WEIGHT, RECONSTRUCT)


def check_views(scene: bpy.types.Scene, views: Path) -> Plan:
    """Show the cameras of some views, and have the backend look for mistakes in them."""

    def work() -> Generator[Step, Any, str]:
        show_views(views, scene)
        found = yield Step("backend", "check", {"views": str(views)}, "Checking the views")
        return _with_warnings(f"{found['views']} views are good", found)

    return Plan(f"Check {views.name}", work(), operator="lsrm.check_views")


def install_backend() -> Plan:
    """Install the backend's packages."""

    def work() -> Generator[Step, Any, str]:
        done = yield Step("install", "install", {}, "Installing the backend")
        return f"The backend is installed: {done['python']}"

    return Plan("Install the backend", work(), operator=preferences.INSTALL)


def import_folder(folder: Path, scene: bpy.types.Scene) -> str:
    """Put a finished result into a scene, at once.

    Raises:
        LsrmError: if it is none.
    """
    check_mesh(folder / "mesh.glb")
    with _window_of(scene), _same_selection(scene):
        made = import_result(read_result(folder), scene)
        for each in made:
            each.select_set(state=False)
    return _is_in_the_scene(made)


def _is_in_the_scene(made: Sequence[bpy.types.Object]) -> str:
    """One step for undo, and a sentence."""
    if not bpy.app.background:
        bpy.ops.ed.undo_push(message="LSRM: import result")
    return f"{', '.join(each.name for each in made)} is in the scene"


def views_folder(settings: LSRM_PG_settings) -> Path:
    """The views that the user chose.

    Raises:
        BadCapture: if none were chosen.
    """
    if not settings.views_folder:
        raise BadCapture("No views are chosen.", "Choose a capture folder or a transforms.json.")
    return Path(bpy.path.abspath(settings.views_folder))


def _captured(target: Target, params: dict[str, Any]) -> Generator[Step, Any, dict[str, Any]]:
    """Have a copy of the open file captured."""
    copy = target.folder / "scene.blend"
    _save_copy(copy)
    try:
        where = {"asset": str(copy), "output": str(target.views)}
        step = Step("blender", "capture", {**params, **where}, "Capturing views", CAPTURE_WEIGHT)
        info: dict[str, Any] = yield step
    finally:
        copy.unlink(missing_ok=True)
        remove_unfinished(target.views)
    return info


def _save_copy(path: Path) -> None:
    """Store the open file elsewhere, fast: the interface waits for it.

    Raises:
        OutputNotWritable, DiskFull: as they say.
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


def _reconstructed(params: dict[str, Any], place: Place) -> Generator[Step, Any, str]:
    """Have views reconstructed, and import the result where the plan was begun."""
    folder = Path(params["output"])
    try:
        answer = yield Step("backend", "reconstruct", params, "Reconstructing", RECONSTRUCT_WEIGHT)
    finally:
        remove_unfinished(folder)
    sentence = yield from _imported(folder, place)
    return _with_warnings(sentence, answer["report"])


def _imported(folder: Path, place: Place) -> Generator[Step, Any, str]:
    """Put a result into the scene where the plan was begun, without holding up the window.

    The other Blender imports it; if that one fails, this one does, as the button Import would.
    """
    blend = folder.with_name(PREPARED)
    _remove_prepared(blend)
    try:
        yield from _prepared(folder, blend)
        scene = place.find()
        if scene is None:
            return f"Another file is open now. The result is in {folder}"
        scene.lsrm.result_folder = str(folder)
        if not blend.is_file():
            return import_folder(folder, scene)
        return _is_in_the_scene(append_result(read_result(folder), blend, scene))
    finally:
        _remove_prepared(blend)


def _prepared(folder: Path, blend: Path) -> Generator[Step, Any, None]:
    """Have the other Blender import a result and store it; without it if that fails."""
    params = {"result": str(folder), "output": str(blend)}
    try:
        yield Step("blender", "prepare", params, "Importing", IMPORT_WEIGHT)
    except Cancelled:
        raise
    except LsrmError as error:
        LOGGER.warning("%s", error)


def _remove_prepared(blend: Path) -> None:
    """Remove a prepared import, also one that a killed Blender has not finished."""
    for path in blend.parent.glob(f"{blend.name}*"):
        path.unlink(missing_ok=True)


def _capture_params(settings: LSRM_PG_settings, target: Target) -> dict[str, Any]:
    """The parameters of `capture`."""
    source = {"file": bpy.data.filepath, "name": target.name, "objects": list(target.names)}
    return {
        "objects": list(target.names),
        "source": source,
        "views": settings.view_count,
        "size": settings.view_size,
        "samples": settings.samples,
        "environment": bpy.path.abspath(settings.capture_environment),
    }


def _reconstruct_params(
    settings: LSRM_PG_settings, views: Path, output: Path, device: str
) -> dict[str, Any]:
    """The parameters of `reconstruct`.

    Raises:
        LsrmError: if the chosen weights may not be used.
    """
    folder = Path(bpy.path.abspath(settings.checkpoint_folder))
    accepted = preferences.chosen().license_accepted
    return {
        "views": str(views),
        "output": str(output),
        **weights_of(settings, folder, accepted=accepted),
        "refine": settings.refine,
        "texture_size": int(settings.texture_size),
        "faces": settings.faces,
        "device": device,
    }


def _with_warnings(sentence: str, answer: dict[str, Any]) -> str:
    warnings = answer.get("warnings") or []
    if missing := answer.get("missing_images"):
        warnings = [*warnings, f"Missing textures were rendered pink: {', '.join(missing)}"]
    return "\n".join([sentence, *warnings])


@contextmanager
def _window_of(scene: bpy.types.Scene) -> Iterator[None]:
    """A context with a window, which a timer has not, showing the scene.

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
    """Let the body select what it likes; afterwards it is as before."""
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
