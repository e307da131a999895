# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `demo`: the whole path from capture to relit result, as a series of commands."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..result.report import versions
from ..shared.errors import OutputNotWritable
from ..shared.terminal import print_json, say
from ..shared.virtual_environments import backend_command, blender_command, child_variables

if TYPE_CHECKING:
    import argparse

LIGHTS = ("sunset", "studio")  # two of the studio lights that come with Blender
COMPARED = LIGHTS[1]  # in which the object itself is rendered, too
TEST_VIEWS = 4
SIDE_VIEW = 2  # of the test views: it looks from the side
FILES = {
    "comparison.png": "an input view and the result; both in another light, from a new camera",
    "mesh.glb": "the result, for any program that reads glTF",
    "scene.blend": "the scene of the original with the result instead of it: open it in Blender",
    "relit": "the result in two environments",
    "asset.blend": "the object itself",
    "capture": "the input views, and the held-out views of the evaluation",
    "result": "mesh, textures, report and log of the reconstruction",
    "report.json": "seconds, scores, versions",
}


@dataclass(frozen=True)
class Step:
    """One command of the demo.

    Attributes:
        name: for the user.
        command: line that runs it.
    """

    name: str
    command: list[str]


class StepError(Exception):
    """A step ended with an error, which it has printed itself.

    Attributes:
        code: its exit code.
        output: what it printed on stdout.
    """

    def __init__(self, code: int, output: str) -> None:
        super().__init__(code)
        self.code = code
        self.output = output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `demo`."""
    parser.add_argument("asset", nargs="?", type=Path, help="a 3D file (default: one made by LSRM)")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the results")
    parser.add_argument("--blender", metavar="PATH", help="a Blender to use instead of the module")


def run(arguments: argparse.Namespace) -> int:
    """Run all steps, then write the picture and the report; returns the code of a failed step."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which ends the running step too
    folder = _make_folder(arguments.out)
    start = time.perf_counter()
    try:
        results, seconds = _run_steps(steps(folder, arguments.asset))
    except StepError as failure:
        if arguments.json:
            sys.stdout.write(failure.output)
        return failure.code
    own_asset = arguments.asset is None
    shutil.copyfile(folder / "result" / "mesh.glb", folder / "mesh.glb")
    _compare(folder)
    report = {
        "seconds": round(time.perf_counter() - start, 1),
        "steps": seconds,
        "evaluation": results["evaluate"],
        "versions": versions(),
        "files": {name: FILES[name] for name in FILES if name != "asset.blend" or own_asset},
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if arguments.json:
        print_json(report)
    _print_summary(folder, report)
    return 0


def steps(folder: Path, asset: Path | None) -> list[Step]:
    """The commands of the demo, in order.

    Args:
        folder: of all outputs.
        asset: a 3D file; None to make one.
    """
    views, result = str(folder / "capture"), str(folder / "result")
    path = str(asset or folder / "asset.blend")
    make_asset = [] if asset else [Step("asset", blender_command("demo-asset", "-o", path))]
    capture = ["capture", path, "-o", views, "--test-views", str(TEST_VIEWS), "--relight", COMPARED]
    scene = ["import", result, "--into", path, "-o", str(folder / "scene.blend")]
    relight = [
        "relight",
        result,
        "--environment",
        *LIGHTS,
        "--from-view",
        f"{views}/test:{SIDE_VIEW}",
        "--hidden",
    ]
    return [
        *make_asset,
        Step("capture", blender_command(*capture)),
        Step("reconstruct", backend_command("reconstruct", views, "-o", result)),
        Step("import", blender_command(*scene)),
        Step("relight", blender_command(*relight, "-o", str(folder / "relit"))),
        Step("evaluate", blender_command("evaluate", views, result)),
    ]


def _run_steps(todo: list[Step]) -> tuple[dict[str, Any], dict[str, float]]:
    """Run the steps in order; the JSON result and the seconds of each, by name."""
    results, seconds = {}, {}
    for number, step in enumerate(todo, start=1):
        say(f"\n{number}/{len(todo)} {step.name}: {_as_typed(step.command)}")
        start = time.perf_counter()
        results[step.name] = _run_step([*step.command, "--json"])
        seconds[step.name] = round(time.perf_counter() - start, 1)
    return results, seconds


def _run_step(command: list[str]) -> Any:
    """The JSON result of a command; its messages and progress go to stderr.

    Raises:
        StepError: if it ends with another code than 0.
    """
    process = subprocess.Popen(command, env=child_variables(), stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if process.returncode:
        raise StepError(process.returncode, output)
    return json.loads(output)


def _make_folder(folder: Path) -> Path:
    """Create the output folder.

    Raises:
        OutputNotWritable: if that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(
            f"{folder} cannot be created: {error.strerror}.", "Choose another folder with --out."
        ) from error
    return folder


def _print_summary(folder: Path, report: dict[str, Any]) -> None:
    mean = report["evaluation"]["mean"]
    quality = f"{mean['psnr']:.1f} dB and IoU {mean['iou']:.3f} from held-out cameras"
    say(f"\nDone in {report['seconds']:.0f} s: {quality}. In {folder}:")
    say("\n".join(f"  {name:<16}{what}" for name, what in report["files"].items()))


def _as_typed(command: list[str]) -> str:
    """A command line as a user would type it, without the path of the interpreter."""
    return "python3 " + shlex.join(command[command.index("-m") :])


def _compare(folder: Path) -> None:
    """Write comparison.png: the first view and the result; both from a new camera, relit."""
    from ..shared.capture.capture import relit_folder
    from .side_by_side import side_by_side

    views = folder / "capture"
    relit = relit_folder(views / "test", COMPARED) / f"{SIDE_VIEW:04d}.png"
    side_by_side(
        {
            "input view": (views / "images" / "0000.png", views / "masks" / "0000.png"),
            "result, same camera": (folder / "result" / "preview.png", None),
            f"object under {COMPARED}": (relit, None),
            f"result under {COMPARED}": (folder / "relit" / f"{COMPARED}.png", None),
        },
        folder / "comparison.png",
    )
