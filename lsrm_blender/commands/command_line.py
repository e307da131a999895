# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of `python3 -m lsrm_blender ...` and `blender --command lsrm ...`.

It imports the standard library alone: help and wrong usage are answered where no Blender is
installed. What the commands do is in `command_handlers`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backend.shared.errors import Cancelled, LsrmError
from ...backend.shared.exit_codes import DONE, INTERRUPTED, USAGE, exit_code
from ...backend.shared.progress import Progress
from ...backend.shared.terminal import field_of_view, positive_integer, say
from ..capture_choices import SOFT_BOXES
from ..jobs.job_files.progress_lines import OpenJdProgress, print_progress
from .convert_options import add_convert, add_render_dataset, check_convert
from .view_options import add_rendering, add_view_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...backend.shared.progress import ProgressListener


def main(argv: list[str]) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage, 3 environment, 4 run again, 130 interrupted.
    """
    try:
        arguments = parse(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    if arguments.handler == "serve":  # stdout is a pipe to the parent then
        from .serve import serve

        return serve()
    with (
        quiet_blender(verbose=arguments.verbose) as write,
        cancelled_by_signals(_listener(arguments, write)) as progress,
    ):
        try:
            from . import command_handlers  # here and not above: it needs bpy

            result = getattr(command_handlers, arguments.handler)(arguments, progress)
        except (Cancelled, KeyboardInterrupt):
            say("Stopped.")
            return INTERRUPTED
        except LsrmError as error:
            say(str(error))
            result = {"error": error.to_dict(), "exit_code": exit_code(error)}
        if arguments.json:
            write(json.dumps(result, indent=1, ensure_ascii=False, default=str) + "\n")
        return int(result.get("exit_code", DONE))


def _listener(arguments: argparse.Namespace, write: Callable[[str], None]) -> ProgressListener:
    """What receives the progress of a command."""
    if getattr(arguments, "progress", "text") == "openjd":
        return OpenJdProgress(write, print_progress)
    return print_progress


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse the arguments after the program's name.

    Raises:
        SystemExit: with code 0 after help, 2 after a wrong usage.
    """
    program = parser()
    if not argv:
        program.print_help(sys.stderr)
        raise SystemExit(USAGE)
    arguments = program.parse_args(argv)
    of_test_views = arguments.handler == "capture" and (arguments.relight or arguments.passes)
    if of_test_views and not arguments.test_views:
        program.error("--relight and --passes need test views: add --test-views 8, for example")
    if arguments.handler == "relight":
        _check_relight_options(program, arguments)
    if arguments.handler == "convert":
        check_convert(program, arguments)
    if arguments.handler == "evaluate" and arguments.environment and arguments.shading != "lit":
        program.error("--environment needs a lit result: add --shading lit")
    if arguments.handler == "evaluate" and arguments.flip and arguments.shading == "passes":
        program.error("--flip compares images; passes have none")
    return arguments


