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

from .commands.command_line import check_usage
from .commands.command_line import main as run_command
from .setup.bootstrap import become, interpreters, take_blender
from .setup.installation import check_python
from .shared.errors import Cancelled, LsrmError
from .shared.exit_codes import USAGE
from .shared.terminal import fail
from .shared.virtual_environments import (
    ROOT,
    VirtualEnvironment,
    backend_environment,
    blender_environment,
    child_variables,
)


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code where it has not become another program."""
    try:
        check_python()
        arguments = take_blender(arguments)
        with contextlib.suppress(ModuleNotFoundError):  # benchmarks cannot be read without torch
            check_usage(arguments)
        if arguments[0] == "doctor" and not backend_environment().ready:
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
    except SystemExit as stop:  # help, or a wrong usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except LsrmError as error:
        return fail(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return fail(Cancelled("Interrupted.", "Run it again to go on."), as_json=False)


def _environments(command: str) -> list[VirtualEnvironment]:
    backend = backend_environment(tests=command == "test")
    return [backend, blender_environment()] if command in ("demo", "test") else [backend]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
