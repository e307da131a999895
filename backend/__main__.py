# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m backend COMMAND`: check the usage, find or install the environment, run the command.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .commands.command_line import check_usage
from .commands.command_line import main as run_command
from .setup.bootstrap import extract_blender_option, find_or_install, replace_process
from .setup.installation import check_python
from .shared.errors import Cancelled, LsrmError
from .shared.exit_codes import USAGE
from .shared.terminal import print_error
from .shared.virtual_environments import (
    ROOT,
    VirtualEnvironment,
    backend_environment,
    blender_environment,
    child_variables,
)

TESTS_AT_ONCE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")
"""Two or more files of tests at once, on as many processes as there are cores; a process takes
1.5 GB of memory."""


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code, unless another process replaces this one."""
    try:
        check_python()
        arguments = extract_blender_option(arguments)
        check_usage(arguments)
        unready = arguments[0] == "doctor" and not backend_environment().ready
        if unready or arguments[0] == "install":
            return run_command(arguments)
        python, *_ = find_or_install(*_environments(arguments[0]))
        os.environ["LSRM_BACKEND"] = str(python)
        if arguments[0] == "test":
            os.chdir(ROOT)
            command = [str(python), "-P", "-m", "pytest", *TESTS_AT_ONCE, *arguments[1:]]
            replace_process(command, child_variables())
        if python == Path(sys.executable):
            return run_command(arguments)
        replace_process(
            [str(python), "-P", "-m", "backend.commands.command_line", *arguments],
            child_variables(),
        )
    except SystemExit as stop:  # after help or wrong usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except LsrmError as error:
        return print_error(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return print_error(Cancelled("Interrupted.", "Run it again to go on."), as_json=False)


def _environments(command: str) -> list[VirtualEnvironment]:
    backend = backend_environment(tests=command == "test")
    return [backend, blender_environment()] if command in ("demo", "test") else [backend]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
