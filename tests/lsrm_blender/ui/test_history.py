# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in the panel, several objects at once, and wrong folders, without a backend."""

from __future__ import annotations

import pytest

# `made` answers the steps of a task as child processes would, with results made by Blender.
BEGIN = """
import shutil

tasks, history = module_of("ui.tasks"), bpy.context.window_manager.lsrm_history
make_targets = module_of("scene.assets.targets").make_targets
errors = importlib.import_module("lsrm.backend.shared.errors")

def put_result(folder, views, name):
    folder.mkdir(parents=True)
    cube = bpy.data.objects.new("temporary", bpy.data.objects["Cube"].data.copy())
    scene.collection.objects.link(cube)
    bpy.ops.object.select_all(action="DESELECT")
    cube.select_set(True)
    bpy.ops.export_scene.gltf(filepath=str(folder / "mesh.glb"), use_selection=True)
    bpy.data.objects.remove(cube)
    report = {
        "name": name, "metrics": {"psnr": 30.25},
        "request": {"views": str(views), "checkpoint": "none", "refine": "off", "faces": "400"},
    }
    (folder / "report.json").write_text(json.dumps(report))

def put_views(folder, source):
    folder.mkdir(parents=True)
    (folder / "transforms.json").write_text("{}")
    (folder / "capture.json").write_text(json.dumps({"source": source}))

def put_quads(result, folder):
    folder.mkdir(parents=True)
    stored = module_of("scene.results.result_files").read_result(result).detached()
    (cube,) = module_of("scene.results.result_import").import_result(stored, scene)
    bpy.data.libraries.write(str(folder / "quads.blend"), {cube})
    bpy.data.objects.remove(cube)
    return {"files": ["quads.blend"]}

def made(task, failing=()):
    try:
        step = task.steps.send(None)
        while True:
            params, answer = step.params, {"report": {"warnings": []}, "warnings": [], "views": 4}
            name = params.get("source", {}).get("name", "")
            if step.method == "capture" and name in failing:
                step = task.steps.throw(errors.BadAsset(f"No {name}.", "Remedy."))
                continue
            if step.method == "capture":
                assert Path(params["asset"]).is_file()
                source = {**params["source"], "objects": list(params["objects"])}
                put_views(Path(params["output"]), source)
                last = name
            if step.method == "reconstruct":
                put_result(Path(params["output"]), params["views"], last)
            if step.method == "quads" and "quads" in failing:
                step = task.steps.throw(errors.BackendDied("QuadriFlow crashed.", "Remedy."))
                continue
            if step.method == "quads":
                answer = put_quads(Path(params["result"]), Path(params["output"]))
            step = task.steps.send(answer)
    except StopIteration as end:
        return end.value

def rename_meanwhile(task, name, new):
    def renaming():
        answer = None
        while True:
            try:
                step = task.steps.send(answer)
            except StopIteration as end:
                return end.value
            if step.method == "prepare":
                bpy.data.objects[name].name = new
            answer = yield step
    return made(type(task)(task.title, renaming()))

def objects_task(each, *names):
    chosen = [bpy.data.objects[name] for name in names]
    targets = make_targets(chosen, chosen[0], each=each)
    return tasks.reconstruct_objects(scene, targets, work / "jobs", "cpu")

def shown():
    history.read(scene)
    return [[entry.name, entry.number, bool(entry.result)] for entry in history.entries]

bpy.ops.mesh.primitive_uv_sphere_add(segments=4, ring_count=3, location=(4, 0, 0))
bpy.context.object.name = "Ball"
paint = scene.objects["Cube"].data.materials[0].node_tree
picture = paint.nodes.new("ShaderNodeTexImage")
picture.image = bpy.data.images.new("Paint", 4, 4)
picture.image.pack()
shader = next(node for node in paint.nodes if node.type == "BSDF_PRINCIPLED")
paint.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
"""

SEVERAL = """
results["together"] = made(objects_task(False, "Cube", "Ball")).note
results["name"] = sorted(each.name for each in scene.objects if each.type == "MESH")
together = scene.objects["Cube and 1 more"]
results["place"] = list(together.location)
for name in ("Cube", "Ball"):
    results[f"{name} hidden"] = [scene.objects[name].hide_get(), scene.objects[name].hide_render]
outcome = made(objects_task(True, "Cube", "Ball", "Light"), failing=("Cube",))
results["each"] = outcome.note.splitlines()
results["ball"] = list(scene.objects["Ball.001"].location)
try:
    made(objects_task(True, "Cube", "Ball"), failing=("Cube", "Ball"))
except Exception as error:
    results["all fail"] = str(error)
note = rename_meanwhile(objects_task(False, "Ball"), "Ball", "Globe").note
results["renamed"] = [note, scene.objects["Globe"].hide_get()]
results["folders"] = sorted(each.name for each in (work / "jobs").iterdir())
results["history"] = shown()
"""

