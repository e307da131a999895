# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel and its operators in a Blender without a window, called from scripts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

WORK = """
gone = bpy.data.images.new("gone", 1, 1)
gone.source, gone.filepath, gone.use_fake_user = "FILE", str(work / "gone.png"), True
before = seen()
results["reconstruct"] = call(bpy.ops.lsrm.reconstruct)
same = lambda state: [*state[:7], state[-1]]  # without the selection, which is the result
results["unchanged"] = same(seen()) == same(before)
results["objects"] = sorted(each.name for each in bpy.data.objects)
result = bpy.data.objects["Cube.001"]
cube = scene.objects["Cube"]
results["shown"] = [flag for each in (result, cube) for flag in (each.hide_get(), each.hide_render)]
results["selected"] = [each.name for each in bpy.context.selected_objects]
results["size"] = max(abs(a) for corner in result.bound_box for a in corner)
results["files"] = sorted(each.name for each in (work / "jobs" / "Cube" / "001").iterdir())
results["note"] = run.note
buttons, chosen = module_of("ui.capture.capture_operators"), []
choose = buttons.choose
buttons.choose = lambda scene, choice: chosen.append(choice.names) or choose(scene, choice)
results["preview"] = call(bpy.ops.lsrm.preview_cameras) + chosen
call(bpy.ops.lsrm.preview_cameras)
buttons.choose = choose
results["compare"] = call(bpy.ops.lsrm.compare)
pair = (result, bpy.data.objects["Cube"])
hidden = lambda: [flag for each in pair for flag in (each.hide_get(), each.hide_render)]
results["hidden"] = hidden() + [bpy.context.view_layer.objects.active.name]
call(bpy.ops.lsrm.compare)
results["hidden again"] = hidden() + [bpy.context.view_layer.objects.active.name]
call(bpy.ops.lsrm.compare)
results["capture"] = call(bpy.ops.lsrm.capture)
results["source"] = [settings.source, settings.views_folder]
results["check"] = call(bpy.ops.lsrm.check_views)
cameras = bpy.data.collections["Views of capture"].objects
results["cameras"] = len(cameras)
results["pictures"] = [each.data.background_images[0].image.size[0] for each in cameras]
call(bpy.ops.lsrm.import_views, filepath=settings.views_folder)
bpy.context.view_layer.objects.active = cameras[2]
results["look"] = call(bpy.ops.lsrm.look_through) + [scene.camera.name, scene.render.resolution_x]
results["cameras again"] = len(bpy.data.collections["Views of capture"].objects)
results["from views"] = call(bpy.ops.lsrm.reconstruct)
history = bpy.context.window_manager.lsrm_history
results["history"] = [[e.name, e.number, bool(e.result), bool(e.views)] for e in history.entries]
scene.lsrm_relight.light = "sunset"
results["relight"] = call(bpy.ops.lsrm.relight) + [scene.world.name]
results["restore"] = call(bpy.ops.lsrm.restore_light) + [scene.world.name]
results["log"] = call(bpy.ops.lsrm.open_log) + [len(bpy.data.texts["LSRM log"].lines) > 1]
results["self-test"] = call(bpy.ops.lsrm.self_test) + [run.note]
pids = [each.child.pid for each in timer.SESSION._clients.values()]
results["logs"] = sorted(each.child.command.log.name for each in timer.SESSION._clients.values())
results["pid"] = os.getpid()
results["warm"] = [is_running(pid) for pid in pids]
tooltip = lambda: module_of("ui.operators").LSRM_OT_release.description(None, None)
results["tooltips"] = [tooltip()]
results["release"] = call(bpy.ops.lsrm.release)
results["tooltips"].append(tooltip())
results["after release"] = [is_running(pid) for pid in pids]
pictures = len(bpy.data.images)
module_of("scene.import_views")._emptied_collection("Views of capture", scene)
results["pictures gone"] = pictures - len(bpy.data.images)
"""

