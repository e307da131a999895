# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How our children are started: the backend, a Blender that captures, an installation."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..backend.shared.errors import EnvironmentBroken
from ..backend.shared.virtual_environments import (
    ROOT,
    VirtualEnvironment,
    backend_environment,
    child_variables,
    find_interpreter,
)
from .jobs.child_process import Launch

if TYPE_CHECKING:
    from collections.abc import Iterable

ENTRY = ROOT / "lsrm_blender" / "entry.py"

INSTALL = """
import sys
from pathlib import Path
from backend.setup.install_server import serve
sys.exit(serve(Path(sys.argv[1])))
"""


def backend_launch(python: Path, log: Path) -> Launch:
    """The backend, in the Python that has its packages."""
    command = (str(python), "-P", "-m", "backend.commands.command_line", "serve")
    variables = child_variables(PYTHONUTF8="1", LSRM_BACKEND=str(python))
    return Launch("The backend", command, log, variables)


def blender_launch(log: Path) -> Launch:
    """Another Blender like this one, without a window, that captures what it is told."""
    if bpy.app.binary_path:
        options = ("--background", "--factory-startup", "--python-exit-code", "1")
        command = (bpy.app.binary_path, *options, "--python", str(ENTRY), "--", "serve")
    else:
        command = (sys.executable, "-P", str(ENTRY), "serve")
    variables = child_variables(PYTHONUTF8="1")
    del variables["PYTHONPATH"]  # Blender must not find `backend` beside our package
    return Launch("The second Blender", command, log, variables)


def install_launch(folder: Path, log: Path) -> Launch:
    """The installation of a backend environment below a folder, by Blender's own Python."""
    command = (sys.executable, "-P", "-c", INSTALL, str(folder))
    return Launch("The installation", command, log, child_variables(PYTHONUTF8="1"))


def backend_python(chosen: str, folders: Iterable[Path]) -> Path:
    """The Python to run the backend with.

    Args:
        chosen: the path that the user gave; empty to look for one.
        folders: where environments may have been installed; the clone's own comes first.

    Raises:
        EnvironmentBroken: if there is none.
    """
    if chosen:
        if not Path(chosen).is_file():
            raise EnvironmentBroken(
                f"There is no Python {chosen}.",
                "Correct the path in the preferences, or leave it empty.",
            )
        return Path(chosen)
    own = backend_environment()
    if found := find_interpreter(own) or _installed(own):
        return found
    for folder in folders:
        if found := _installed(backend_environment(folder)):
            return found
    raise EnvironmentBroken(
        "The backend is not installed.",
        "Press Install Backend in the preferences of the extension, or give its Python there.",
    )


def _installed(environment: VirtualEnvironment) -> Path | None:
    """Its Python, whatever version of Python has installed it."""
    return environment.python if environment.installed_by else None


def log_folder() -> Path:
    """Where the words of our children go: beside Blender's other temporary files."""
    folder = Path(bpy.app.tempdir or os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - last resort
    return folder / "lsrm"