PANEL = """
kind = module_of("ui.history_panel")
results["empty"] = [shown(), drawn(kind.LSRM_PT_history).texts]
made(objects_task(False, "Cube"))
made(objects_task(False, "Cube"))
(work / "jobs" / "Cube" / "001" / "result" / "preview.png").write_bytes(b"no picture")
results["two"] = shown()
entry = history.chosen()
results["entry"] = [entry.description(), entry.score, len(entry.date), entry.number]
state = module_of("ui.history_state")
translate, state.translate = state.translate, {"no weights": "ohne Gewichte"}.get
results["german"] = state._describe({"checkpoint": "none"}), json.loads(entry.settings)["size"]
state.translate = translate
results["texts"] = [drawn(kind.LSRM_PT_history).drawn, Layout.texts]
history.active = 1
shown()
results["stays"] = history.chosen().number
item = type("Drawn", (), {"layout": Layout()})()
for entry in history.entries:
    kind.LSRM_UL_history.draw_item(item, None, Layout(), history, entry, 0, history, "active")
first = history.entries[1]
objects = len(bpy.data.objects)
settings.result_folder = first.folder
results["import"] = call(bpy.ops.lsrm.import_result) + [len(bpy.data.objects) - objects]
visible = lambda: [e.name for e in scene.objects if e.type == "MESH" and not e.hide_get()]
results["visible"] = visible()
results["imports"] = {}
(work / "notes").mkdir()
(work / "notes" / "mesh.glb").mkdir()
for name in ("nothing", "notes", "jobs/Cube", "jobs/Cube/001", "jobs/Cube/002/result/mesh.glb"):
    answer = call(bpy.ops.lsrm.import_result, directory=str(work / name))
    results["imports"][name] = answer[:1] + answer[1].split(". ")[:1]
settings.output_folder = str(work / "elsewhere")
results["of the scene"] = [each.number for each in history.entries]
settings.output_folder = str(work / "jobs")
folder = history.entries[0].folder
results["open"] = call(bpy.ops.lsrm.open_folder, folder=str(work / "nothing"))
results["delete"] = call(bpy.ops.lsrm.delete_result, folder=folder) + [Path(folder).exists()]
results["deleted"] = [each.number for each in history.entries]
results["delete again"] = call(bpy.ops.lsrm.delete_result, folder=folder)
results["delete nothing"] = call(bpy.ops.lsrm.delete_result)
(work / "kitchen").mkdir()
captured = work / "jobs" / "Cube" / "001" / "capture" / "capture.json"
source = json.loads(captured.read_text())["source"]
captured.write_text(json.dumps({"source": {**source, "file": str(work / "mine.blend")}}))
bpy.ops.wm.save_as_mainfile(filepath=str(work / "kitchen" / "other.blend"))
for name in ("Cube", "Ball"):
    scene.objects[name].hide_set(False)
results["of another file"] = call(bpy.ops.lsrm.import_result, directory=history.entries[0].result)
results["left alone"] = scene.objects["Cube"].hide_get()
"""

LEVELS = """
kind = module_of("ui.history_panel")
settings.lods = " 200, 150 "
params = tasks.reconstruct_params(settings, "cpu")
results["params"] = [params["faces"], params["lods"]]
settings.lods = "500"
try:
    objects_task(False, "Cube")
except errors.LsrmError as error:
    results["refused"] = [error.code, bool(error.remedy)]
settings.lods = ""
results["plain"] = "lods" in tasks.reconstruct_params(settings, "cpu")
made(objects_task(False, "Cube"))
folder = work / "jobs" / "Cube" / "001" / "result"
shutil.copy(folder / "mesh.glb", folder / "mesh_200.glb")
shown()
results["texts"] = [drawn(kind.LSRM_PT_history).texts, history.chosen().levels]
answer = call(bpy.ops.lsrm.import_result, directory=str(folder / "mesh_200.glb"))
visible = [e.name for e in scene.objects if e.type == "MESH" and not e.hide_get()]
results["import"] = [answer[0], visible]
"""

QUADS = """
kind = module_of("ui.history_panel")
settings.quads = True
cube = scene.objects["Cube"]
cube.location, cube.rotation_euler = (1, 2, 3), (0.5, 0, 0)
bpy.context.view_layer.update()
expected = [list(row) for row in cube.matrix_world]
note = made(objects_task(False, "Cube")).note
results["note"] = note.splitlines()
files = work / "jobs" / "Cube" / "001" / "result"
results["files"] = sorted(each.name for each in files.iterdir())
shown()
results["texts"] = drawn(kind.LSRM_PT_history).texts
answer = call(bpy.ops.lsrm.import_result, directory=history.chosen().quads)
(quads,) = [e for e in scene.objects if e.type == "MESH" and not e.hide_get() and e.name != "Ball"]
bpy.context.view_layer.update()
matrix = [list(row) for row in quads.matrix_world]
results["import"] = [answer, quads.name, matrix == expected, quads["lsrm_result"] == str(files)]
results["last"] = settings.result_folder == str(files)
results["failed"] = made(objects_task(False, "Cube"), failing=("quads",)).note.splitlines()
results["weights"] = [objects_task(False, "Cube").weight]
settings.quads = False
results["weights"].append(objects_task(False, "Cube").weight)
results["without"] = made(objects_task(False, "Cube")).note.splitlines()
"""

