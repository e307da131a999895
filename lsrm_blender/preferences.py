# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's preferences: the backend and its device, the folders, the time limit.

How Blender stores and draws them is in `ui/setup/addon_preferences.py`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import child_commands
from .jobs.documents import results_folder

if TYPE_CHECKING:
    from .jobs.child_process import ChildCommand

LOG_DAYS = 7
"""Days after which the logs of another Blender are removed."""

PACKAGE = (__package__ or "").rpartition(".")[0]
"""The name under which Blender has loaded the extension."""


@dataclass(frozen=True)
class Preferences:
    """The preferences, with the defaults that hold outside an installed extension.

    Attributes:
        backend_python: the interpreter of the backend; empty looks for one.
        device: "auto", "cpu", "cuda" or "cuda:all".
        folder: for captures and results of files that were never saved; empty takes the
            user's documents.
        time_limit: of a stage, in seconds.
        license_accepted: whether the license of the released weights is accepted; outside an
            installed extension it was accepted when they were converted.
    """

    backend_python: str = ""
    device: str = "auto"
    folder: str = ""
    time_limit: float = 1800.0
    license_accepted: bool = True


def current() -> Preferences:
    """The preferences of the user."""
    stored = addon_preferences()
    if stored is None:
        return Preferences()
    python, folder = bpy.path.abspath(stored.backend_python), bpy.path.abspath(stored.folder)
    return Preferences(python, stored.device, folder, stored.time_limit, stored.license_accepted)


def addon_preferences() -> bpy.types.AddonPreferences | None:
    """The preferences as Blender stores them; None if this is no installed extension."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None else None


def user_folder(name: str) -> Path:
    """A folder of the extension that survives its updates, and is removed with it."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path=name, create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.app.tempdir or tempfile.gettempdir()) / "lsrm" / name


def work_folder(scene: bpy.types.Scene) -> Path:
    """The folder for captures and results of a scene."""
    if scene.lsrm.output_folder:
        return Path(bpy.path.abspath(scene.lsrm.output_folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "lsrm"
    return Path(current().folder) if current().folder else results_folder()


def environment_folder() -> Path:
    """The folder into which the button installs the backend's virtual environment."""
    return user_folder("environment")


def backend_python() -> Path:
    """The interpreter of the backend.

    Raises:
        EnvironmentBroken: if there is none.
    """
    return child_commands.backend_python(current().backend_python, [environment_folder()])


def child_command(child: str) -> ChildCommand:
    """How a child process of the session is started.

    Args:
        child: "blender", "backend" or "install".

    Raises:
        EnvironmentBroken: if the backend is not installed.
    """
    log = _log_file(child)
    if child == "blender":
        return child_commands.blender_server(bpy.app.binary_path, log)
    if child == "install":
        return child_commands.install_server(environment_folder(), log)
    return child_commands.backend_server(backend_python(), log)


def _log_file(child: str) -> Path:
    """The log of a child of this Blender process; other Blenders have logs of their own."""
    folder, oldest = user_folder("logs"), time.time() - LOG_DAYS * 24 * 3600
    for file in folder.glob("*.txt"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
    return folder / f"{child}.{os.getpid()}.txt"
