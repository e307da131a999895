# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m lsrm_blender COMMAND`: find or install a Blender, then run the command inside it.

Standard library only. This is the one module here that is not part of the extension: it runs in
front of Blender, so its imports are absolute. Help and wrong usage need no Blender: the grammar of
the commands is standard library, too, and is read before anything is installed.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from backend.setup.bootstrap import extract_blender_option, find_or_install, replace_process
from backend.setup.installation import check_python
from backend.shared.errors import Cancelled, EnvironmentBroken, LsrmError
from backend.shared.exit_codes import USAGE
from backend.shared.terminal import print_error
from backend.shared.virtual_environments import blender_environment, child_variables
from lsrm_blender.entry import (
    COMMAND_LINE,
    OLDEST_BLENDER,
    command_in_blender,
    command_in_python,
    load_package,
)

if TYPE_CHECKING:
    from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code unless another program takes over."""
    try:
        check_python()
        arguments = extract_blender_option(arguments)
        check_usage(arguments)
        enter_blender(find_or_install(blender_environment())[0], arguments)
    except SystemExit as stop:  # help, or a wrong usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except LsrmError as error:
        return print_error(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return print_error(Cancelled("Interrupted.", "Run it again to go on."), as_json=False)


def check_usage(arguments: list[str]) -> None:
    """Print help, or what is wrong with a command line; return if there is nothing to print.

    Raises:
        SystemExit: with code 0 after help, 2 after a wrong usage.
    """
    load_package()
    importlib.import_module(COMMAND_LINE).parse(arguments)


def enter_blender(program: Path, arguments: list[str]) -> NoReturn:
    """Continue as `entry.py` in a Python that has bpy, or in a whole Blender.

    Raises:
        EnvironmentBroken: if the program is no Blender, or one that is too old.
    """
    if program.name.lower().startswith("python"):
        replace_process([*command_in_python(str(program)), *arguments], child_variables())
    check_blender(program)
    command = [*command_in_blender(str(program)), *arguments]
    replace_process(command, child_variables(**keep_stdout()))


def keep_stdout() -> dict[str, str]:
    """Send Blender's banner to stderr; `entry.py` finds stdout by the variable returned."""
    if os.name != "posix":
        return {}
    kept = os.dup(1)
    os.set_inheritable(kept, True)  # noqa: FBT003 - the signature is the library's
    os.dup2(2, 1)
    return {"LSRM_STDOUT": str(kept)}


def check_blender(program: Path) -> None:
    """Run a program with `--version` and compare with the oldest supported Blender.

    Raises:
        EnvironmentBroken: if it is no Blender, or older than the extension supports.
    """
    remedy = "Name Blender 4.2 or later: --blender /path/to/blender"
    try:
        output = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentBroken(f"{program} cannot be started: {error}.", remedy) from error
    found = re.search(r"Blender (\d+)\.(\d+)", output)
    if found is None:
        raise EnvironmentBroken(f"{program} is no Blender.", remedy)
    if (int(found[1]), int(found[2])) < OLDEST_BLENDER:
        raise EnvironmentBroken(f"{program} is {found[0]}, which is too old.", remedy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
