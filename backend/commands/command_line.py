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

from ..shared.errors import Cancelled, LsrmError, OutOfMemory, explained
from ..shared.exit_codes import DONE, USAGE, exit_code
from ..shared.terminal import print_json, say

PROGRAM = "python3 -m backend"


@dataclass(frozen=True)
class Command:
    """A command: what it does, and the module that does it, once there is one."""

    does: str
    module: str = ""


COMMANDS = {
    "demo": Command("from nothing to pictures: capture, reconstruct, import, relight", "demo"),
    "test": Command("run the test suite; takes pytest's arguments"),
    "doctor": Command("check the installation, each finding with a remedy", "doctor"),
    "reconstruct": Command("posed views to a textured mesh", "reconstruct_command"),
    "metrics": Command("score renders, and a mesh, against the truth", "metrics"),
    "convert-checkpoint": Command("released weights to safetensors", "convert_checkpoint"),
    "parity": Command("compare the model with stored numbers, tensor by tensor", "parity"),
    "serve": Command("jobs by JSON-RPC on stdin and stdout, for the panel in Blender", "serve"),
    "bench": Command("time the kernels on the routing of a real object", "bench"),
    "benchmark": Command("the protocols of the paper (to come)"),
    "train": Command("train a checkpoint (to come)"),
    "render-dataset": Command("render training data (to come)"),
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
    except LsrmError as error:
        return fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return fail(Cancelled("Interrupted.", "Run it again when you are ready."), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - told with its code, like any other
        told = explained(error)
        if not isinstance(told, OutOfMemory):
            traceback.print_exc(file=sys.stderr)
        return fail(told, as_json=as_json)


def fail(error: LsrmError, *, as_json: bool) -> int:
    """Tell a failure to people and, on request, to programs; returns its exit code."""
    say(f"{error.code}: {error.message}\n{error.remedy}")
    if as_json:
        print_json({"error": error.to_dict()})
    return exit_code(error)


def _run(arguments: list[str]) -> int:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        say(_help())
        return DONE if arguments else USAGE
    if name not in COMMANDS:
        say(f"There is no command {name!r}.\n\n{_help()}")
        return USAGE
    command = COMMANDS[name]
    if not command.module:
        say(f"{PROGRAM} {name} is not built yet: {command.does}.")
        return USAGE
    module = importlib.import_module(f".{command.module}", __package__)
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=command.does,
        conflict_handler="resolve",  # a command may describe its own --json
    )
    parser.add_argument("--json", action="store_true", help="answer with one JSON document")
    module.add_arguments(parser)
    answer = module.run(parser.parse_args(rest))
    if isinstance(answer, int):
        return answer
    print_json(answer)
    return DONE


def _help() -> str:
    lines = [f"usage: {PROGRAM} COMMAND …    ({PROGRAM} COMMAND --help tells more)", ""]
    lines += [f"  {name:<20}{command.does}" for name, command in COMMANDS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
