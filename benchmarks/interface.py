# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The longest stalls of Blender's interface during a job: a startup script for a window.

    blender --factory-startup --python benchmarks/interface.py -- LSRM.zip BACKEND_PYTHON OUT.json

The job has the default settings. A timer runs twenty times a second and records its longest delays
by activity; for comparison also that of an equal mesh which does not come from LSRM.
Blender quits at the end, also after a failure, which the output then holds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Generator

INTERVAL = 0.05
REST = 3.0
"""Seconds without any request, before and after the job."""

LIMIT = 0.3
"""Seconds that the interface may stall while a job runs."""

TIMEOUT = 1800.0
"""Seconds after which the job has failed."""

EXTENSION = "bl_ext.user_default.lsrm"


@dataclass
class DelayTimer:
    """A timer that records its longest intervals.

    Attributes:
        activity: what currently happens.
        gaps: the longest interval in seconds, by activity.
        last: the time of the last call.
        faces: of the result.
        error: of the job, if it failed.
    """

    activity: str = "start"
    gaps: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)
    faces: int = 0
    error: str = ""

    def tick(self) -> float:
        """The callback of Blender's timer, which returns its next interval."""
        now = time.perf_counter()
        self.gaps[self.activity] = max(self.gaps.get(self.activity, 0.0), now - self.last)
        self.last = now
        run = getattr(bpy.context.window_manager, "lsrm", None)
        if run is not None and run.running:
            self.activity = f"job: {run.step}, {run.stage}"
        return INTERVAL


def work(timer: DelayTimer, extension: str, python: str) -> Generator[float, None, None]:
    """The measured activities; yields the seconds to wait before the next one.

    Raises:
        RuntimeError: if the job fails, or takes too long.
    """
    bpy.context.preferences.view.show_splash = False
    bpy.ops.extensions.package_install_files(
        filepath=extension, repo="user_default", enable_on_install=True
    )
    bpy.context.preferences.addons[EXTENSION].preferences.backend_python = python
    timer.activity = "rest before"
    yield REST
    bpy.context.scene.lsrm.output_folder = tempfile.mkdtemp(prefix="lsrm-interface-")
    timer.activity, deadline = "job: begin", time.monotonic() + TIMEOUT
    bpy.ops.lsrm.reconstruct("INVOKE_DEFAULT")
    run = bpy.context.window_manager.lsrm
    while run.running and time.monotonic() < deadline:
        yield INTERVAL
    made = next((each for each in bpy.data.objects if "lsrm_report" in each), None)
    if run.running or made is None:
        raise RuntimeError(f"No result: {run.error_code} {run.error_message or run.step}")
    timer.activity = "first drawing of the result"
    yield REST
    timer.faces = len(made.data.polygons)
    twin = bpy.data.objects.new("Twin", made.data.copy())
    timer.activity = "first drawing of an equal mesh"
    bpy.context.scene.collection.objects.link(twin)
    yield REST


def main() -> None:
    """Start once the window is open; write the measurements and quit at the end."""
    extension, python, out = sys.argv[sys.argv.index("--") + 1 :]
    timer = DelayTimer()
    steps = work(timer, extension, python)

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - Blender must quit after any error
            timer.error = f"{type(error).__name__}: {error}"
        try:
            _write(timer, Path(out))
        finally:
            bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(timer.tick, persistent=True)
    bpy.app.timers.register(step, first_interval=REST, persistent=True)


def _write(timer: DelayTimer, out: Path) -> None:
    """Store the longest stalls, in milliseconds; those of the job are compared with the limit."""
    during = [gap for activity, gap in timer.gaps.items() if activity.startswith("job")]
    worst = max(during, default=0.0)
    found = {
        "error": timer.error,
        "longest_stall_of_the_job_ms": round(1000 * worst),
        "within_limit": not timer.error and worst <= LIMIT,
        "longest_stalls_ms": {activity: round(1000 * gap) for activity, gap in timer.gaps.items()},
        "faces": timer.faces,
        "blender": bpy.app.version_string,
    }
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


main()