def _check_relight_options(program: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with wrong usage if options of `relight` are missing or do not go together."""
    if not arguments.environment and arguments.environment_folder is None:
        program.error("relight needs --environment HDRI, or --environment-folder DIR")
    if arguments.video and not arguments.turntable:
        program.error("--video needs frames: add --turntable 48, for example")
    if arguments.video and arguments.hidden:
        program.error("--video has no transparency: leave out --hidden")


@contextmanager
def cancelled_by_signals(listener: ProgressListener) -> Iterator[Progress]:
    """Progress that SIGINT and SIGTERM cancel.

    While Blender renders, its engine would print a KeyboardInterrupt and continue; a cancelled
    progress stops the work before the next view.
    """
    progress = Progress(listener)
    stops = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(stop, lambda *_: progress.cancel()) for stop in stops]
    try:
        yield progress
    finally:
        for stop, handler in zip(stops, before, strict=True):
            # None: a whole Blender had set a handler that Python cannot set again.
            signal.signal(stop, signal.SIG_DFL if handler is None else handler)


@contextmanager
def quiet_blender(*, verbose: bool) -> Iterator[Callable[[str], None]]:
    """Keep stdout for what programs read: Blender prints to file descriptor 1, too.

    Yields:
        A function that writes text to the real stdout.
    """
    sys.stdout.flush()
    real = os.dup(1)
    replacement = os.dup(2) if verbose else os.open(os.devnull, os.O_WRONLY)
    os.dup2(replacement, 1)
    os.close(replacement)

    def write(text: str) -> None:
        with os.fdopen(os.dup(real), "w", encoding="utf-8") as stream:
            stream.write(text)

    try:
        yield write
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
    _add_import(commands)
    _add_relight(commands)
    _add_evaluate(commands)
    _add_render_views(commands)
    asset = _add_command(commands, "demo-asset", "Make the object that the demo shows.")
    asset.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.blend")
    add_convert(_add_command(commands, "convert", "Assets to results, many at once."))
    dataset = _add_command(commands, "render-dataset", "Assets to a data set for training.")
    add_render_dataset(dataset)
    _add_command(commands, "doctor", "Check what this Blender can do.")
    _add_command(commands, "serve", "Serve capture requests of the parent process on stdin.")
    return program


def _add_command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(handler=name.replace("-", "_").replace("import", "import_"))
    command.add_argument("--json", action="store_true", help="one JSON document on stdout")
    command.add_argument("--verbose", action="store_true", help="show Blender's output, on stderr")
    return command


def _add_capture(commands: Any) -> None:
    command = _add_command(commands, "capture", "Render views of an asset from all around.")
    add = command.add_argument
    add("asset", type=Path)
    add("-o", "--output", type=Path, required=True, metavar="VIEWS")
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--object", metavar="NAME", help="this object and its children only")
    chosen.add_argument("--collection", metavar="NAME", help="this collection only")
    add("--up-axis", choices=("auto", "Y", "Z"), default="auto", help="of .obj .ply .stl files")
    add("--normalize", action="store_true", help="write poses for radius 0.5 at the origin")
    add_view_options(command)
    add("--test-views", type=int, default=0, metavar="N", help="held-out views for evaluation")
    add("--field-of-view", type=field_of_view, default=40.0, metavar="DEGREES")
    add("--distance", type=float, metavar="RADII", help="default: the object fills the frame")
    add("--environment-strength", type=float, default=1.0)
    add("--environment-rotation", type=float, default=0.0, metavar="DEGREES")
    add("--environment-size", type=positive_integer, default=1024, help="width of environment.hdr")
    add("--relight", nargs="+", default=[], metavar="HDRI", help="other lights for test views")
    add("--passes", action="store_true", help="store the materials of the test views")
    add_rendering(command, samples=32)


def _add_import(commands: Any) -> None:
    command = _add_command(
        commands, "import", "Put a result, or the cameras of views, into a scene."
    )
    add = command.add_argument
    add("result", type=Path, help="a result, a capture folder, or a transforms.json")
    add("-o", "--output", type=Path, required=True, metavar="SCENE.blend")
    add("--into", type=Path, metavar="SCENE.blend", help="default: an empty scene")
    add("--views", type=Path, help="the capture it was made from; default: from its report")
    add(
        "--textures-as-files",
        action="store_true",
        help="leave the textures beside the result instead of packing them into the .blend",
    )


def _add_relight(commands: Any) -> None:
    command = _add_command(commands, "relight", "Render a result under other lights.")
    add = command.add_argument
    add("result", type=Path)
    add("--environment", nargs="+", default=[], metavar="HDRI|NAME", help=f"also {SOFT_BOXES}")
    add("--environment-folder", type=Path, metavar="DIR", help="all its HDR images")
    add("-o", "--output", type=Path, required=True, metavar="DIR")
    add("--rotation", type=float, default=0.0, metavar="DEGREES")
    add("--strength", type=float, default=1.0)
    seen = command.add_mutually_exclusive_group()
    seen.add_argument("--visible", action="store_true", help="show the environment (default)")
    seen.add_argument("--hidden", action="store_true", help="transparent background")
    add("--turntable", type=int, default=0, metavar="FRAMES")
    add("--video", action="store_true", help="of every turntable, beside its frames")
    add("--sheet", action="store_true", help="all lights on one picture, with their names")
    add("--size", type=positive_integer, default=512)
    add("--from-view", metavar="VIEWS:INDEX", help="the camera of a capture")
    add("--scene", type=Path, metavar="SCENE.blend", help="render the result in this scene")
    add("--save", type=Path, metavar="SCENE.blend", help="store the scene, lit by the last light")
    add("--lamps-off", action="store_true", help="of --scene: light it by the environment alone")
    add_rendering(command, samples=64)


def _add_evaluate(commands: Any) -> None:
    command = _add_command(commands, "evaluate", "Score a result on the held-out views.")
    add = command.add_argument
    add("views", type=Path)
    add("result", type=Path, help="a result folder, or any 3D file in the capture's coordinates")
    add(
        "--shading",
        choices=("auto", "unlit", "lit", "passes"),
        default="auto",
        help="auto: materials under the light of the capture, colors unlit; "
        "passes: materials and normals",
    )
    add(
        "--environment",
        metavar="HDRI",
        help="of --shading lit: one that the capture was given with --relight",
    )
    add("--mesh", type=Path, metavar="FILE", help="score this mesh instead of the result's")
    add("--flip", action="store_true", help="also the FLIP error; needs flip-evaluator")
    add("--write-comparison", type=Path, metavar="FILE.png", help="true views and renders")


def _add_render_views(commands: Any) -> None:
    command = _add_command(
        commands, "render-views", "Render a result from the cameras of views, in linear light."
    )
    add = command.add_argument
    add("result", type=Path, help="a result folder, or any 3D file in the coordinates of the views")
    add("cameras", type=Path, help="a folder with transforms.json, and lights.json if they are lit")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="of the OpenEXR images")
    add("--size", type=positive_integer, help="longest side in pixels; default: that of the views")
    add_rendering(command, samples=32)
