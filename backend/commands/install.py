# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `install`: the backend's virtual environment, with the extras that are requested."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from ..setup.bootstrap import find_or_install
from ..setup.installation import EXTRAS
from ..shared.errors import EnvironmentBroken
from ..shared.exit_codes import DONE
from ..shared.terminal import say
from ..shared.virtual_environments import backend_environment, child_variables

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..shared.virtual_environments import VirtualEnvironment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `install`."""
    sizes = "; ".join(str(cost) for cost in EXTRAS.values())
    parser.add_argument("--extra", action="append", default=[], choices=[*EXTRAS], help=sizes)


def run(arguments: argparse.Namespace) -> dict[str, Any] | int:
    """Install what is missing; with `--json` the result names the interpreter."""
    environment = backend_environment(extras=arguments.extra)
    for extra in arguments.extra:
        say(str(EXTRAS[extra]))
    (python,) = find_or_install(environment)
    if os.environ.get(environment.variable):
        _check_own_environment(python, environment)
    if arguments.json:
        return {"python": str(python), "extras": arguments.extra}
    say(f"Installed: {', '.join(('backend', *arguments.extra))} ({python})")
    return DONE


def _check_own_environment(python: Path, environment: VirtualEnvironment) -> None:
    """Check an interpreter that the user has chosen; nothing is installed there.

    Raises:
        EnvironmentBroken: if a package is missing, with the command that installs it.
    """
    code = (
        "import sys; from backend.shared.virtual_environments import are_installed; "
        "sys.exit(not are_installed(sys.argv[1:]))"
    )
    command = [str(python), "-c", code, *environment.requirements]
    if subprocess.run(command, env=child_variables(), check=False).returncode:
        packages = " ".join(f'"{each}"' for each in environment.requirements)
        raise EnvironmentBroken(
            f"{environment.variable} names {python}, which has not all packages in their versions.",
            f"Install them there: {python} -m pip install {packages}",
        )
