# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's operators in a real Blender without a window, called as scripts call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from backend.shared.virtual_environments import ROOT, child_variables

# What every script begins with: the extension, a small job, and a note of the scene.
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
of = lambda name: importlib.import_module(f"lsrm.lsrm_blender.{name}")
timer, said = of("ui.session_timer"), {}
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

def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

def ticked(until, seconds=200.0):
    end, slowest = time.monotonic() + seconds, 0.0
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        start = time.monotonic()
        timer.tick()
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.01)
    return slowest

run = bpy.context.window_manager.lsrm
"""

END = """
package.unregister()
Path(sys.argv[3]).write_text(json.dumps(said))
sys.stdout.flush()
os._exit(0)
"""

WORK = """
before = seen()
said["reconstruct"] = call(bpy.ops.lsrm.reconstruct)
said["unchanged"] = seen() == before
said["objects"] = sorted(each.name for each in bpy.data.objects)
result = bpy.data.objects["Cube (LSRM)"]
said["size"] = max(abs(a) for corner in result.bound_box for a in corner)
said["files"] = sorted(each.name for each in (work / "jobs" / "Cube").iterdir())
said["note"] = run.note
said["compare"] = call(bpy.ops.lsrm.compare)
said["hidden"] = [result.hide_get(), bpy.data.objects["Cube"].hide_get()]
call(bpy.ops.lsrm.compare)
bpy.data.objects["Cube"].hide_set(False)
bpy.data.objects["Cube"].select_set(True)
said["capture"] = call(bpy.ops.lsrm.capture)
said["source"] = [settings.source, settings.views_folder]
said["check"] = call(bpy.ops.lsrm.check_views)
checking = of("ui.tasks").check_views(scene, Path(settings.views_folder)).steps
checking.send(None)
try:
    checking.send({"views": 3, "warnings": ["One was left out."]})
except StopIteration as end:
    said["good views"] = end.value
