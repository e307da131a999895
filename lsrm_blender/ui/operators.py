# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators: a script that calls one waits for its end, a button does not wait."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

import bpy
from bpy.app.translations import pgettext_tip as translate_tip
from bpy.props import BoolProperty, IntProperty, StringProperty

from ...backend.shared.errors import BadAsset, LsrmError
from ...backend.shared.names.result_names import QUADS
from .. import preferences
from ..capture_choices import EACH
from ..jobs.room import gigabytes
from ..preflight.obstacles import check_capture, check_reconstruct
from ..scene.assets.targets import chosen_targets
from ..scene.capture.planned_views import remove_preview
from ..scene.results import originals
from ..scene.results.result_files import find_result
from . import import_steps, session_timer, tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jobs.task import Task
    from ..scene.assets.targets import Target


class IdleOperator:
    """Base of the operators that are not for the time of a job."""

    if TYPE_CHECKING:  # inherited from the other base, bpy.types.Operator
        poll_message_set: ClassVar[Callable[..., None]]

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only one task at a time."""
        if session_timer.SESSION.state.running:
            cls.poll_message_set("Another job is running")
            return False
        return True


class TaskOperator(IdleOperator):
    """Base of the operators that start a task of the session."""

    if TYPE_CHECKING:  # inherited from the other base, bpy.types.Operator
        bl_idname: ClassVar[str]
        bl_label: ClassVar[str]
        report: Callable[[set[str], str], None]

    def task(self, context: bpy.types.Context) -> Task:
        """The task to start.

        Raises:
            LsrmError: if something it needs is missing.
        """
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the task, and return when it is finished."""
        try:
            task = self.task(context)
        except LsrmError as error:
            session_timer.show_error(self.bl_label, type(self).bl_idname, error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        try:
            self.report({"INFO"}, session_timer.run(task))
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Start the task, and return at once; the panel shows its progress."""
        if bpy.app.background:
            return self.execute(context)
        try:
            session_timer.start(self.task(context))
        except LsrmError as error:
            # Not as an error: that would pop up in front of the panel, which shows it already.
            session_timer.show_error(self.bl_label, type(self).bl_idname, error)
            self.report({"WARNING"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class LSRM_OT_capture(TaskOperator, bpy.types.Operator):
    """Photograph the selected objects from all around, with all cameras known."""

    bl_idname = "lsrm.capture"
    bl_label = "Capture"
    bl_description = "Photograph the selected objects from all around, with all cameras known"

    def task(self, context: bpy.types.Context) -> Task:
        """For the selected objects."""
        scene = context.scene
        check_capture(scene, context.selected_objects)
        remove_preview(scene)
        return tasks.capture(scene, _targets(context), preferences.work_folder(scene))


class LSRM_OT_reconstruct(TaskOperator, bpy.types.Operator):
    """Make a textured mesh of the source and put it into the scene, where it belongs."""

    bl_idname = "lsrm.reconstruct"
    bl_label = "Reconstruct"
    bl_description = (
        "Make a textured mesh of the source and put it into the scene, where it belongs"
    )

    selected: BoolProperty(
        description="Use the selected objects as the source", options={"HIDDEN", "SKIP_SAVE"}
    )

    def task(self, context: bpy.types.Context) -> Task:
        """For the selected objects, or for the chosen views."""
        if self.selected:
            context.scene.lsrm.source = "OBJECTS"
        return reconstruction(context)


class LSRM_OT_import_result(bpy.types.Operator):
    """Put a finished result into the scene, at the position of its source."""

    bl_idname = "lsrm.import_result"
    bl_label = "Import Result"
    bl_description = "Put a finished result into the scene, at the position of its source"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import a result folder; by default the last one."""
        chosen = self.directory or context.scene.lsrm.result_folder
        try:
            folder = find_result(Path(bpy.path.abspath(chosen))) if chosen else _no_result()
            note = import_steps.import_folder(folder, context.scene)
        except LsrmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        whole = folder.parent if folder.name == QUADS else folder
        context.scene.lsrm.result_folder = str(whole)
        session_timer.SESSION.imported(folder)
        session_timer.QUEUE.imported(folder)
        session_timer.show()
        self.report({"INFO"}, note)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Open the file browser, at the last result or where results are made."""
        last = context.scene.lsrm.result_folder
        folders = [Path(bpy.path.abspath(last))] if last else []
        folders.append(preferences.work_folder(context.scene))
        if existing := next((each for each in folders if each.is_dir()), None):
            self.directory = f"{existing}{os.sep}"  # without it, the folder above is shown
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class LSRM_OT_cancel(bpy.types.Operator):
    """Stop the job."""

    bl_idname = "lsrm.cancel"
    bl_label = "Stop"
    bl_description = "Stop the job"

    now: BoolProperty(
        name="Now", description="End the process at once, which frees its memory", default=False
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: LSRM_OT_cancel) -> str:
        """A tooltip for each way of stopping."""
        text = "Stop at the next opportunity; the backend stays ready for the next job"
        if properties.now:
            text = "End the process at once; its memory is free then, and the next job starts anew"
        return _with_memory(text)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Request the child to stop, or kill it."""
        session_timer.SESSION.cancel(now=self.now)
        session_timer.tick()
        session_timer.show()  # that it stops, too, which may take the child some seconds
        return {"FINISHED"}


class LSRM_OT_release(bpy.types.Operator):
    """End the idle backend, which frees its memory; the next job starts it again."""

    bl_idname = "lsrm.release"
    bl_label = "Free Memory"
    bl_description = "End the idle backend, which frees its memory; the next job starts it again"

    @classmethod
    def description(cls, _context: bpy.types.Context, _properties: LSRM_OT_release) -> str:
        """The tooltip, with the memory."""
        return _with_memory(cls.bl_description)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """End the idle children, and wait until they have ended."""
        session_timer.SESSION.release()
        return {"FINISHED"}

    def invoke(self, _context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """End the idle children, and return at once."""
        session_timer.SESSION.release(wait=False)
        return {"FINISHED"}


class LSRM_OT_compare(bpy.types.Operator):
    """Show the original of the active result instead of it, or the other way round."""

    bl_idname = "lsrm.compare"
    bl_label = "Original / Result"
    bl_description = "Show the original of the active result instead of it, or the other way round"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only if a pair of result and original is active, or there is but one."""
        if originals.find_pair(context.scene, context.view_layer.objects.active) is not None:
            return True
        cls.poll_message_set("Select a result that has its original in this scene")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Swap which of the two is shown, in the viewport and in renders, and select it."""
        scene = context.scene
        pair = originals.find_pair(scene, context.view_layer.objects.active)
        if pair is not None:
            originals.select_only(originals.swap(pair, scene), [context.view_layer])
        return {"FINISHED"}


class LSRM_OT_convert(bpy.types.Operator):
    """Convert many files; for scripts, because it returns when all is done."""

    bl_idname = "lsrm.convert"
    bl_label = "Convert Files"
    bl_description = "Convert many files; for scripts, because it returns when all is done"
    bl_options = {"INTERNAL"}

    inputs: StringProperty(description="Files, folders or patterns, one on each line")
    output: StringProperty(subtype="DIR_PATH", description="The folder of all results")
    views: IntProperty(default=16, min=1)
    size: IntProperty(default=256, min=1)
    samples: IntProperty(default=32, min=1)
    texture_size: StringProperty(default="auto", description="auto or texels")
    faces: IntProperty(default=50_000, min=1)
    checkpoint: StringProperty(default="auto", description="Name or folder of the weights")
    refine: StringProperty(default="auto", description="off, auto or seconds")
    material: StringProperty(default="auto", description="auto, rgb or pbr")
    lods: StringProperty(description="Triangles of coarser meshes, with commas between")
    formats: StringProperty(description="Of exports: some of glb, usd, obj, with commas between")
    relight: StringProperty(description="HDR images for pictures, one on each line")
    quads: BoolProperty(default=False, description="Also make meshes of quads")
    force: BoolProperty(default=False)
    retry_failed: BoolProperty(default=False)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Run the command `convert` with these properties."""
        from ..commands.command_line import main

        code = main(["convert", *self._arguments()])
        if code:
            self.report({"ERROR"}, f"Not all was converted (exit code {code}): see summary.json")
            return {"CANCELLED"}
        return {"FINISHED"}

    def _arguments(self) -> list[str]:
        """The properties as a command line."""
        names = ("views", "size", "samples", "texture_size", "refine", "material")
        arguments = [bpy.path.abspath(line) for line in self.inputs.splitlines()]
        arguments += ["-o", bpy.path.abspath(self.output)]
        arguments += [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in names]
        arguments += [f"--faces={self.faces}{',' * bool(self.lods)}{self.lods}"]
        arguments += [f"--formats={self.formats}"] if self.formats else []
        arguments += [f"--relight={bpy.path.abspath(line)}" for line in self.relight.splitlines()]
        arguments += [f"--checkpoint={bpy.path.abspath(self.checkpoint)}"]
        switches = {
            "--quads": self.quads,
            "--force": self.force,
            "--retry-failed": self.retry_failed,
        }
        arguments += [switch for switch, chosen in switches.items() if chosen]
        arguments += [f"--device={preferences.current().device}"]
        return [*arguments, f"--backend-python={_backend_python()}"]


def reconstruction(context: bpy.types.Context) -> Task:
    """The task that reconstructs the source of the settings.

    Raises:
        LsrmError: if something it needs is missing.
    """
    scene, device = context.scene, preferences.current().device
    check_reconstruct(scene, context.selected_objects)
    remove_preview(scene)
    folder = preferences.work_folder(scene)
    if scene.lsrm.source == "OBJECTS":
        return tasks.reconstruct_objects(scene, _targets(context), folder, device)
    return tasks.reconstruct_views(scene, tasks.views_folder(scene.lsrm), folder, device)


def _targets(context: bpy.types.Context) -> list[Target]:
    """The targets of the selected objects.

    Raises:
        BadAsset: if there are none.
    """
    scene, active = context.scene, context.view_layer.objects.active
    each = scene.lsrm.results == EACH
    return chosen_targets(context.selected_objects, active, scene, each=each)


def _with_memory(text: str) -> str:
    """The tooltip of a text, and the main memory that the children use, where there are any."""
    tooltip, memory = translate_tip(text), session_timer.SESSION.memory
    if not memory:
        return tooltip
    used = translate_tip("Backend and second Blender use {} of memory now")
    return f"{tooltip}.\n{used.format(gigabytes(memory))}"


def _no_result() -> NoReturn:
    raise BadAsset("No result is chosen.", "Choose the folder of a finished result.")


def _backend_python() -> str:
    """The backend's Python; empty if there is none, which the batch then reports."""
    try:
        return str(preferences.backend_python())
    except LsrmError:
        return ""


CLASSES = (
    LSRM_OT_capture,
    LSRM_OT_reconstruct,
    LSRM_OT_import_result,
    LSRM_OT_cancel,
    LSRM_OT_release,
    LSRM_OT_compare,
    LSRM_OT_convert,
)
