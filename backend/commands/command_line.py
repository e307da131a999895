# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `python3 -m backend`: how they are called, what they return, how they fail.

Each command is a module with `add_arguments(parser)` and `run(arguments)`, imported only when it
is asked for. `run` returns either its answer, which is printed as JSON, or an exit code.
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
from ..shared.terminal import fail, print_json, say

if TYPE_CHECKING:
    from types import ModuleType

PROGRAM = "python3 -m backend"


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: what it does, for `--help`.
        module: what runs it; relative to this package, or absolute in a clone of the repository.
            None for `test`, which `backend/__main__.py` hands to pytest.
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
    "demo": Command("from nothing to pictures: capture, reconstruct, import, relight", ".demo"),
    "test": Command("run the test suite; takes pytest's arguments", None),
    "doctor": Command("check the installation, each finding with a remedy", ".doctor"),
    "reconstruct": Command("posed views to a textured mesh", ".reconstruct"),
    "metrics": Command("score renders, and a mesh, against the truth", ".metrics"),
    "convert-checkpoint": Command("released weights to safetensors", ".convert_checkpoint"),
    "serve": Command("jobs by JSON-RPC on stdin and stdout, for the panel in Blender", ".serve"),
    "parity": Command(
        "compare the model with stored numbers, tensor by tensor", "benchmarks.parity.parity"
    ),
    "bench": Command(
        "time the kernels on the routing of a real object", "benchmarks.kernels.bench"
    ),
}


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code.

    0 done, 1 failed or some items failed, 2 wrong usage, 3 broken environment, 130 interrupted.
    """
    as_json = "--json" in arguments
    words = logging.StreamHandler(sys.stderr)
    words.setLevel(logging.WARNING)  # the rest is for the log of the result folder
    logging.basicConfig(format="%(message)s", handlers=[words])
    try:
        return _run(arguments)
    except SystemExit as stop:  # of argparse: 0 after --help, 2 on wrong usage
        return stop.code if isinstance(stop.code, int) else USAGE
    except LsrmError as error:
        return fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return fail(Cancelled("Interrupted.", "Run it again when you are ready."), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - told with its code, like any other
        told = as_lsrm_error(error)
        if not isinstance(told, OutOfMemory):
            traceback.print_exc(file=sys.stderr)
        return fail(told, as_json=as_json)


def check_usage(arguments: list[str]) -> None:
    """Answer a request for help or a wrong usage, which needs no environment.

    Raises:
        SystemExit: with the exit code, if there is nothing to run.
        ModuleNotFoundError: if the command cannot be imported here.
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


def _run(arguments: list[str]) -> int:
    check_usage(arguments)
    name, *rest = arguments
    module = COMMANDS[name].load()
    answer = module.run(_parse(name, module, rest))
    if isinstance(answer, int):
        return answer
    print_json(answer)
    return DONE


def _parse(name: str, module: ModuleType, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=COMMANDS[name].summary,
        conflict_handler="resolve",  # a command may describe its own --json
    )
    parser.add_argument("--json", action="store_true", help="answer with one JSON document")
    module.add_arguments(parser)
    return parser.parse_args(words)


def _help() -> str:
    lines = [f"usage: {PROGRAM} COMMAND …    ({PROGRAM} COMMAND --help tells more)", ""]
    lines += [f"  {name:<20}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
