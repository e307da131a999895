# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk: a startup script of Blender, which goes through all states, writes a report and quits.

Its arguments are the folder of this repository and a JSON file with the options.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

ROOT, OPTIONS = sys.argv[sys.argv.index("--") + 1 :]
sys.path.insert(0, ROOT)  # Blender starts a script without its package

from benchmarks.window_walk.in_blender.stalls import StallTimer  # noqa: E402
from benchmarks.window_walk.in_blender.walk_tools import Walk  # noqa: E402
from benchmarks.window_walk.states import states_of  # noqa: E402

if TYPE_CHECKING:
    from benchmarks.window_walk.in_blender.window import Steps

FIRST = 3.0
"""Seconds after which the window has been drawn."""


def main() -> None:
    """Start once the window is open; write the report and quit at the end."""
    options = json.loads(Path(OPTIONS).read_text("utf-8"))
    bpy.context.preferences.view.show_splash = False
    trace = Path(options["stalls"]).open("w")  # noqa: SIM115 - it is written until Blender quits
    timer = StallTimer(trace=trace)
    walk = Walk(options, timer)
    steps = _walk(walk)

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            pass
        except Exception:  # noqa: BLE001 - Blender must quit after any error
            traceback.print_exc()
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(timer.tick, persistent=True)
    bpy.app.timers.register(step, first_interval=FIRST, persistent=True)


def _walk(walk: Walk) -> Steps:
    """All states, up to the first that fails; each is written when it has ended."""
    records = []
    for name, state in states_of(walk.options):
        record: dict[str, Any] = {"state": name, "error": ""}
        begin = time.monotonic()
        walk.timer.begin(name)
        try:
            yield from state(walk)
            walk.timer.state = ""
            yield from walk.window.picture(name)
            record["sidebar"] = walk.window.sidebar()
        except Exception as error:  # noqa: BLE001 - Blender must quit after any error
            traceback.print_exc()
            record["error"] = f"{type(error).__name__}: {error}"
        walk.timer.state = ""
        stall = walk.timer.longest.get(name)
        record |= {"seconds": round(time.monotonic() - begin, 1), **walk.found}
        if stall is not None:
            record |= {"stall": round(stall.wall, 3), "stall_cpu": round(stall.cpu, 3)}
        walk.found = {}
        records.append(record)
        report = {"blender": bpy.app.version_string, "states": records}
        Path(walk.options["report"]).write_text(json.dumps(report, indent=1), "utf-8")
        if record["error"]:
            yield from walk.window.picture(f"{name}-failed")
            return


main()
