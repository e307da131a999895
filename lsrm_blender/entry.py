# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that runs first inside Blender's Python when a command comes from a shell.

It loads the repository root as one package named `lsrm`, as Blender loads the installed
extension, and passes the command line to the same handler.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve()
ROOT = SCRIPT.parent.parent
OLDEST_BLENDER = (4, 2)
"""The first Blender with extensions."""

PACKAGE = "lsrm"
COMMAND_LINE = f"{PACKAGE}.lsrm_blender.commands.command_line"


def command_in_python(python: str) -> list[str]:
    """The command line, without its arguments, in a Python that has the bpy module."""
    return [python, "-P", str(SCRIPT)]


def command_in_blender(blender: str) -> list[str]:
    """The command line, without its arguments, in a whole Blender without a window."""
    options = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [blender, *options, "--python", str(SCRIPT), "--"]


def load_package() -> None:
    """Make the repository root importable as `lsrm`, without touching sys.path."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not the root of LSRM")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


def restore_stdout() -> None:
    """Undo what the parent process did to keep the banner of a whole Blender off stdout."""
    if kept := os.environ.pop("LSRM_STDOUT", ""):
        os.dup2(int(kept), 1)


def main() -> None:
    """Run the command line and end the process without Blender's own shutdown."""
    arguments = sys.argv[1:]
    if "--" in arguments and "--background" in arguments:  # a whole Blender shows all its arguments
        arguments = arguments[arguments.index("--") + 1 :]
    restore_stdout()
    load_package()
    try:
        code = importlib.import_module(COMMAND_LINE).main(arguments)
    except SystemExit as end:  # argparse: 0 after --help, 2 on wrong usage
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001 - os._exit below would swallow it
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender 4.2 crashes on the ordinary way out once it has rendered


if __name__ == "__main__":
    main()
