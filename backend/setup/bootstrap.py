# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a command line to a process in the right virtual environment.

This runs on a fresh machine before anything is installed: standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..shared.errors import EnvironmentBroken
from ..shared.virtual_environments import find_interpreter
from .installation import install

if TYPE_CHECKING:
    from ..shared.virtual_environments import VirtualEnvironment


def interpreters(*environments: VirtualEnvironment) -> list[Path]:
    """The Pythons to use for some environments; installs those that there are not.

    Raises:
        EnvironmentBroken: if an environment cannot be used or installed.
    """
    if missing := [each for each in environments if find_interpreter(each) is None]:
        install(*missing)
    return [find_interpreter(each) or each.python for each in environments]


def take_blender(arguments: list[str]) -> list[str]:
    """Take `--blender PATH` out of a command line, into the variable that names a Blender.

    Raises:
        EnvironmentBroken: if the path is missing.
    """
    if "--blender" not in arguments:
        return arguments
    place = arguments.index("--blender")
    if place + 1 == len(arguments):
        raise EnvironmentBroken(
            "--blender came without a path.", "Name the program: --blender /path/to/blender"
        )
    os.environ["LSRM_BLENDER"] = str(Path(arguments[place + 1]).expanduser().absolute())
    return arguments[:place] + arguments[place + 2 :]


def become(command: list[str], variables: dict[str, str]) -> NoReturn:
    """Go on as another program: no parent that could be killed and leave the work orphaned."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, variables)  # noqa: S606 - there is no shell to need
    sys.exit(subprocess.call(command, env=variables))