cameras = bpy.data.collections["Views of capture"].objects
said["cameras"] = len(cameras)
said["pictures"] = [each.data.background_images[0].image.size[0] for each in cameras]
call(bpy.ops.lsrm.import_views, filepath=settings.views_folder)
bpy.context.view_layer.objects.active = cameras[2]
said["look"] = call(bpy.ops.lsrm.look_through) + [scene.camera.name, scene.render.resolution_x]
said["cameras again"] = len(bpy.data.collections["Views of capture"].objects)
said["from views"] = call(bpy.ops.lsrm.reconstruct)
settings.light = "sunset"
said["relight"] = call(bpy.ops.lsrm.relight) + [scene.world.name]
said["restore"] = call(bpy.ops.lsrm.restore_world) + [scene.world.name]
said["log"] = call(bpy.ops.lsrm.open_log) + [len(bpy.data.texts["LSRM log"].lines) > 1]
pids = [each.child.pid for each in timer.SESSION._clients.values()]
said["logs"] = sorted(each.child.command.log.name for each in timer.SESSION._clients.values())
said["pid"] = os.getpid()
said["warm"] = [alive(pid) for pid in pids]
said["release"] = call(bpy.ops.lsrm.release)
said["after release"] = [alive(pid) for pid in pids]
pictures = len(bpy.data.images)
of("scene.import_views")._emptied_collection("Views of capture", scene)
said["pictures gone"] = pictures - len(bpy.data.images)
"""

FAILURES = """
bpy.ops.object.select_all(action="DESELECT")
said["nothing selected"] = call(bpy.ops.lsrm.reconstruct)
bpy.data.objects["Camera"].select_set(True)
said["a camera"] = call(bpy.ops.lsrm.capture)
settings.source = "VIEWS"
said["no views"] = call(bpy.ops.lsrm.reconstruct)
settings.views_folder = str(work / "nothing")
said["missing views"] = call(bpy.ops.lsrm.check_views)
said["import missing"] = call(bpy.ops.lsrm.import_views, filepath=str(work / "nothing"))
said["no result"] = call(bpy.ops.lsrm.import_result, directory=str(work))
said["no light"] = call(bpy.ops.lsrm.relight, environment="moonshine")
said["offline"] = call(bpy.ops.lsrm.install_backend)
said["no log"] = call(bpy.ops.lsrm.open_log)
settings.views_folder = str(work)
settings.checkpoint = "FOLDER"
said["no weights chosen"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint_folder = str(work / "weights")
said["no such weights"] = call(bpy.ops.lsrm.reconstruct)
preferences = of("preferences")
current, refused = preferences.current, preferences.Preferences(license_accepted=False)
preferences.current = lambda: refused
(work / "weights").mkdir()
(work / "weights" / "LICENSE.txt").touch()
(work / "weights" / "config.json").touch()
said["license of a folder"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint = "lsrm-pbr"
said["license"] = call(bpy.ops.lsrm.reconstruct)
preferences.current = current
said["not here"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint = "none"
settings.texture_size = "1024"
said["less"] = []
for settings.source in ("VIEWS", "OBJECTS", "OBJECTS"):
    said["less"].append([bpy.ops.lsrm.use_less.poll()])
    if said["less"][-1][0]:
        call(bpy.ops.lsrm.use_less)
        said["less"][-1] += [settings.texture_size, settings.view_size]
settings.source = "VIEWS"
call(bpy.ops.lsrm.release)
os.environ["LSRM_BACKEND"] = "/no/such/python"
settings.views_folder = str(work)
said["no backend"] = call(bpy.ops.lsrm.reconstruct)
said["shown"] = [run.error_code, run.running]
"""

TIMER = """
tasks = of("ui.tasks")
target = tasks.make_target([bpy.data.objects["Cube"]], work / "jobs")
begin = lambda: timer.start(tasks.reconstruct_objects(scene, target, "cpu"))
stages, slowest = [], 0.0

def step():
    if run.stage and run.stage not in stages:
        stages.append(run.stage)
    return not run.running

begin()
said["busy"] = call(bpy.ops.lsrm.reconstruct)
said["slowest"] = ticked(step)
said["stages"] = stages
said["end"] = [run.note, run.overall, timer.SESSION.interval]
before = sorted(each.name for each in bpy.data.objects)
mesh = (work / "jobs" / "Cube" / "result" / "mesh.glb").read_bytes()
outcomes = said["outcomes"] = {}
backend = lambda: timer.SESSION._clients["backend"]
for name in ("stop", "stop now", "kill"):
    begin()
    ticked(lambda: run.stage == "mesh")
    pid = backend().child.pid
    if name == "kill":
        os.kill(pid, 9)
    else:
        bpy.ops.lsrm.cancel(now=name == "stop now")
    start = time.monotonic()
    ticked(lambda: not run.running)
    outcomes[name] = [run.error_code, time.monotonic() - start < 10.0, alive(pid)]
said["leftovers"] = [each.name for each in (work / "jobs" / "Cube").glob(".*")]
said["intact"] = (work / "jobs" / "Cube" / "result" / "mesh.glb").read_bytes() == mesh
said["same objects"] = sorted(each.name for each in bpy.data.objects) == before
begin()
ticked(lambda: run.step == "Importing")
os.kill(timer.SESSION._clients["blender"].child.pid, 9)
ticked(lambda: not run.running)
said["imported here"] = run.note
said["nothing left"] = sorted(each.name for each in (work / "jobs" / "Cube").iterdir())
begin()
ticked(lambda: run.stage == "mesh")
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)
run = bpy.context.window_manager.lsrm
ticked(lambda: not timer.SESSION.state.running)
said["other file"] = [timer.SESSION.state.note, len(bpy.data.objects)]
bpy.ops.wm.read_factory_settings()
package.register() if not hasattr(bpy.types.Scene, "lsrm") else None
scene = bpy.context.scene
begin()
ticked(lambda: timer.SESSION.state.stage == "capture")
pids = [each.child.pid for each in timer.SESSION._clients.values() if each.child]
package.unregister()
time.sleep(0.5)
said["orphans"] = [alive(pid) for pid in pids]
package.register()
"""

DRAW = """
class Layout:
    # Takes whatever a panel draws, and notes the words.
    words, drawn = [], []
    def __getattr__(self, name):
        def draw(*arguments, **options):
            Layout.words.append(str(options.get("text", "")))
            if name == "operator":
                assert hasattr(bpy.ops.lsrm, arguments[0].removeprefix("lsrm."))
                Layout.drawn.append(arguments[0])
            if name == "prop":
                assert hasattr(arguments[0], arguments[1]), arguments[1]
                Layout.drawn.append(arguments[1])
            return Layout()
        return draw

class Context:
    def __init__(self, objects):
        self.scene, self.window_manager = scene, bpy.context.window_manager
        self.preferences, self.selected_objects = bpy.context.preferences, objects
        self.region = type("Region", (), {"width": 291})

panel, session = of("ui.panel"), of("jobs.session")
errors = importlib.import_module("lsrm.backend.shared.errors")
panel.preferences.addon_preferences = lambda: type("Preferences", (), {"license_accepted": False})
codes = [kind.code for kind in errors.LsrmError.__subclasses__()] + ["ERROR"]
states = [session.SessionState(), session.SessionState(note="Done.\\nOne warning.", log="/tmp/x")]
for code in codes:
    task = {"title": "T", "log": "/tmp/x", "operator": "lsrm.capture"}
    states.append(session.SessionState(error=(code, "What.", "Remedy."), **task))
for eta in (-1.0, 0.0, 7.0, 4000.0):
    states.append(session.SessionState(running=True, title="T", step="S", stage="mesh", eta=eta))
states.append(session.SessionState(running=True, stopping=True))
for state in states:
    run.show(state)
    for source, weights in (("OBJECTS", "none"), ("VIEWS", "lsrm-pbr"), ("VIEWS", "FOLDER")):
        settings.source, settings.checkpoint = source, weights
        for objects in ([], [scene.objects["Cube"]], list(scene.objects)):
            for kind in panel.CLASSES:
                drawn = type("Drawn", (), {"layout": Layout()})()
                kind.draw(drawn, Context(objects))
said["words"] = sorted(set(Layout.words))

def drawn(kind, **properties):
    Layout.words, Layout.drawn = [], []
    kind.draw(type("Drawn", (), {"layout": Layout(), **properties})(), Context([]))
    return Layout

def failed(code, operator):
    run.show(session.SessionState(error=(code, "What.", "Remedy."), title="T", operator=operator))
    return drawn(panel.LSRM_PT_main).drawn

settings.source, settings.checkpoint = "OBJECTS", "FOLDER"
said["again"] = "lsrm.check_views" in failed("BACKEND_DIED", "lsrm.check_views")
missing = failed("CHECKPOINT_MISSING", "lsrm.reconstruct")
said["weights"] = [each in missing for each in ("checkpoint_folder", "lsrm.open_preferences")]
said["names"] = [each.bl_idname for each in of("ui.operators").TaskOperator.__subclasses__()]
kind = of("ui.addon_preferences").LSRM_AP_preferences
fields = {**dict.fromkeys(kind.__annotations__, ""), "found": ""}
said["in the preferences"] = []
for operator in ("lsrm.reconstruct", "lsrm.install_backend"):
    run.show(session.SessionState(note="Done.", operator=operator))
    said["in the preferences"].append("Done." in drawn(kind, **fields).words)
said["clock"] = [panel.clock(seconds) for seconds in (0.2, 59.4, 60, 3661)]
"""

BESIDE = """
import argparse
os.chdir(work)
bpy.ops.wm.save_as_mainfile(filepath=str(work / "scene.blend"))
of("commands.command_line").main = lambda words: said.setdefault("words", words) and 0
names = {"inputs": "//a.glb\\n/b/*.obj", "output": "//out", "checkpoint": "//weights"}
said["convert"] = call(bpy.ops.lsrm.convert, **names)
(work / "city").touch()
(work / "mine").mkdir()
(work / "mini").mkdir()
anywhere = of("commands.convert")._absolute_paths
said["found"] = [
    list(anywhere(argparse.Namespace(environment=light, checkpoint=weights)).values())
    for light, weights in ((None, "mini"), ("city", "mine"), ("night", "none"))
]
scene = bpy.context.scene
for name in ("LSRMap", "LSRM.old"):
    scene.collection.children.link(bpy.data.collections.new(name))
linked = bpy.data.collections.new("LSRM")
bpy.data.libraries.write(str(work / "library.blend"), {linked})
bpy.data.collections.remove(linked)
with bpy.data.libraries.load(str(work / "library.blend"), link=True) as (stored, wanted):
    wanted.collections = stored.collections
scene.collection.children.link(wanted.collections[0])
own = of("scene.result_import")._own_collection
said["own"] = [own(scene).name, own(scene).library is None, own(scene) == own(scene)]
said["taken"] = [each.name for each in scene.collection.children if each == own(scene)]
"""

WORDS = """
german, words = of("ui.translations").GERMAN, set()
for module in package.lsrm_blender.MODULES:
    for kind in of(f"ui.{module}").CLASSES:
        if kind.__name__ == "LSRM_PG_run":
            continue  # never drawn by name
        words |= {getattr(kind, "bl_label", ""), getattr(kind, "bl_description", "")}
        found = getattr(bpy.types, kind.__name__, kind).bl_rna.properties
        for name in getattr(kind, "__annotations__", {}):
            if name in found and not found[name].is_hidden and name != "found":
                words |= {found[name].name, found[name].description}
                if found[name].type == "ENUM":
                    words |= {text for item in found[name].enum_items
                              for text in (item.name, item.description)}
kept = lambda word: not word or word.isdecimal() or "studio light" in word or "CC BY-NC" in word
said["untranslated"] = sorted(word for word in words - set(german) if not kept(word))
"""


@pytest.fixture
def blender(blender_python, tmp_path):
    """A function that runs a script in Blender and returns what it said."""

    def run(script: str) -> dict:
        answer = tmp_path / "said.json"
        variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
        del variables["PYTHONPATH"]
        command = [str(blender_python), "-c", BEGIN + script + END, ROOT, tmp_path, answer]
        result = subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=500
        )
        assert answer.exists(), result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return json.loads(answer.read_text())

    return run


def test_a_script_reconstructs_checks_compares_and_relights(blender, tmp_path):
    """Every button is an operator that returns when it is done, and leaves the scene as it was."""
    said = blender(WORK)
    done = ["FINISHED", ""]
    for name in ("reconstruct", "compare", "capture", "check", "from views", "release"):
        assert said[name] == done, name
    assert said["unchanged"]
    assert said["objects"] == ["Camera", "Cube", "Cube (LSRM)", "Light"]
    # Half the cube's side is 1; the hull of four views keeps some of what no silhouette cuts off.
    assert 0.9 < said["size"] < 2.5
    assert said["files"] == ["capture", "result"]
    assert said["note"] == "Cube (LSRM) is in the scene"
    assert said["hidden"] == [True, False]
    assert said["source"] == ["VIEWS", str(tmp_path / "jobs" / "Cube" / "capture")]
    assert said["good views"] == "3 views are good\nOne was left out."
    assert said["logs"] == [f"{name}.{said['pid']}.txt" for name in ("backend", "blender")]
    assert said["pictures gone"] == 4
    assert (said["cameras"], said["pictures"], said["cameras again"]) == (4, [48] * 4, 4)
    assert said["look"] == [*done, "0002", 48]
    assert said["relight"] == [*done, "LSRM sunset"]
    assert said["restore"] == [*done, "World"]
    assert said["log"] == [*done, True]
    assert (said["warm"], said["after release"]) == ([True, True], [False, False])


def test_a_script_hears_what_is_wrong(blender):
    """Each mistake is an exception with the code and the remedy, and nothing is left running."""
    said = blender(FAILURES)
    expected = {
        "nothing selected": "BAD_ASSET",
        "a camera": "BAD_ASSET",
        "no views": "BAD_CAPTURE",
        "missing views": "BAD_CAPTURE",
        "import missing": "BAD_CAPTURE",
        "no light": "BAD_ASSET",
        "offline": "ENVIRONMENT_BROKEN",
        "no weights chosen": "BAD_REQUEST",
        "no such weights": "CHECKPOINT_MISSING",
        "license of a folder": "LICENSE_NOT_ACCEPTED",
        "license": "LICENSE_NOT_ACCEPTED",
        "not here": "CHECKPOINT_MISSING",
        "no backend": "ENVIRONMENT_BROKEN",
    }
    for name, code in expected.items():
        assert said[name][0] == "ERROR", name
        assert said[name][1].startswith(code), name
    assert said["no result"][0] == "ERROR"
    assert said["no log"] == ["CANCELLED", ""]
    assert said["less"] == [[True, "512", 48], [True, "256", 32], [False]]
    assert said["shown"] == ["ENVIRONMENT_BROKEN", False]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_timer_works_through_cancels_kills_and_other_files(blender):
    """Tick by tick: progress is seen, a stop stops, a kill is told, no process outlives us."""
    said = blender(TIMER)
    assert said["busy"][0] == "ERROR"
    assert {"capture", "mesh", "texture"} <= set(said["stages"])
    assert said["end"] == ["Cube (LSRM) is in the scene", 0.0, 1.0]
    assert said["slowest"] < 1.0  # the import; on a machine that may be busy with other tests
    assert said["outcomes"] == {
        "stop": ["CANCELLED", True, True],
        "stop now": ["CANCELLED", True, False],
        "kill": ["BACKEND_DIED", True, False],
    }
    assert said["intact"]
    assert said["leftovers"] == []
    assert said["same objects"]
    assert said["imported here"] == "Cube (LSRM).001 is in the scene"
    assert said["nothing left"] == ["capture", "result"]
    assert said["other file"][0].startswith("Another file is open now")
    assert said["other file"][1] == 0
    assert said["orphans"]
    assert not any(said["orphans"])


def test_the_panel_draws_every_state(blender):
    """Nothing that can be shown makes drawing fail, and every button on it exists."""
    said = blender(DRAW)
    assert {"Stop Now", "Stopping…", "S, 7 s left", "S, 66:40 min left"} <= set(said["words"])
    assert {"Open Preferences", "Use Less Memory", "Try Again"} <= set(said["words"])
    assert said["again"], "what died is offered again, and not something else"
    assert said["weights"] == [True, False]
    assert set(said["names"]) == {
        "lsrm.capture", "lsrm.reconstruct", "lsrm.check_views", "lsrm.install_backend",
    }  # fmt: skip
    assert said["in the preferences"] == [False, True]
    assert said["clock"] == ["0 s", "59 s", "1:00 min", "61:01 min"]


def test_files_beside_the_blend_are_found(blender, tmp_path):
    """Names that begin with // and names of files reach other folders whole, names stay names."""
    said = blender(BESIDE)
    assert said["convert"] == ["FINISHED", ""]
    words = said["words"]
    assert words[:5] == ["convert", f"{tmp_path}/a.glb", "/b/*.obj", "-o", f"{tmp_path}/out"]
    assert f"--checkpoint={tmp_path}/weights" in words
    assert said["found"] == [
        [None, "mini"], [f"{tmp_path}/city", f"{tmp_path}/mine"], ["night", "none"],
    ]  # fmt: skip
    assert said["own"] == [said["taken"][0], True, True]
    assert said["taken"][0] in ("LSRM", "LSRM.001")


def test_every_word_has_a_translation(blender):
    """Labels, descriptions and choices go through Blender's translations, and none is forgotten."""
    said = blender(WORDS)
    assert said["untranslated"] == []
