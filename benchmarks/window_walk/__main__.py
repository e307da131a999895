# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk through LSRM in a real Blender, on a virtual display.

    python3 -m benchmarks.window_walk -o FOLDER

The extension is built from this repository and installed from disk into a Blender of its own, with
its own home folder. Then buttons are clicked and names are typed. FOLDER gets a screenshot of every
state, `walk.json` with the longest stall of the main thread in each, and `stalls.txt` with the
Python functions that ran in stalls over the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from backend.shared.exit_codes import ENVIRONMENT, FAILED
from backend.shared.terminal import say
from backend.shared.virtual_environments import ROOT, backend_environment

from .display import FRAMEBUFFER, NoDisplay, read_screenshot, virtual_display
from .empty_wheels import write_wheels
from .in_blender.stalls import LIMIT

WIDTH, HEIGHT = 1500, 1400
"""Of the window in pixels: high enough for the whole panel."""

SECONDS = 7200.0
"""After which the walk is ended."""

WHEELS = "wheels"
"""The folder of what stands for the download of the backend."""

AFTERWARDS = 15.0
"""Seconds within which all child processes must have ended with Blender."""


def main() -> int:
    """Walk, and print what was found; returns the exit code."""
    options = _parser().parse_args()
    blender = shutil.which(options.blender)
    if blender is None:
        say(f"Skipped: there is no {options.blender} on this machine.")
        return ENVIRONMENT
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="lsrm-walk-") as home,
            virtual_display(WIDTH, HEIGHT, Path(home)) as display,
        ):
            return _walk(blender, Path(home), display, options)
    except NoDisplay as error:
        say(f"Skipped: {error}")
        return ENVIRONMENT


def _parser() -> argparse.ArgumentParser:
    """The options."""
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.window_walk", description=summary)
    parser.add_argument("-o", "--output", type=Path, required=True, help="of the screenshots")
    parser.add_argument("--blender", default="blender", help="with a window, 4.2 or later")
    parser.add_argument(
        "--backend-python", type=Path, default=ROOT / ".venv" / "backend" / "bin" / "python"
    )
    parser.add_argument("--quality", choices=["small", "draft", "normal"], default="small")
    parser.add_argument("--until", default="", metavar="STATE", help="the last state to walk to")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="STATE", help="go from the demo object to these"
    )
    parser.add_argument("--photographs", type=Path, help="posed photographs to check at the end")
    parser.add_argument("--release", type=Path, help="weights in the layout of the release to add")
    parser.add_argument("--dinov3", type=Path, help="the weights of their image features")
    return parser


def _walk(blender: str, home: Path, display: str, options: argparse.Namespace) -> int:
    """Build the extension, run Blender, and judge."""
    report = options.output.absolute() / "walk.json"
    report.unlink(missing_ok=True)
    (home / "Documents").mkdir()
    write_wheels(backend_environment().requirements, home / WHEELS)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "BLENDER_USER_RESOURCES": str(home / "user"),
        "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "LANG": "C.UTF-8",
        "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(home / WHEELS),
        **{name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ},
    }  # fmt: skip
    choices = {
        "extension": str(_built(blender, home, environment)),
        "python": str(options.backend_python.absolute()),
        "output": str(home / "Documents" / "LSRM"),
        "pictures": str(options.output.absolute()),
        "framebuffer": str(home / FRAMEBUFFER),
        "report": str(report),
        "stalls": str(options.output.absolute() / "stalls.txt"),
        "quality": options.quality,
        "until": options.until,
        "only": options.only,
        **{
            name: str(path.absolute()) if (path := getattr(options, name)) else ""
            for name in ("photographs", "release", "dinov3")
        },
    }
    (home / "options.json").write_text(json.dumps(choices), "utf-8")
    command = [blender, "--enable-event-simulate", "-p", "0", "0", str(WIDTH), str(HEIGHT)]
    command += ["--python", str(Path(__file__).with_name("walk.py")), "--"]
    command += [str(ROOT), str(home / "options.json")]
    with (options.output / "log.txt").open("w") as log:
        done = subprocess.run(
            command, env=environment, stdout=log, stderr=log, timeout=SECONDS, check=False
        )
    for shot in options.output.glob("*.xwd"):
        read_screenshot(shot).save(shot.with_suffix(".png"))
        shot.unlink()
    found = json.loads(report.read_text("utf-8")) if report.is_file() else {"states": []}
    found |= {"exit_code": done.returncode, "left_behind": _left_behind(home)}
    report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return _print_table(found)


def _built(blender: str, home: Path, environment: dict[str, str]) -> Path:
    """The zip of the extension."""
    command = [blender, "--background", "--command", "extension", "build"]
    command += ["--source-dir", str(ROOT), "--output-dir", str(home)]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return next(home.glob("*.zip"))


def _left_behind(home: Path) -> list[str]:
    """The processes of the walk that are still there: command lines."""
    end = time.monotonic() + AFTERWARDS
    while (found := _processes_of(home)) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def _processes_of(home: Path) -> list[str]:
    """Running processes that have a home folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended, or belongs to another user
    return found


def _print_table(found: dict[str, Any]) -> int:
    """Print a table of the states; returns the exit code."""
    say(f"{'state':24}{'seconds':>9}{'stall':>8}{'of it computing':>17}  screenshot")
    for state in found["states"]:
        stall, cpu = state.get("stall", 0.0), state.get("stall_cpu", 0.0)
        shown = f"{state['state']}.png{' (over the limit)' if stall > LIMIT else ''}"
        say(f"{state['state']:24}{state['seconds']:>9.1f}{stall:>8.2f}{cpu:>17.2f}  {shown}")
        if state["error"]:
            say(f"  {state['error']}")
    failed = not found["states"] or any(state["error"] for state in found["states"])
    if found["left_behind"]:
        say(f"Processes that did not end with Blender: {found['left_behind']}")
    return FAILED if failed or found["exit_code"] or found["left_behind"] else 0


if __name__ == "__main__":
    sys.exit(main())
