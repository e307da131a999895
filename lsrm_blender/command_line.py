# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands, as `python3 -m lsrm_blender ...` and as `blender --command lsrm ...`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backend.errors import Cancelled, EnvironmentBroken, LsrmError
from ..backend.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

DONE, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: list[str]) -> int:
    """Run one command.

    Args:
        argv: the words after the program's name.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage, 3 environment, 130 interrupted.
    """
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    with quiet_blender(verbose=arguments.verbose) as answer:
        try:
            result = arguments.run(arguments)
        except (Cancelled, KeyboardInterrupt):
            tell("Stopped.")
            return INTERRUPTED
        except LsrmError as error:
            tell(str(error))
            if arguments.json:
                answer({"error": error.to_dict()})
            return ENVIRONMENT if isinstance(error, EnvironmentBroken) else FAILED
        if arguments.json:
            answer(result)
        return int(result.get("exit_code", DONE))


def tell(text: str) -> None:
    """Say something to the person at the terminal."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def talking_progress() -> Progress:
    """Progress as lines on stderr."""
    return Progress(lambda stage, fraction, text: tell(f"{stage} {100 * fraction:3.0f} %  {text}"))


@contextmanager
def quiet_blender(*, verbose: bool) -> Iterator[Any]:
    """Keep stdout for our one JSON document: Blender prints to file descriptor 1 as it likes.

    Yields:
        A function that writes the document to the real stdout.
    """
    sys.stdout.flush()
    real = os.dup(1)
    chatter = os.dup(2) if verbose else os.open(os.devnull, os.O_WRONLY)
    os.dup2(chatter, 1)
    os.close(chatter)

    def answer(document: dict[str, Any]) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
        with os.fdopen(os.dup(real), "w", encoding="utf-8") as stream:
            stream.write(text + "\n")

    try:
        yield answer
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)


def parser() -> argparse.ArgumentParser:
    """The grammar of all commands."""
    program = argparse.ArgumentParser(
        prog="python3 -m lsrm_blender", description="LSRM's side of Blender."
    )
    commands = program.add_subparsers(metavar="COMMAND", required=True)
    _add_capture(commands)
    return program


def _add_command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    command.add_argument("--json", action="store_true", help="one JSON document on stdout")
    command.add_argument("--verbose", action="store_true", help="let Blender talk, on stderr")
    return command


def _add_capture(commands: Any) -> None:
    command = _add_command(commands, "capture", _capture, "Photograph an asset from all around.")
    add = command.add_argument
    add("asset", type=Path)
    add("-o", "--output", type=Path, required=True, metavar="VIEWS")
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--object", metavar="NAME", help="this object and its children only")
    chosen.add_argument("--collection", metavar="NAME", help="this collection only")
    add("--up-axis", choices=("auto", "Y", "Z"), default="auto", help="of .obj .ply .stl files")
    add("--normalize", action="store_true", help="write poses for radius 0.5 at the origin")
    add("--views", type=int, default=16)
    add("--test-views", type=int, default=0, metavar="N", help="held-out views for evaluation")
    add("--size", type=int, default=256, help="of the square images, in pixels")
    add("--field-of-view", type=float, default=40.0, metavar="DEGREES")
    add("--distance", type=float, metavar="RADII", help="default: the object fills the frame")
    add("--environment", metavar="HDRI|NAME", help="default: the file's own light")
    add("--environment-strength", type=float, default=1.0)
    add("--environment-rotation", type=float, default=0.0, metavar="DEGREES")
    add("--relight", nargs="+", default=[], metavar="HDRI", help="other lights for test views")
    add("--passes", action="store_true", help="store the materials of the test views")
    _add_rendering(command, samples=32)


def _add_rendering(command: argparse.ArgumentParser, samples: int) -> None:
    command.add_argument("--samples", type=int, default=samples)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--threads", type=int, default=0, help="0 takes all")


def _capture(arguments: argparse.Namespace) -> dict[str, Any]:
    from . import asset_import, capture, lighting, scene_cameras  # noqa: PLC0415  needs bpy
    from .render_settings import RenderSettings  # noqa: PLC0415

    environment = None
    if arguments.environment is not None:
        environment = lighting.Environment(
            arguments.environment, arguments.environment_strength, arguments.environment_rotation
        )
    settings = capture.CaptureSettings(
        views=arguments.views,
        test_views=arguments.test_views,
        framing=scene_cameras.Framing(arguments.size, arguments.field_of_view, arguments.distance),
        render=RenderSettings(arguments.samples, arguments.seed, threads=arguments.threads),
        environment=environment,
        relight=tuple(lighting.Environment(source) for source in arguments.relight),
        passes=arguments.passes,
        normalize=arguments.normalize,
    )
    choice = asset_import.AssetChoice(
        arguments.asset, arguments.object, arguments.collection, arguments.up_axis
    )
    objects = asset_import.open_asset(choice)
    source = {
        "file": str(arguments.asset.absolute()),
        "objects": [shown.name for shown in objects],
    }
    return capture.capture(objects, source, arguments.output, settings, talking_progress())
