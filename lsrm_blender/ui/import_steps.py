# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a task that makes a result: it comes into the scene without blocking the window."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as translate

from ...backend.shared.errors import Cancelled, LsrmError, write_failure
from ...backend.shared.names.result_names import QUADS
from ..jobs.mesh_check import check_mesh
from ..jobs.task import Outcome, Step
from ..preflight import job_costs
from ..scene.blend_files import belongs_to_open_file
from ..scene.live.live_object import remove_live_object
from ..scene.results.result_files import read_result
from ..scene.results.result_import import append_result, import_result
from .undo import push_undo

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from ..jobs.estimate import Workload
    from ..scene.results.result_files import Result

LOGGER = logging.getLogger(__name__)

PREPARED, REMESHED = "result.blend", "quads"
"""A file and a folder among the temporary ones of a task."""


@dataclass(frozen=True)
class SceneReference:
    """The scene of a task: the user may undo, rename, or open a file before the task ends.

    Attributes:
        uid: Blender's identifier of the scene until a file is opened, which gives new ones.
        objects: the identifiers of its objects, by the names that they had.
        name: of the scene.
        file: that it is in; empty if it was never saved.
    """

    uid: int
    objects: dict[str, int]
    name: str
    file: str

    @classmethod
    def to(cls, scene: bpy.types.Scene) -> SceneReference:
        """A reference to a scene of the open file."""
        objects = {each.name: each.session_uid for each in scene.objects}
        return cls(scene.session_uid, objects, scene.name, bpy.data.filepath)

    def find(self) -> bpy.types.Scene | None:
        """The scene, if it is still there, or there again because its file was opened again."""
        by_name = bpy.data.scenes.get(self.name) if self.file == bpy.data.filepath != "" else None
        return self._find_by_uid() or by_name

    def present_names(self) -> dict[str, str]:
        """The names of the objects now, by those that they had; empty for deleted ones."""
        if self._find_by_uid() is None:
            return {name: name if name in bpy.data.objects else "" for name in self.objects}
        present = {each.session_uid: each.name for each in bpy.data.objects}
        return {name: present.get(uid, "") for name, uid in self.objects.items()}

    def _find_by_uid(self) -> bpy.types.Scene | None:
        return next((each for each in bpy.data.scenes if each.session_uid == self.uid), None)


def import_folder(folder: Path, scene: bpy.types.Scene) -> str:
    """Import a finished result into a scene, in this process; returns a sentence about it.

    If the result was made of another file than the open one, nothing is hidden for it: that two
    objects have the same name says nothing then.

    Raises:
        LsrmError: if the folder is no result.
    """
    result = read_result(folder)
    if not belongs_to_open_file(str(result.source.get("file", ""))):
        result = result.detached()
    return describe_import(_import_here(result, scene))


def import_prepared(
    folder: Path, temporary: Path, reference: SceneReference
) -> Generator[Step, Any, Outcome]:
    """Import a result into the scene of the task.

    The second Blender imports it and stores a .blend, from which it is appended here. If the second
    Blender fails, it is imported here, as the button Import does.

    Args:
        folder: of the result.
        temporary: a folder for the .blend.
        reference: to the scene.
    """
    blend = temporary / PREPARED
    yield from _prepare_import(folder, blend, reference)
    remove_live_object()
    scene = reference.find()
    if scene is None:
        note = translate("Another file is open now: the result is not in it yet.")
        return Outcome(note, str(folder))
    scene.lsrm.result_folder = str(folder)
    try:
        result = read_result(folder).renamed(reference.present_names())
        made = _append_or_import(result, blend, scene)
    except LsrmError as error:
        LOGGER.warning("%s", error)
        return Outcome(f"The result is not in the scene yet. {error.message}", str(folder))
    push_undo("import result")
    return Outcome(describe_import(made))


def add_quads(folder: Path, temporary: Path, expected: Workload) -> Generator[Step, Any, str]:
    """Have the second Blender make quads of a result, beside its mesh; returns a sentence.

    Args:
        folder: of the result.
        temporary: a folder on the same disk.
        expected: the job that has made the result.

    Raises:
        Cancelled: if the user stops it; other failures are in the sentence.
    """
    output = temporary / REMESHED
    params: dict[str, Any] = {"result": str(folder), "output": str(output), "formats": []}
    stages = job_costs.quads_stages(expected)
    step = Step("blender", "quads", params, "Remeshing to quads", expected=stages)
    try:
        made = yield step
        _move(output / made["files"][0], folder / QUADS)
    except Cancelled:
        raise
    except LsrmError as error:
        return f"There are no quads: {error.message}"
    job_costs.learn_quads(expected, step.spent)
    return translate("The quads of {} are in Past Results").format(read_result(folder).name)


def _move(file: Path, target: Path) -> None:
    """Move a file; what was there is replaced.

    Raises:
        OutputNotWritable, DiskFull: if that fails.
    """
    try:
        file.replace(target)
    except OSError as error:
        raise write_failure(target, error) from error


def describe_import(made: Sequence[bpy.types.Object]) -> str:
    """A sentence about imported objects."""
    return translate("{} is in the scene").format(", ".join(each.name for each in made))


def _append_or_import(
    result: Result, blend: Path, scene: bpy.types.Scene
) -> list[bpy.types.Object]:
    """Import a result the fast way, if it has been prepared."""
    if not blend.is_file():
        return _import_here(result, scene)
    try:
        return append_result(result, blend, scene, pack=scene.lsrm.pack_textures)
    finally:
        blend.unlink(missing_ok=True)


def _import_here(result: Result, scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Import a result in this process."""
    if not result.is_quads:
        check_mesh(result.mesh)
    with _window_of(scene):
        return import_result(result, scene, pack=scene.lsrm.pack_textures)


def _prepare_import(
    folder: Path, blend: Path, reference: SceneReference
) -> Generator[Step, Any, None]:
    """Have the second Blender import a result and store it; failures are logged only."""
    params = {"result": str(folder), "output": str(blend)}
    stages = job_costs.import_stages()
    step = Step("blender", "prepare", params, "Importing", expected=stages, preview_in=reference)
    try:
        yield step
    except Cancelled:
        raise
    except LsrmError as error:
        LOGGER.warning("%s", error)
    else:
        job_costs.learn_import(step.spent)


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
