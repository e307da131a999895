# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of the child processes that serve the add-on over a pipe.

There are three: the backend, a second Blender, and the installation of the backend. Children are
started by command line only; this module imports nothing of theirs, and no bpy.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..backend.shared.errors import EnvironmentBroken
from ..backend.shared.virtual_environments import (
    VirtualEnvironment,
    backend_environment,
    child_variables,
    find_interpreter,
)
from .entry import command_in_blender, command_in_python
from .jobs.child_process import ChildCommand

if TYPE_CHECKING:
    from collections.abc import Iterable


def backend_server(python: Path, log: Path) -> ChildCommand:
    """The backend, in the Python that has its packages."""
    arguments = (str(python), "-P", "-m", "backend.commands.command_line", "serve")
    variables = child_variables(PYTHONUTF8="1", LSRM_BACKEND=str(python))
    return ChildCommand("The backend", arguments, log, variables)


def blender_server(program: str, log: Path) -> ChildCommand:
    """A second Blender without a window, which captures and imports on request.

    Args:
        program: the path of Blender; empty where this process is a Python with the bpy module,
            which then is started again.
        log: the file for what it prints.
    """
    command = command_in_blender(program) if program else command_in_python(sys.executable)
    variables = child_variables(PYTHONUTF8="1")
    del variables["PYTHONPATH"]  # Blender must not find `backend` as a top-level package
    return ChildCommand("The second Blender", (*command, "serve"), log, variables)


def install_server(folder: Path, log: Path) -> ChildCommand:
    """The installation of a backend environment below a folder, by Blender's own Python."""
    arguments = (sys.executable, "-P", "-m", "backend.setup.install_server", str(folder))
    return ChildCommand("The installation", arguments, log, child_variables(PYTHONUTF8="1"))


def backend_python(path: str, folders: Iterable[Path]) -> Path:
    """The Python that runs the backend.

    Args:
        path: from the preferences; empty to look for an installed one.
        folders: of installed environments, searched after the one beside this repository.

    Raises:
        EnvironmentBroken: if there is none.
    """
    if path:
        if not Path(path).is_file():
            raise EnvironmentBroken(
                f"There is no Python {path}.",
                "Correct the path in the preferences, or leave it empty.",
            )
        return Path(path)
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
    return environment.python if environment.installed_python else None