FAILURES = """
bpy.ops.object.select_all(action="DESELECT")
results["nothing selected"] = call(bpy.ops.lsrm.reconstruct)
bpy.data.objects["Camera"].select_set(True)
results["only a camera"] = call(bpy.ops.lsrm.capture)
settings.source = "VIEWS"
results["no views"] = call(bpy.ops.lsrm.reconstruct)
settings.views_folder = str(work / "nothing")
results["missing views"] = call(bpy.ops.lsrm.check_views)
results["import missing"] = call(bpy.ops.lsrm.import_views, filepath=str(work / "nothing"))
results["no result"] = call(bpy.ops.lsrm.import_result, directory=str(work))
results["no light"] = call(bpy.ops.lsrm.relight, environment="moonshine")
results["offline"] = call(bpy.ops.lsrm.install_backend)
results["no log"] = call(bpy.ops.lsrm.open_log)
settings.views_folder = str(work)
settings.checkpoint = "FOLDER"
results["no weights chosen"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint_folder = str(work / "weights")
results["no such weights"] = call(bpy.ops.lsrm.reconstruct)
preferences = module_of("preferences")
current, refused = preferences.current, preferences.Preferences(license_accepted=False)
preferences.current = lambda: refused
(work / "weights").mkdir()
(work / "weights" / "LICENSE.txt").touch()
(work / "weights" / "config.json").touch()
results["license of a folder"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint = "lsrm-pbr"
results["license"] = call(bpy.ops.lsrm.reconstruct)
preferences.current = current
results["not here"] = call(bpy.ops.lsrm.reconstruct)
settings.checkpoint = "none"
settings.texture_size = "1024"
results["less"] = []
for settings.source in ("VIEWS", "OBJECTS", "OBJECTS"):
    results["less"].append([bpy.ops.lsrm.use_less.poll()])
    if results["less"][-1][0]:
        call(bpy.ops.lsrm.use_less)
        results["less"][-1] += [settings.texture_size, settings.view_size]
settings.source, settings.view_count, settings.checkpoint = "OBJECTS", 15, "mini"
for _ in range(2):
    results["less"].append([bpy.ops.lsrm.use_less.poll()])
    if results["less"][-1][0]:
        call(bpy.ops.lsrm.use_less)
        results["less"][-1] += [settings.view_count]
settings.texture_size, settings.view_count, settings.placement = "256", 15, "cameras"
results["less"].append([bpy.ops.lsrm.use_less.poll()])
settings.placement = "sphere"
settings.view_count, settings.checkpoint = 4, "none"
settings.source = "VIEWS"
call(bpy.ops.lsrm.release)
os.environ["LSRM_BACKEND"] = "/no/such/python"
settings.views_folder = str(work)
results["no backend"] = call(bpy.ops.lsrm.reconstruct)
results["shown"] = [run.error_code, run.running]
"""

TIMER = """
tasks = module_of("ui.tasks")
make_targets = module_of("scene.assets.targets").make_targets
targets = make_targets([scene.objects["Cube"]], None, each=False)

def begin():
    # A result hides its original, here from the cameras, too.
    module_of("scene.results.originals").set_hidden([scene.objects["Cube"]], scene, hidden=False)
    timer.start(tasks.reconstruct_objects(scene, targets, work / "jobs", "cpu"))

stages, slowest = [], 0.0

def step():
    if run.stage and run.stage not in stages:
        stages.append(run.stage)
    return not run.running

begin()
results["busy"] = call(bpy.ops.lsrm.reconstruct)
results["slowest"] = ticked(step)
results["stages"] = stages
results["end"] = [run.note, run.overall, timer.SESSION.interval]
before = sorted(each.name for each in bpy.data.objects)
outcomes = results["outcomes"] = {}
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
    outcomes[name] = [run.error_code, time.monotonic() - start < 10.0, is_running(pid)]
jobs = work / "jobs" / "Cube"
results["leftovers"] = [each.name for each in (work / "jobs").rglob(".*")]
results["kept"] = sorted(each.relative_to(jobs).as_posix() for each in jobs.glob("*/*"))
results["same objects"] = sorted(each.name for each in bpy.data.objects) == before
begin()
ticked(lambda: run.step == "Importing")
os.kill(timer.SESSION._clients["blender"].child.pid, 9)
ticked(lambda: not run.running)
results["imported here"] = run.note
results["nothing left"] = [each.name for each in (work / "jobs").rglob(".*")]
bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))
begin()
ticked(lambda: run.stage == "mesh")
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)
run = bpy.context.window_manager.lsrm
ticked(lambda: not timer.SESSION.state.running)
state = timer.SESSION.state
results["other file"] = [state.note, len(bpy.data.objects), state.result, run.result]
bpy.ops.wm.open_mainfile(filepath=str(work / "mine.blend"))
scene, run = bpy.context.scene, bpy.context.window_manager.lsrm
timer.show()
panel = drawn(module_of("ui.panel").LSRM_PT_main)
results["offered"] = [panel.drawn.count("lsrm.import_result"), run.result == state.result]
results["by the button"] = call(bpy.ops.lsrm.import_result, directory=run.result)
results["no longer offered"] = run.result
hidden = [each.hide_get() for each in bpy.context.scene.objects if each.type == "MESH"]
results["one is shown"] = [len(hidden), hidden.count(False)]
bpy.ops.wm.read_factory_settings()
package.register() if not hasattr(bpy.types.Scene, "lsrm") else None
scene = bpy.context.scene
begin()
ticked(lambda: timer.SESSION.state.stage == "capture")
pids = [each.child.pid for each in timer.SESSION._clients.values() if each.child]
package.unregister()
time.sleep(0.5)
results["orphans"] = [is_running(pid) for pid in pids]
package.register()
"""

