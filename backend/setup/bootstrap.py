# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find or install the interpreters of a command, and continue in the right one.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..shared.exit_codes import USAGE
from ..shared.terminal import say
from ..shared.virtual_environments import find_interpreter
from .installation import install

if TYPE_CHECKING:
    from ..shared.virtual_environments import VirtualEnvironment


def find_or_install(*environments: VirtualEnvironment) -> list[Path]:
    """The interpreters of virtual environments, installing the environments that are missing.

    Raises:
        EnvironmentBroken: if an environment cannot be used or installed.
    """
    if missing := [each for each in environments if find_interpreter(each) is None]:
        install(*missing)
    return [find_interpreter(each) or each.python for each in environments]


def extract_blender_option(arguments: list[str]) -> list[str]:
    """Move `--blender PATH` from a command line to the environment variable LSRM_BLENDER.

    Raises:
        SystemExit: with the exit code for wrong usage, if the path is missing.
    """
    if "--blender" not in arguments:
        return arguments
    index = arguments.index("--blender")
    if index + 1 == len(arguments):
        say("--blender needs a path: --blender /path/to/blender")
        raise SystemExit(USAGE)
    os.environ["LSRM_BLENDER"] = str(Path(arguments[index + 1]).expanduser().absolute())
    return arguments[:index] + arguments[index + 2 :]


def replace_process(command: list[str], variables: dict[str, str]) -> NoReturn:
    """Replace this process by another program, so that no killed parent leaves it orphaned.

    On Windows, which cannot replace a process, the program runs as a child process.

    Args:
        command: the program and its arguments.
        variables: all its environment variables.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, variables)  # noqa: S606 - there is no shell to need
    sys.exit(subprocess.call(command, env=variables))
