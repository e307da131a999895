# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m backend COMMAND`: find or make the right environment, then run the command in it.

Standard library only, because on a fresh machine there is nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from .commands.command_line import COMMANDS, fail
from .commands.command_line import main as run_command
from .setup.environment import (
    ROOT,
    Environment,
    backend_environment,
    become,
    blender_environment,
    check_python,
    child_variables,
    interpreters,
    take_blender,
)
from .shared.errors import Cancelled, LsrmError


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code where it has not become another program."""
    try:
        check_python()
        arguments = take_blender(arguments)
        if _needs_nothing(arguments):
            return run_command(arguments)
        if {"-h", "--help"} & set(arguments) and arguments[0] != "test":
            with contextlib.suppress(ModuleNotFoundError):  # then help, too, needs the environment
                return run_command(arguments)
        python, *_ = interpreters(*_environments(arguments[0]))
        os.environ["LSRM_BACKEND"] = str(python)
        if arguments[0] == "test":
            os.chdir(ROOT)
            become([str(python), "-P", "-m", "pytest", *arguments[1:]], child_variables())
        if python == Path(sys.executable):
            return run_command(arguments)
        become(
            [str(python), "-P", "-m", "backend.commands.command_line", *arguments],
            child_variables(),
        )
    except LsrmError as error:
        return fail(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return fail(Cancelled("Interrupted.", "Run it again to go on."), as_json=False)


def _environments(command: str) -> list[Environment]:
    backend = backend_environment(tests=command == "test")
    return [backend, blender_environment()] if command in ("demo", "test") else [backend]


def _needs_nothing(arguments: list[str]) -> bool:
    """Whether any Python will do: help, a command to come, a doctor before the installation."""
    name = arguments[0] if arguments else ""
    if name == "doctor":
        return not backend_environment().ready
    return name != "test" and not (name in COMMANDS and COMMANDS[name].module)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
