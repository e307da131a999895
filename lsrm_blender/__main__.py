# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m lsrm_blender COMMAND`: find or make a Blender, then run the command inside it.

Standard library only. This is the one module here that is not part of the extension: it runs in
front of Blender, so its imports are absolute.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from backend.setup.bootstrap import become, interpreters, take_blender
from backend.setup.installation import check_python
from backend.shared.errors import Cancelled, EnvironmentBroken, LsrmError
from backend.shared.terminal import fail
from backend.shared.virtual_environments import ROOT, blender_environment, child_variables

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = str(ROOT / "lsrm_blender" / "entry.py")
OLDEST_BLENDER = (4, 2)


def main(arguments: list[str]) -> int:
    """Run one command line; returns the exit code where it has not become another program."""
    try:
        check_python()
        arguments = take_blender(arguments)
        if not arguments or arguments[0] in ("-h", "--help"):  # any Python can tell
            become([sys.executable, "-P", ENTRY, "--help"], child_variables())
        enter_blender(interpreters(blender_environment())[0], arguments)
    except LsrmError as error:
        return fail(error, as_json="--json" in arguments)
    except KeyboardInterrupt:
        return fail(Cancelled("Interrupted.", "Run it again to go on."), as_json=False)


def enter_blender(program: Path, arguments: list[str]) -> NoReturn:
    """Go on as our entry in a Python that has bpy, or in a whole Blender.

    Raises:
        EnvironmentBroken: if the program is no Blender, or one that is too old.
    """
    if program.name.lower().startswith("python"):
        become([str(program), "-P", ENTRY, *arguments], child_variables())
    check_blender(program)
    options = ["--background", "--factory-startup", "--python-exit-code", "1"]
    command = [str(program), *options, "--python", ENTRY, "--", *arguments]
    become(command, child_variables(**keep_stdout()))


def keep_stdout() -> dict[str, str]:
    """Send Blender's banner to stderr; our entry finds the real stdout by the variable returned."""
    if os.name != "posix":
        return {}
    kept = os.dup(1)
    os.set_inheritable(kept, True)  # noqa: FBT003 - the signature is the library's
    os.dup2(2, 1)
    return {"LSRM_STDOUT": str(kept)}


def check_blender(program: Path) -> None:
    """Ask a program for its Blender version.

    Raises:
        EnvironmentBroken: if it does not answer, or is older than the extension supports.
    """
    remedy = "Name Blender 4.2 or later: --blender /path/to/blender"
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentBroken(f"{program} cannot be started: {error}.", remedy) from error
    found = re.search(r"Blender (\d+)\.(\d+)", answer)
    if found is None:
        raise EnvironmentBroken(f"{program} does not say that it is Blender.", remedy)
    if (int(found[1]), int(found[2])) < OLDEST_BLENDER:
        raise EnvironmentBroken(f"{program} is {found[0]}, which is too old.", remedy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