DRAW = """
tasks, targets = module_of("ui.tasks"), module_of("scene.assets.targets").make_targets
task = tasks.reconstruct_objects(
    scene, targets([scene.objects["Cube"]], None, each=False), work / "jobs", "cpu"
)
steps = [next(task.steps), task.steps.send(None)]
steps += [task.steps.send({"views": 4, "warnings": ["Dark views: 2 of 4."]})]
results["steps"] = [[each.method, list(each.warnings)] for each in steps]
task.close()
panel, session = module_of("ui.panel"), module_of("jobs.session")
others = [module_of("ui.history_panel").LSRM_PT_history]
for name in ("relight.relight_panel", "comparison.comparison_panel"):
    others += module_of(f"ui.{name}").CLASSES
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
            for kind in (*panel.CLASSES, *others):
                panel_like = type("Drawn", (), {"layout": Layout()})()
                kind.draw(panel_like, Context(objects))
results["texts"] = sorted(set(Layout.texts))

def failed(code, operator):
    run.show(session.SessionState(error=(code, "What.", "Remedy."), title="T", operator=operator))
    return drawn(panel.LSRM_PT_main).drawn

def running(**state):
    run.show(session.SessionState(running=True, title="T", step="S", **state))
    panel_drawn = drawn(panel.LSRM_PT_main)
    return len(panel_drawn.texts), panel_drawn.drawn

results["same"] = [running(), running(stage="mesh", message="M", eta=7.0), running(stopping=True)]
results["warned"] = [*running(warnings=("Dark views: 2 of 4.", "A hole.")), Layout.texts]
results["all warnings"] = call(bpy.ops.lsrm.show_warnings) + [run.warnings]
settings.source, settings.checkpoint = "OBJECTS", "FOLDER"
results["again"] = "lsrm.check_views" in failed("BACKEND_DIED", "lsrm.check_views")
missing = failed("CHECKPOINT_MISSING", "lsrm.reconstruct")
results["weights"] = [each in missing for each in ("checkpoint_folder", "lsrm.open_preferences")]
base = module_of("ui.operators").TaskOperator
results["names"] = [each.bl_idname for each in base.__subclasses__()]
results["clock"] = [panel.clock(seconds) for seconds in (0.2, 59.4, 60, 3661)]
"""

BESIDE = """
import argparse
os.chdir(work)
bpy.ops.wm.save_as_mainfile(filepath=str(work / "scene.blend"))
module_of("commands.command_line").main = lambda argv: results.setdefault("arguments", argv) and 0
names = {"inputs": "//a.glb\\n/b/*.obj", "output": "//out", "checkpoint": "//weights"}
names |= {"lods": "9000,2000", "formats": "glb,usd", "relight": "//sky.hdr\\nsoftboxes"}
results["convert"] = call(bpy.ops.lsrm.convert, quads=True, **names)
(work / "city").touch()
(work / "mine").mkdir()
(work / "mini").mkdir()
absolute = module_of("commands.convert")._absolute_paths
results["found"] = [
    [found[name] for name in (*files, "relight")]
    for files in [("environment", "checkpoint", "backend_python")]
    for values in ((None, "mini", ""), ("city", "mine", "python"), ("night", "none", "/bin/python"))
    for found in [absolute(argparse.Namespace(relight=["city", "sky"], **dict(zip(files, values))))]
]
"""