UNSAVED = """
preferences = module_of("preferences")
settings.output_folder = ""
results["unsaved"] = str(preferences.work_folder(scene))
results["inside"] = str(preferences.user_folder("results").parent)
bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))
results["saved"] = str(preferences.work_folder(scene))
"""


@pytest.fixture
def run(blender):
    """A function that runs a script after the helpers above."""
    return lambda script: blender(BEGIN + script)


def test_several_objects(run):
    """One result for all takes the place of the active object; one each goes on after a failure."""
    results = run(SEVERAL)
    assert results["together"] == "Cube and 1 more is in the scene"
    assert results["name"] == ["Ball", "Cube", "Cube and 1 more"]
    assert results["place"] == [0, 0, 0]
    assert results["Cube hidden"] == results["Ball hidden"] == [True, True]
    summary, failure, success = results["each"]
    assert summary == "1 of 2 objects are done"
    assert failure == "Cube: No Cube. Remedy."
    assert success == "Ball.001 is in the scene"
    assert results["ball"] == [4, 0, 0]
    assert "No Cube." in results["all fail"]
    assert results["folders"] == ["Ball", "Cube", "Cube and 1 more"]
    assert results["renamed"] == ["Globe.001 is in the scene", True]
    assert results["history"] == [
        ["Ball", "002", True], ["Ball", "001", True], ["Cube and 1 more", "001", True],
    ]  # fmt: skip


def test_history_in_the_panel(run):
    """What was made is listed, imported and deleted; wrong folders are explained."""
    results = run(PANEL)
    assert results["empty"][0] == []
    assert "No results yet" in results["empty"][1]
    assert results["two"] == [["Cube", "002", True], ["Cube", "001", True]]
    settings, score, length, number = results["entry"]
    assert settings == "4 views of 48 px, no weights, not refined, 400 faces"
    assert results["german"] == ["ohne Gewichte", "48"], "of another language since"
    assert (score, length, number) == ("PSNR 30.2 dB", len("2026-11-29 01:02"), "002")
    operators, texts = results["texts"]
    wanted = {"import_result", "import_views", "open_folder", "delete_result", "refresh_history"}
    assert {f"lsrm.{name}" for name in wanted} <= set(operators)
    assert "Cube 002" in texts
    assert results["stays"] == "001"
    assert results["import"] == ["FINISHED", "", 1]
    assert results["visible"] == ["Ball", "Cube.003"]
    wrong, right = results["imports"], ["FINISHED", ""]
    assert wrong["nothing"][1].startswith("BAD_ASSET: There is no folder")
    assert wrong["notes"][1].startswith("BAD_ASSET:")
    assert [wrong[name] for name in wrong if name.startswith("jobs")] == [right] * 3
    assert results["of the scene"] == ["002", "001"]
    assert results["open"][0] == "ERROR"
    assert results["delete"] == ["FINISHED", "", False]
    assert results["deleted"] == ["001"]
    assert results["delete again"][0] == results["delete nothing"][0] == "ERROR"
    assert results["of another file"] == right
    assert not results["left alone"]


def test_results_of_files_that_were_never_saved(run, tmp_path, monkeypatch):
    """They go to the user's documents, not to the folder that uninstalling removes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Documents").mkdir()
    results = run(UNSAVED)
    assert results["unsaved"] == str(tmp_path / "Documents" / "LSRM")
    assert not results["unsaved"].startswith(results["inside"])
    assert results["saved"] == str(tmp_path / "lsrm")


def test_levels_of_detail(run):
    """They are requested in the settings, and imported one instead of the other."""
    results = run(LEVELS)
    assert results["params"] == [400, [200, 150]]
    assert results["refused"] == ["BAD_REQUEST", True]
    assert not results["plain"]
    texts, levels = results["texts"]
    assert "200 faces" in texts
    assert levels == "200"
    assert results["import"] == ["FINISHED", ["Ball", "Cube_200"]]


def test_quads(run):
    """They are made after the import, imported in the place of the source, and may fail."""
    results = run(QUADS)
    assert results["note"] == ["Cube.001 is in the scene", "The quads of Cube are in Past Results"]
    assert results["files"] == ["mesh.glb", "mesh_quads.blend", "report.json"]
    assert "Quads" in results["texts"]
    assert results["import"] == [["FINISHED", ""], "Cube_quads", True, True]
    assert results["last"]
    assert results["failed"][1:] == ["There are no quads: QuadriFlow crashed."]
    assert results["weights"][0] > results["weights"][1]
    assert len(results["without"]) == 1
