# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts in a Blender without a window that has the extension."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from backend.shared.virtual_environments import ROOT, child_variables

if TYPE_CHECKING:
    from pathlib import Path

# The beginning of every script: the extension, settings for a small job, and helpers.
BEGIN = """
import importlib, importlib.util, json, os, sys, time
from pathlib import Path
root, work = Path(sys.argv[1]), Path(sys.argv[2])
spec = importlib.util.spec_from_file_location(
    "lsrm", root / "__init__.py", submodule_search_locations=[str(root)]
)
package = importlib.util.module_from_spec(spec)
sys.modules["lsrm"] = package
spec.loader.exec_module(package)
import bpy

bpy.ops.wm.read_factory_settings()
package.register()
module_of = lambda name: importlib.import_module(f"lsrm.lsrm_blender.{name}")
timer, results = module_of("ui.session_timer"), {}
scene, settings = bpy.context.scene, bpy.context.scene.lsrm
settings.view_count, settings.view_size, settings.samples = 4, 48, 2
settings.texture_size, settings.faces, settings.refine = "256", 400, "off"
settings.output_folder = str(work / "jobs")

def seen():
    render, view = scene.render, scene.view_settings
    return [
        render.engine, render.resolution_x, render.filepath, view.view_transform,
        scene.frame_current, scene.world.name, scene.camera.name,
        sorted(each.name for each in bpy.context.selected_objects),
        bpy.context.view_layer.objects.active.name, list(scene.objects["Cube"].matrix_world[0]),
        [each.name for each in bpy.data.scenes],
    ]

def call(operator, *arguments, **properties):
    try:
        return list(operator(*arguments, **properties)) + [""]
    except RuntimeError as error:
        return ["ERROR", str(error).removeprefix("Error: ").strip()]

def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

def ticked(until, seconds=200.0):
    end, slowest = time.monotonic() + seconds, 0.0
    while not until():
        assert time.monotonic() < end, "timed out"
        start = time.monotonic()
        timer.tick()
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.01)
    return slowest

class Layout:
    # Accepts everything that a panel draws, and records texts and operators.
    texts, drawn, icons = [], [], 0
    def __getattr__(self, name):
        def draw(*arguments, **options):
            Layout.texts.append(str(options.get("text", "")))
            if name == "operator":
                assert hasattr(bpy.ops.lsrm, arguments[0].removeprefix("lsrm."))
                Layout.drawn.append(arguments[0])
            Layout.icons += name == "template_icon"
            if name == "prop":
                assert hasattr(arguments[0], arguments[1]), arguments[1]
                Layout.drawn.append(arguments[1])
            return Layout()
        return draw

class Context:
    def __init__(self, objects):
        self.scene, self.window_manager = scene, bpy.context.window_manager
        self.preferences, self.selected_objects = bpy.context.preferences, objects
        self.region, self.space_data = type("Region", (), {"width": 291}), None

def drawn(kind, **properties):
    Layout.texts, Layout.drawn, Layout.icons = [], [], 0
    kind.draw(type("Drawn", (), {"layout": Layout(), **properties})(), Context([]))
    return Layout

run = bpy.context.window_manager.lsrm
"""

END = """
package.unregister()
Path(sys.argv[3]).write_text(json.dumps(results))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="session")
def run_blender(blender_python):
    """A function that runs a script in Blender, with a folder, and returns its `results`."""

    def run(script: str, folder: Path) -> dict:
        answer = folder / "results.json"
        variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
        del variables["PYTHONPATH"]
        command = [str(blender_python), "-c", BEGIN + script + END, ROOT, folder, answer]
        result = subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=500
        )
        assert answer.exists(), result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return json.loads(answer.read_text())

    return run


@pytest.fixture
def blender(run_blender, tmp_path):
    """A function that runs a script in Blender and returns its `results`."""
    return lambda script: run_blender(script, tmp_path)