TEXTS = """
german, texts = module_of("ui.translations").GERMAN, set()
for module in package.lsrm_blender.MODULES:
    for kind in module_of(f"ui.{module}").CLASSES:
        if kind.__name__.startswith("LSRM_PG_") and "settings" not in kind.__name__:
            continue  # never drawn by name
        texts |= {getattr(kind, "bl_label", ""), getattr(kind, "bl_description", "")}
        found = getattr(bpy.types, kind.__name__, kind).bl_rna.properties
        for name in getattr(kind, "__annotations__", {}):
            if name in found and not found[name].is_hidden:
                texts |= {found[name].name, found[name].description}
                if found[name].type == "ENUM":
                    texts |= {text for item in found[name].enum_items
                              for text in (item.name, item.description)}
kept = lambda text: not text or text.isdecimal() or "studio light" in text or "CC BY-NC" in text
results["untranslated"] = sorted(text for text in texts - set(german) if not kept(text))
"""


def test_operators_from_a_script(blender, tmp_path):
    """From a script every operator returns when it is finished, and leaves the scene unchanged."""
    results = blender(WORK)
    done = ["FINISHED", ""]
    for name in ("reconstruct", "compare", "capture", "check", "from views", "release"):
        assert results[name] == done, name
    assert results["unchanged"]
    assert results["objects"] == ["Camera", "Cube", "Cube.001", "Light"]
    assert results["shown"] == [False, False, True, True]
    assert results["selected"] == ["Cube.001"]
    # Half the cube's side is 1; the hull of four views keeps some of what no silhouette cuts off.
    assert 0.9 < results["size"] < 2.5
    assert results["files"] == ["capture", "record.json", "result"]
    note, *warnings = results["note"].splitlines()
    assert note == "Cube.001 is in the scene"
    assert any("gone.png" in warning for warning in warnings)
    assert results["hidden"] == [True, True, False, False, "Cube"]
    assert results["preview"] == [*done, ["Cube"]], "of the original of the selected result"
    assert results["hidden again"] == [False, False, True, True, "Cube.001"]
    assert results["source"] == ["VIEWS", str(tmp_path / "jobs" / "Cube" / "002" / "capture")]
    assert results["history"] == [
        ["Cube", "003", True, False], ["Cube", "002", False, True], ["Cube", "001", True, True],
    ]  # fmt: skip
    assert results["logs"] == [f"{name}.{results['pid']}.txt" for name in ("backend", "blender")]
    assert results["pictures gone"] == 4
    assert (results["cameras"], results["pictures"], results["cameras again"]) == (4, [48] * 4, 4)
    assert results["look"] == [*done, "0002", 48]
    assert results["relight"] == [*done, "LSRM sunset"]
    assert results["restore"] == [*done, "World"]
    assert results["log"] == [*done, True]
    assert results["self-test"][:2] == done
    assert "checks have" in results["self-test"][2]
    assert (results["warm"], results["after release"]) == ([True, True], [False, False])
    warm, after = results["tooltips"]
    assert warm.startswith(after)
    if Path("/proc").is_dir():
        assert re.search(r"use \d\.\d GB of memory now$", warm), warm


