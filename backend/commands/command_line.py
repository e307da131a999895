# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `python3 -m backend`: their list, arguments, exit codes and errors.

Each command is a module with `add_arguments(parser)` and `run(arguments)`, imported only when it
is called. `run` returns an exit code, or a result that is printed as JSON.
Standard library only at import, also in the modules of the commands: help and wrong usage are
answered before anything is installed.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..shared.errors import (
    BadRequest,
    Cancelled,
    EnvironmentBroken,
    LsrmError,
    OutOfMemory,
    as_lsrm_error,
)
from ..shared.exit_codes import DONE, USAGE
from ..shared.terminal import print_error, print_json, say

if TYPE_CHECKING:
    from types import ModuleType

PROGRAM = "python3 -m backend"


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: what it does, for `--help`.
        module: with `add_arguments` and `run`; relative to this package, or absolute for the
            benchmarks. None for `test`, which `backend/__main__.py` passes to pytest.
    """

    summary: str
    module: str | None

    def load(self) -> ModuleType:
        """Import the module.

        Raises:
            EnvironmentBroken: if it belongs to the benchmarks, which the extension leaves out.
        """
        if self.module is None:
            raise BadRequest("The tests are started from a shell.", f"Type {PROGRAM} test.")
        try:
            return importlib.import_module(self.module, __package__)
        except ModuleNotFoundError as error:
            if error.name != "benchmarks":
                raise
            raise EnvironmentBroken(
                "This command needs a clone of the repository; the extension has no benchmarks.",
                "Clone LSRM and run it there.",
            ) from error


COMMANDS = {
    "demo": Command("an example from capture to relit result, with pictures", ".demo"),
    "test": Command("run the test suite; takes pytest's arguments", None),
    "doctor": Command("check the installation, with a remedy for each problem", ".doctor"),
    "install": Command("install the backend, and extras that some work needs", ".install"),
    "photos": Command("photographs without cameras to posed views", ".photos"),
    "reconstruct": Command("posed views to a textured mesh", ".reconstruct"),
    "masks": Command("make the masks that photographs lack", ".masks"),
    "export-views": Command("posed views as a COLMAP model, for other programs", ".export_views"),
    "metrics": Command("score renders and a mesh against the ground truth", ".metrics"),
    "convert-checkpoint": Command("released weights to safetensors", ".convert_checkpoint"),
    "train": Command("train the network, or print what that would take", ".train"),
    "serve": Command("run jobs of the panel in Blender by JSON-RPC on stdin and stdout", ".serve"),
    "parity": Command(
        "compare the model with stored numbers, tensor by tensor", "benchmarks.parity.parity"
    ),
    "benchmark": Command(
        "the paper's evaluation, on its data or captures", "benchmarks.paper.command"
    ),
    "bench": Command("time the kernels on the routing of a real object", "benchmarks.bench"),
}


def main(arguments: list[str]) -> int:
    """Run one command line; returns its exit code, one of those in `exit_codes`."""
    as_json = "--json" in arguments
    on_stderr = logging.StreamHandler(sys.stderr)
    on_stderr.setLevel(logging.WARNING)  # the rest goes to the log of the result folder
    logging.basicConfig(format="%(message)s", handlers=[on_stderr])
    try:
        return _run(arguments)
    except SystemExit as stop:  # of argparse: 0 after --help, 2 on wrong usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except LsrmError as error:
        return print_error(error, as_json=as_json)
    except KeyboardInterrupt:
        return print_error(
            Cancelled("Interrupted.", "Run it again when you are ready."), as_json=as_json
        )
    except Exception as error:  # noqa: BLE001 - reported with a code, like any other
        expected = as_lsrm_error(error)
        if not isinstance(expected, OutOfMemory):
            traceback.print_exc(file=sys.stderr)
        return print_error(expected, as_json=as_json)


def check_usage(arguments: list[str]) -> None:
    """Print help, or what is wrong with a command line; return if there is nothing to print.

    Raises:
        SystemExit: with code 0 after help, 2 after wrong usage.
        EnvironmentBroken: if the command needs a clone of the repository.
    """
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        say(_help())
        raise SystemExit(DONE if arguments else USAGE)
    if name not in COMMANDS:
        say(f"There is no command {name!r}.\n\n{_help()}")
        raise SystemExit(USAGE)
    if name != "test":
        _parse(name, COMMANDS[name].load(), rest)
    elif rest in (["-h"], ["--help"]):  # pytest's own help would need the environment
        say(f"usage: {PROGRAM} test [ARGUMENT …]    (all arguments go to pytest)")
        raise SystemExit(DONE)


def _run(arguments: list[str]) -> int:
    check_usage(arguments)
    name, *rest = arguments
    module = COMMANDS[name].load()
    result = module.run(_parse(name, module, rest))
    if isinstance(result, int):
        return result
    print_json(result)
    return DONE


def _parse(name: str, module: ModuleType, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=COMMANDS[name].summary,
        conflict_handler="resolve",  # a command may describe its own --json
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    module.add_arguments(parser)
    return parser.parse_args(arguments)


def _help() -> str:
    lines = [f"usage: {PROGRAM} COMMAND …    ({PROGRAM} COMMAND --help for more)", ""]
    lines += [f"  {name:<20}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
