# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences: which backend, which device, which folders, how much patience."""

from __future__ import annotations

import contextlib
import os
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from . import child_commands
from .jobs.checkpoints import LICENSE

if TYPE_CHECKING:
    from .jobs.child_process import ChildCommand

INSTALL = "lsrm.install_backend"
"""The button that installs the backend; what comes of it is shown here."""

CHARACTERS = 70
"""Of a line in the preferences: labels do not wrap by themselves."""

LOG_DAYS = 7
"""After which the logs of a Blender are removed by the next one."""

PACKAGE = (__package__ or "").rpartition(".")[0]
"""The extension itself, by whatever name Blender has loaded it."""


@dataclass(frozen=True)
class Chosen:
    """The preferences, also where there are none because this is no installed extension.

    Attributes:
        backend_python: the interpreter to use; empty looks for one.
        device: "auto", "cpu" or "cuda".
        folder: for captures and results of files that were never saved; empty takes our own.
        time_limit: of a stage, in seconds.
        license_accepted: that of the released weights. Outside an installed extension the question
            was asked when they were converted.
    """

    backend_python: str = ""
    device: str = "auto"
    folder: str = ""
    time_limit: float = 1800.0
    license_accepted: bool = True


class LSRM_AP_preferences(bpy.types.AddonPreferences):
    """Where the backend is and how it is used."""

    bl_idname = PACKAGE

    backend_python: StringProperty(
        name="Backend Python",
        description="An interpreter that has the backend's packages; empty looks for one",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the backend computes on",
        items=(
            ("auto", "Automatic", "The graphics card if there is one that works"),
            ("cpu", "Processor", "Slower, and always there"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
        ),
    )
    folder: StringProperty(
        name="Folder",
        description="For captures and results of files that were never saved",
        subtype="DIR_PATH",
    )
    time_limit: FloatProperty(
        name="Time Limit",
        description="Seconds after which a stage of a job is given up",
        default=1800.0,
        min=10.0,
    )
    license_accepted: BoolProperty(
        name="Accept License", description=f"Of the released weights. {LICENSE}", default=False
    )
    found: StringProperty(options={"SKIP_SAVE"})

    def draw(self, _context: bpy.types.Context) -> None:
        """The backend first: without it there is only capturing."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "backend_python")
        row = layout.row()
        row.operator("lsrm.find_backend", icon="VIEWZOOM")
        row.operator("lsrm.install_backend", icon="IMPORT")
        if self.found:
            layout.label(text=self.found, translate=False)
        run = bpy.context.window_manager.lsrm
        if run.operator == INSTALL:
            _draw_installation(layout, run)
        layout.prop(self, "device")
        layout.prop(self, "folder")
        layout.prop(self, "time_limit")
        layout.prop(self, "license_accepted")
        _write(layout, LICENSE)


def _draw_installation(layout: bpy.types.UILayout, run: bpy.types.PropertyGroup) -> None:
    """How far it is, or what came of it."""
    if run.running:
        layout.progress(text=f"{run.step} {run.message}", factor=run.overall)
    _write(layout, run.note or f"{run.error_message} {run.error_remedy}".strip())


def _write(layout: bpy.types.UILayout, text: str) -> None:
    """A sentence over as many lines as it takes."""
    column = layout.column(align=True)
    for line in textwrap.wrap(text, CHARACTERS):
        column.label(text=line, translate=False)


def chosen() -> Chosen:
    """The preferences of the user."""
    mine = registered()
    if mine is None:
        return Chosen()
    python, folder = bpy.path.abspath(mine.backend_python), bpy.path.abspath(mine.folder)
    return Chosen(python, mine.device, folder, mine.time_limit, mine.license_accepted)


def registered() -> LSRM_AP_preferences | None:
    """The preferences as Blender keeps them, if this is an installed extension."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None else None


def user_folder(name: str) -> Path:
    """A folder of ours that survives an update of the extension."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path=name, create=True))
    except ValueError:  # not installed as an extension
        folder = bpy.app.tempdir or tempfile.gettempdir()
        return Path(folder) / "lsrm" / name


def work_folder(scene: bpy.types.Scene) -> Path:
    """Where captures and results of a scene go."""
    if scene.lsrm.output_folder:
        return Path(bpy.path.abspath(scene.lsrm.output_folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "lsrm"
    return Path(chosen().folder) if chosen().folder else user_folder("results")


def environments() -> Path:
    """Where the button installs the backend."""
    return user_folder("environment")


def backend_python() -> Path:
    """The interpreter of the backend.

    Raises:
        EnvironmentBroken: if there is none.
    """
    return child_commands.backend_python(chosen().backend_python, [environments()])


def child_command(child: str) -> ChildCommand:
    """How to start a child of the session.

    Raises:
        EnvironmentBroken: if the backend is not installed.
    """
    log = _log_file(child)
    if child == "blender":
        return child_commands.blender_server(bpy.app.binary_path, log)
    if child == "install":
        return child_commands.install_server(environments(), log)
    return child_commands.backend_server(backend_python(), log)


def _log_file(child: str) -> Path:
    """The log of a child of this Blender: others may be open, and each keeps its own."""
    folder, long_ago = user_folder("logs"), time.time() - LOG_DAYS * 24 * 3600
    for old in folder.glob("*.txt"):
        with contextlib.suppress(OSError):
            if old.stat().st_mtime < long_ago:
                old.unlink()
    return folder / f"{child}.{os.getpid()}.txt"


CLASSES = (LSRM_AP_preferences,)