def test_operators_report_errors_to_scripts(blender):
    """Every mistake is an error with its code and remedy, and no process is left running."""
    results = blender(FAILURES)
    expected = {
        "nothing selected": "BAD_ASSET",
        "only a camera": "BAD_ASSET",
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
        assert results[name][0] == "ERROR", name
        assert results[name][1].startswith(code), name
    assert results["no result"][0] == "ERROR"
    assert results["no log"] == ["CANCELLED", ""]
    assert results["less"] == [
        [True, "512", 48],
        [True, "256", 32],
        [False],
        [True, 8],
        [False],
        [False],
    ]
    assert results["shown"] == ["ENVIRONMENT_BROKEN", False]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_timer_survives_cancels_kills_and_other_files(blender, tmp_path):
    """Progress is shown, a cancel stops the job, a killed child is reported, no process is left."""
    results = blender(TIMER)
    assert results["busy"][0] == "ERROR"
    assert {"capture", "mesh", "texture"} <= set(results["stages"])
    assert results["end"] == ["Cube.001 is in the scene", 0.0, 1.0]
    assert results["slowest"] < 1.0  # the import; on a machine that may be busy with other tests
    assert results["outcomes"] == {
        "stop": ["CANCELLED", True, True],
        "stop now": ["CANCELLED", True, False],
        "kill": ["BACKEND_DIED", True, False],
    }
    assert results["leftovers"] == []
    made = {f"001/{name}" for name in ("capture", "record.json", "result")}
    stopped = {f"00{number}/{name}" for number in (2, 3, 4) for name in ("capture", "record.json")}
    assert set(results["kept"]) == made | stopped
    assert results["same objects"]
    assert results["imported here"] == "Cube.002 is in the scene"
    assert results["nothing left"] == []
    note, objects, *offered = results["other file"]
    assert note.startswith("Another file is open now")
    assert objects == 0
    assert offered == [str(tmp_path / "jobs" / "Cube" / "006" / "result")] * 2
    assert results["offered"] == [1, True]
    assert results["by the button"] == ["FINISHED", ""]
    assert results["no longer offered"] == ""
    assert results["one is shown"] == [4, 1]
    assert results["orphans"]
    assert not any(results["orphans"])


def test_panel_draws_every_state(blender):
    """No state makes drawing fail, and every button on the panel has its operator."""
    results = blender(DRAW)
    assert {"Stop Now", "Stopping…", "S, 7 s left", "S, 66:40 min left"} <= set(results["texts"])
    assert {"Open Preferences", "Use Less Memory", "Try Again"} <= set(results["texts"])
    assert results["again"], "the operator that has failed is offered again"
    assert results["weights"] == [True, False]
    assert set(results["names"]) == {
        "lsrm.capture", "lsrm.reconstruct", "lsrm.check_views", "lsrm.fix_cameras",
        "lsrm.find_cameras", "lsrm.make_masks", "lsrm.install_backend", "lsrm.install_photo_tools",
        "lsrm.add_checkpoint", "lsrm.self_test", "lsrm.export_views",
        "lsrm.turntable", "lsrm.light_sheet", "lsrm.compare_with_views",
    }  # fmt: skip
    assert results["same"][0] == results["same"][1] == results["same"][2], "no button may move"
    texts, warned, drawn = results["warned"]
    assert (texts, "Dark views: 2 of 4." in drawn) == (results["same"][0][0], True)
    assert set(warned) - set(results["same"][0][1]) == {"lsrm.show_warnings"}
    assert results["all warnings"] == ["FINISHED", "", "Dark views: 2 of 4.\nA hole."]
    methods, warnings = zip(*results["steps"], strict=True)
    assert methods == ("plan", "capture", "reconstruct"), "memory is planned before any view"
    assert warnings == ([], [], ["Dark views: 2 of 4."])
    assert results["clock"] == ["0 s", "59 s", "1:00 min", "61:01 min"]


def test_paths_reach_children_as_absolute_paths(blender, tmp_path):
    """Paths that start with //, and files, become absolute; other names are passed on."""
    results = blender(BESIDE)
    assert results["convert"] == ["FINISHED", ""]
    arguments = results["arguments"]
    assert arguments[:5] == ["convert", f"{tmp_path}/a.glb", "/b/*.obj", "-o", f"{tmp_path}/out"]
    assert f"--checkpoint={tmp_path}/weights" in arguments
    assert {"--faces=50000,9000,2000", "--formats=glb,usd", "--quads"} <= set(arguments)
    assert {f"--relight={tmp_path}/sky.hdr", "--relight=softboxes"} <= set(arguments)
    assert results["found"] == [
        [None, "mini", "", [f"{tmp_path}/city", "sky"]],
        [f"{tmp_path}/city", f"{tmp_path}/mine", f"{tmp_path}/python", [f"{tmp_path}/city", "sky"]],
        ["night", "none", "/bin/python", [f"{tmp_path}/city", "sky"]],
    ]  # fmt: skip


def test_every_text_has_a_translation(blender):
    """All labels, descriptions and choices are in Blender's translations."""
    results = blender(TEXTS)
    assert results["untranslated"] == []
