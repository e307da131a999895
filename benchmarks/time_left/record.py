# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the progress of jobs of the panel: some that teach the costs of a computer, and ten more.

Run in Blender's Python: `.venv/blender/bin/python benchmarks/time_left/record.py RECORDING.json`,
with LSRM_BACKEND set to the Python of the backend.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RecordedJob:
    """The settings of a job.

    Attributes:
        mesh: the operator of Blender that adds the object.
        views: their number.
        size: of a view, in pixels.
        samples: paths per pixel.
        refine: "off" or "auto".
        faces: of the mesh, about.
    """

    mesh: str
    views: int
    size: int
    samples: int
    refine: str = "off"
    faces: int = 2000


TEACHING = (
    RecordedJob("cube_add", 10, 64, 8),
    RecordedJob("monkey_add", 8, 96, 4, "auto"),
    RecordedJob("torus_add", 6, 96, 8, "off", 4000),
    RecordedJob("cube_add", 12, 64, 2, "auto"),
)
"""Jobs before which nothing is known of the computer."""

JOBS = (
    RecordedJob("monkey_add", 8, 64, 4),
    RecordedJob("torus_add", 12, 64, 8),
    RecordedJob("cube_add", 6, 96, 2),
    RecordedJob("monkey_add", 4, 96, 16),
    RecordedJob("monkey_add", 12, 96, 16),
    RecordedJob("cube_add", 8, 64, 4, "auto"),
    RecordedJob("torus_add", 8, 96, 2, "auto"),
    RecordedJob("monkey_add", 12, 64, 4, "off", 8000),
    RecordedJob("torus_add", 4, 64, 2),
    RecordedJob("monkey_add", 12, 96, 8, "auto"),
)
INTERVAL = 0.1
"""Seconds between two looks at the progress, as in the panel."""


def record(job: RecordedJob, package: str, folder: Path) -> dict[str, Any]:
    """Run one job as the button does; returns its settings, changes of the progress and the end."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    getattr(bpy.ops.mesh, f"primitive_{job.mesh}")()
    modules = {
        name: importlib.import_module(f"{package}.lsrm_blender.{name}")
        for name in ("ui.session_timer", "ui.tasks", "scene.assets.targets")
    }
    settings = bpy.context.scene.lsrm
    settings.view_count, settings.view_size, settings.samples = job.views, job.size, job.samples
    settings.refine, settings.faces, settings.texture_size = job.refine, job.faces, "256"
    targets = modules["scene.assets.targets"].make_targets([bpy.context.object], None, each=False)
    session = modules["ui.session_timer"].SESSION
    session.start(
        modules["ui.tasks"].reconstruct_objects(bpy.context.scene, targets, folder, "cpu")
    )
    begin = time.monotonic()
    events: list[list[Any]] = []
    while session.state.running:
        session.pump()
        state = session.state
        event = [state.step, state.stage, round(state.fraction, 4)]
        if not events or events[-1][1:] != event:
            events.append([round(time.monotonic() - begin, 2), *event])
        time.sleep(INTERVAL)
    if session.state.error:
        raise SystemExit(str(session.state.error))
    return {
        "views": job.views,
        "size": job.size,
        "samples": job.samples,
        "refine": job.refine,
        "faces": job.faces,
        "events": events,
        "seconds": round(time.monotonic() - begin, 2),
    }


def main(output: Path) -> None:
    """Record all jobs, one after the other in one session."""
    spec = importlib.util.spec_from_file_location(
        "lsrm", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{ROOT} is no clone of LSRM.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["lsrm"] = package
    spec.loader.exec_module(package)
    package.register()
    recorded = []
    with tempfile.TemporaryDirectory() as folder:
        for job in (*TEACHING, *JOBS):
            recorded.append(record(job, "lsrm", Path(folder)))
            print(job, recorded[-1]["seconds"], flush=True)
            output.write_text(json.dumps(recorded, indent=0), "utf-8")
    package.unregister()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # bpy crashes in its own end on some systems
