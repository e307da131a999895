# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the interface stalls while LSRM works: a startup script for a Blender with a window.

    blender --factory-startup --python benchmarks/interface.py -- LSRM.zip BACKEND_PYTHON OUT.json

The job is the one of a user who presses the button and changes no setting. A timer beats twenty
times a second. What it misses is written down with what was going on, and so is how long the window
takes to draw an equal mesh that LSRM has nothing to do with. Blender is left in the end, also if
something fails; the file then says what.
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

BEAT = 0.05
REST = 3.0
"""Seconds in which nothing is asked for, before and after the work."""

LIMIT = 0.3
"""Seconds that the interface may stall while a job runs."""

PATIENCE = 1800.0
"""Seconds after which the job is given up."""

EXTENSION = "bl_ext.user_default.lsrm"


@dataclass
class Heart:
    """Beats, and notes what it was late for.

    Attributes:
        doing: what is going on.
        gaps: the longest time between two beats, for everything that went on.
        last: when it beat.
        faces: of the result.
        error: what went wrong, if anything did.
    """

    doing: str = "start"
    gaps: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)
    faces: int = 0
    error: str = ""

    def beat(self) -> float:
        """Called by Blender; tells when to call again."""
        now = time.perf_counter()
        self.gaps[self.doing] = max(self.gaps.get(self.doing, 0.0), now - self.last)
        self.last = now
        run = getattr(bpy.context.window_manager, "lsrm", None)
        if run is not None and run.running:
            self.doing = f"job: {run.step}, {run.stage}"
        return BEAT


def work(heart: Heart, extension: str, python: str) -> Generator[float, None, None]:
    """What is watched, in pieces; each yields how many seconds the next one shall wait.

    Raises:
        RuntimeError: if the job fails, or takes too long.
    """
    bpy.context.preferences.view.show_splash = False
    bpy.ops.extensions.package_install_files(
        filepath=extension, repo="user_default", enable_on_install=True
    )
    bpy.context.preferences.addons[EXTENSION].preferences.backend_python = python
    heart.doing = "rest before"
    yield REST
    bpy.context.scene.lsrm.output_folder = tempfile.mkdtemp(prefix="lsrm-interface-")
    heart.doing, deadline = "job: begin", time.monotonic() + PATIENCE
    bpy.ops.lsrm.reconstruct("INVOKE_DEFAULT")
    run = bpy.context.window_manager.lsrm
    while run.running and time.monotonic() < deadline:
        yield BEAT
    made = next((each for each in bpy.data.objects if "(LSRM)" in each.name), None)
    if run.running or made is None:
        raise RuntimeError(f"No result: {run.error_code} {run.error_message or run.step}")
    heart.doing = "first drawing of the result"
    yield REST
    heart.faces = len(made.data.polygons)
    twin = bpy.data.objects.new("Twin", made.data.copy())
    heart.doing = "first drawing of an equal mesh"
    bpy.context.scene.collection.objects.link(twin)
    yield REST


def main() -> None:
    """Begin when the window is there; write what was found and quit at the end."""
    extension, python, out = sys.argv[sys.argv.index("--") + 1 :]
    heart = Heart()
    steps = work(heart, extension, python)

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, Blender must not stay open
            heart.error = f"{type(error).__name__}: {error}"
        try:
            _write(heart, Path(out))
        finally:
            bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(heart.beat, persistent=True)
    bpy.app.timers.register(step, first_interval=REST, persistent=True)


def _write(heart: Heart, out: Path) -> None:
    """Store the longest stalls, in milliseconds; the job's own decide."""
    during = [gap for doing, gap in heart.gaps.items() if doing.startswith("job")]
    worst = max(during, default=0.0)
    found = {
        "error": heart.error,
        "longest_stall_of_the_job_ms": round(1000 * worst),
        "within_limit": not heart.error and worst <= LIMIT,
        "longest_stalls_ms": {doing: round(1000 * gap) for doing, gap in heart.gaps.items()},
        "faces": heart.faces,
        "blender": bpy.app.version_string,
    }
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


main()
