# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue, menus, status bar, export and assets in a Blender without a window."""

from __future__ import annotations

CHILDREN = """
import shutil
errors = importlib.import_module("lsrm.backend.shared.errors")
job = module_of("jobs.job")

class Child:
    # Stands for both child processes: captures and reconstructs at once.
    child, has_child, busy = None, False, False
    assets, failing = [], ""
    def refresh(self): pass
    def submit(self, method, params):
        made = job.Job(0, method, params)
        made.result = {"report": {"warnings": []}, "warnings": [], "views": 4}
        if method == "capture":
            Child.assets.append(Path(params["asset"]))
            assert Child.assets[-1].is_file()
            folder = Path(params["output"])
            folder.mkdir(parents=True)
            (folder / "transforms.json").write_text("{}")
            source = {**params["source"], "objects": params["objects"]}
            (folder / "capture.json").write_text(json.dumps({"source": source}))
            if params["source"]["name"] == Child.failing:
                made.error = errors.BadAsset("No surface.", "Remedy.")
        if method == "reconstruct":
            folder = Path(params["output"])
            folder.mkdir(parents=True)
            shutil.copy(work / "mesh.glb", folder)
            shutil.copy(work / "picture.png", folder / "preview.png")
            report = {"name": "made", "request": {"views": params["views"]}, "metrics": {}}
            (folder / "report.json").write_text(json.dumps(report))
        made.finished = True
        return made
    def pump(self): pass
    def close(self): pass
    def stop_idle(self): pass

timer.SESSION._make_client = lambda name: Child()
preferences = module_of("preferences")
preferences.backend_python = lambda: Path(sys.executable)
queue = lambda: bpy.context.window_manager.lsrm_queue
states = lambda: [[each.name, each.origin, each.state] for each in queue().items]
picture = bpy.data.images.new("picture", 8, 4)
picture.pixels.foreach_set([0.2, 0.4, 0.6, 1.0] * 32)
picture.file_format = "PNG"
picture.save(filepath=str(work / "picture.png"))
picture = bpy.data.images.load(str(work / "picture.png"))
cube = scene.objects["Cube"]
nodes = cube.data.materials[0].node_tree
texture = nodes.nodes.new("ShaderNodeTexImage")
texture.image = picture
shader = next(node for node in nodes.nodes if node.type == "BSDF_PRINCIPLED")
nodes.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
bpy.ops.export_scene.gltf(filepath=str(work / "mesh.glb"), use_selection=True)
bpy.ops.mesh.primitive_uv_sphere_add()
bpy.context.object.name = "Ball"

def select(*names):
    for each in scene.objects:
        each.select_set(each.name in names)
    bpy.context.view_layer.objects.active = scene.objects[names[0]] if names else None

def add(*names):
    select(*names)
    return call(bpy.ops.lsrm.add_to_queue)
"""

SCRIPT = """
# Queued jobs of a file that is opened again and of another file.
bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))
results["nothing selected"] = add()
results["added"] = [add("Cube"), add("Ball"), add("Cube")]
results["waiting"] = states()
queue().active = 2
call(bpy.ops.lsrm.move_in_queue, direction="UP")
results["moved"] = [[each.number for each in queue().items], queue().chosen().number]
call(bpy.ops.lsrm.remove_from_queue)
bpy.ops.wm.open_mainfile(filepath=str(work / "mine.blend"))
timer.show()
scene = bpy.context.scene
results["after reload"] = states()
Child.failing = "Ball"
results["ran"] = call(bpy.ops.lsrm.run_queue)
results["ended"] = [[each.state, each.note.splitlines(), each.result] for each in queue().items]
results["objects"] = sorted(each.name for each in scene.objects)
results["original hidden"] = scene.objects["Cube"].hide_get()
results["copies"] = [each.exists() for each in Child.assets]
results["drawn"] = drawn(module_of("ui.queue.queue_panel").LSRM_PT_queue).texts
call(bpy.ops.lsrm.clear_queue)
results["cleared"] = states()
Child.failing = ""
add("Ball")
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)
results["closed"] = call(bpy.ops.lsrm.run_queue) + [Path(queue().items[0].result).name]
bpy.ops.wm.open_mainfile(filepath=str(work / "mine.blend"))
timer.show()
results["offered"] = call(bpy.ops.lsrm.import_result, directory=queue().items[0].result)
results["no more"] = queue().items[0].result
scene = bpy.context.scene
results["imported"] = sorted(each.name for each in scene.objects if each.type == "MESH")

# The file browser opens at the last result; else where results are made, if there are any.
importing, browsed = module_of("ui.operators").LSRM_OT_import_result, []
manager = type("Manager", (), {"fileselect_add": lambda self, operator: browsed.append(operator)})()
context = type("Context", (), {"scene": scene, "window_manager": manager})()
def browse():
    operator = type("Operator", (), {"directory": ""})()
    return [*importing.invoke(operator, context, None), operator.directory]
last = Path(scene.lsrm.result_folder)
results["last"] = [*browse(), str(last) + os.sep, last.is_dir()]
scene.lsrm.result_folder = str(work / "gone")
results["gone"] = browse()
scene.lsrm.output_folder, scene.lsrm.result_folder = str(work / "none yet"), ""
results["none yet"] = [*browse(), len(browsed)]
scene.lsrm.output_folder, scene.lsrm.result_folder = str(work / "jobs"), str(last)

# Export of a hidden result, from its original.
call(bpy.ops.lsrm.compare)
results["hidden"] = scene.objects["Ball.001"].hide_get()
for kind, suffix in (("GLB", ".glb"), ("USD", ".usdc"), ("OBJ", ".obj")):
    path = work / "out" / f"ball{suffix}"
    outcome = call(bpy.ops.lsrm.export_result, filepath=str(path), file_format=kind)
    results[kind] = [outcome, path.is_file()]
results["wrong name"] = call(bpy.ops.lsrm.export_result, filepath="/x.txt", file_format="GLB")
results["files"] = sorted(each.name for each in (work / "out").iterdir())
results["material"] = (work / "out" / "ball.mtl").read_text()
results["one object"] = (work / "out" / "ball.obj").read_text().count("\\no ")
results["as before"] = [
    scene.objects["Ball.001"].hide_get(), [each.name for each in bpy.context.selected_objects],
]

# Levels of detail, which were never imported, of a result that was moved.
ball = scene.objects["Ball.001"]
ball.matrix_world = module_of("scene.results.placement").Matrix.LocRotScale(
    (5.0, 0.0, 1.0), scene.objects["Camera"].rotation_euler, (1.0, 2.0, 3.0)
)
folder = Path(ball["lsrm_result"])
shutil.copy(folder / "mesh.glb", folder / "mesh_2000.glb")
counts = lambda: [len(bpy.data.objects), len(bpy.data.images), len(bpy.data.materials)]
def corners(path):
    lines = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("v ")]
    return sorted([round(float(value), 4) for value in line] for line in lines)
before = counts(), [each.name for each in bpy.context.selected_objects]
for kind, name in (("OBJ", "toy.obj"), ("GLB", "toy.glb")):
    path = work / "levels" / name
    results[f"{kind} levels"] = call(
        bpy.ops.lsrm.export_result, filepath=str(path), file_format=kind, levels=True
    )
results["levels"] = sorted(each.name for each in (work / "levels").iterdir() if "2000" in each.name)
finest, level = [corners(work / "levels" / name) for name in ("toy.obj", "toy_2000.obj")]
results["level is where the finest is"] = [finest == level, max(finest)[0] > 5.0]
after = counts(), [each.name for each in bpy.context.selected_objects]
results["left as it was"] = before == after
exported = path.stat().st_mtime_ns
results["refused"] = call(
    bpy.ops.lsrm.export_result, filepath=str(path), file_format="GLB", levels=True
)
results["nothing written"] = path.stat().st_mtime_ns == exported
results["overwritten"] = call(
    bpy.ops.lsrm.export_result, filepath=str(path), file_format="GLB", levels=True, overwrite=True
)
twin = ball.copy()
twin["lsrm_result"] = str(shutil.copytree(folder, work / "twin"))
try:
    module_of("scene.products.level_files").plan_level_files(
        [ball, twin], path.with_name("Ball.001_2000.glb")
    )
except Exception as error:
    results["one name for two"] = str(error)
bpy.data.objects.remove(twin)
views = Path(ball["lsrm_views"])
views.rename(views.with_name("elsewhere"))
results["no views"] = call(
    bpy.ops.lsrm.export_result, filepath=str(path), file_format="GLB", levels=True
)
select("Ball.001")
results["marked"] = call(bpy.ops.lsrm.mark_as_asset, tags="LSRM, toy,, toy ")
made = scene.objects["Ball.001"]
results["tags"] = [each.name for each in made.asset_data.tags]
preview = made.preview_ensure()
results["preview"] = list(preview.image_size)
results["pixel"] = [round(value, 1) for value in preview.image_pixels_float[:4]]
select("Cube")

# Menus and status bar.
menus, status_bar = module_of("ui.menus.menus"), module_of("ui.menus.status_bar")
modules = [module_of(f"ui.{name}") for name in package.lsrm_blender.MODULES]
operators = [kind for module in modules for kind in module.CLASSES
             if issubclass(kind, bpy.types.Operator)]
named = {name for group in menus.GROUPS for name in group} | {"lsrm.reconstruct"}
named |= {name for name, _ in menus.CHOICES}
public = {each.bl_idname for each in operators
          if "INTERNAL" not in getattr(each, "bl_options", ())}
results["not in menus"] = sorted(public - named)
results["no operators"] = sorted(named - {each.bl_idname for each in operators})
drawn(menus.VIEW3D_MT_lsrm)
for _, draw in menus.ADDITIONS:
    draw(type("Menu", (), {"layout": Layout()})(), None)
session = module_of("jobs.session")
run = bpy.context.window_manager.lsrm
failed = session.SessionState(title="T", error=("ERROR", "What.", "Remedy."))
texts = results["status"] = []
for state in (session.SessionState(), session.SessionState(note="Done. " * 30), failed,
              session.SessionState(running=True, title="T", overall=0.4),
              session.SessionState(running=True, stopping=True),
              session.SessionState(running=True, title="T", warnings=("Dark views: all.",))):
    run.show(state)
    Layout.texts.clear()
    status_bar._draw(type("Header", (), {"layout": Layout()})(), bpy.context)
    texts.append(Layout.texts[1:])
nothing = type("Context", (), {"window_manager": None})()
status_bar._draw(type("Header", (), {"layout": None})(), nothing)
timer.SESSION._clients.clear()
"""

SCENES = """
second = bpy.data.scenes.new("Second")
shelf = bpy.data.objects.new("Shelf", cube.data)
for each in (shelf, scene.objects["Ball"]):
    second.collection.objects.link(each)
for name in ("view_count", "view_size", "samples", "texture_size", "faces", "refine"):
    setattr(second.lsrm, name, getattr(settings, name))
second.lsrm.output_folder = str(work / "jobs of the second")
second.lsrm.view_count = 5
first = scene

def show(shown):
    global scene
    bpy.context.window.scene = scene = shown

bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))
results["added"] = [add("Cube")]
show(second)
results["added"] += [add("Shelf"), add("Ball")]
show(first)
results["added"] += [add("Ball")]
results["waiting"] = states()
assets = module_of("scene.assets.asset_objects")
def captured(shown):
    # What the second Blender would capture of the open file now, without a trace.
    ball, layer = shown.objects["Ball"], shown.view_layers[0]
    hidden, away = ball.hide_render, ball.hide_get(view_layer=layer)
    try:
        asset = assets.choose(shown, assets.AssetChoice(Path(bpy.data.filepath), names=("Ball",)))
        return [each.name for each in asset.objects]
    except Exception as error:
        return str(error)
    finally:
        ball.hide_render = hidden
        ball.hide_set(away, view_layer=layer)
submit, views = Child.submit, []
def keeping(self, method, params):
    made = submit(self, method, params)
    if method == "capture":
        views.append(params["views"])
        shutil.copy(params["asset"], work / f"copy {len(views)}.blend")
    return made
Child.submit = keeping
queue().active = 3
removed = call(bpy.ops.lsrm.remove_from_queue)
results["ran"] = call(bpy.ops.lsrm.run_queue)
results["captured"] = [scene.objects["Ball"].hide_render, captured(first), captured(second)]
results["added"].append(add("Ball"))
results["ran again"] = call(bpy.ops.lsrm.run_queue)
results["views"] = views
results["notes"] = [each.note for each in queue().items]
meshes = lambda shown: sorted(each.name for each in shown.objects if each.type == "MESH")
results["meshes"] = [meshes(first), meshes(second)]
hidden = lambda shown: sorted(
    each.name for each in shown.objects if each.hide_get(view_layer=shown.view_layers[0])
)
results["hidden"] = [hidden(first), hidden(second)]
results["folders"] = [
    Path(each.lsrm.result_folder).relative_to(work).as_posix() for each in (first, second)
]
results["scene shown"] = bpy.context.window.scene.name
opened = []
for number in range(1, 5):
    bpy.ops.wm.open_mainfile(filepath=str(work / f"copy {number}.blend"), load_ui=False)
    opened.append(bpy.context.scene.name)
results["opened"] = opened
timer.SESSION._clients.clear()
"""


def test_two_scenes_of_a_file_wait_in_one_queue(blender):
    """Each job is captured from its scene, with its settings, and its result comes into that."""
    results = blender(CHILDREN + SCENES)
    done = ["FINISHED", ""]
    assert results["added"] == [done] * 5
    origins = [f"{name}, mine.blend" for name in ("Scene", "Second", "Second", "Scene")]
    assert [origin for _, origin, _ in results["waiting"]] == origins
    assert results["opened"] == ["Scene", "Second", "Second", "Scene"]
    assert results["views"] == [4, 5, 5, 4]
    assert results["ran"] == results["ran again"] == done
    # It is hidden for a result in the second scene, where that stands for it; this one shows it.
    assert results["captured"] == [True, ["Ball"], ["Ball"]]
    assert results["notes"] == [
        f"{name} is in the scene" for name in ("Cube.001", "Shelf.001", "Ball.001", "Ball.002")
    ]
    first, second = results["meshes"]
    assert first == ["Ball", "Ball.002", "Cube", "Cube.001"]
    assert second == ["Ball", "Ball.001", "Shelf", "Shelf.001"]
    assert results["hidden"] == [["Ball", "Cube"], ["Ball", "Shelf"]]
    assert results["folders"] == ["jobs/Ball/001/result", "jobs of the second/Ball/001/result"]
    assert results["scene shown"] == "Scene"


def test_workflow(blender, tmp_path):
    """Jobs wait with all they need; results go on to files and assets; menus offer everything."""
    results = blender(CHILDREN + SCRIPT)
    done, origin = ["FINISHED", ""], "Scene, mine.blend"
    assert results["nothing selected"][0] == "ERROR"
    assert results["added"] == [done] * 3
    titles = ["Reconstruct Cube", "Reconstruct Ball"]
    assert results["waiting"] == [[name, origin, "WAITING"] for name in [*titles, titles[0]]]
    assert results["moved"] == [[1, 3, 2], 3]
    assert results["after reload"] == [[name, origin, "WAITING"] for name in titles]
    assert results["ran"][0] == "ERROR"
    assert "Reconstruct Ball: No surface." in results["ran"][1]
    assert results["ended"] == [
        ["DONE", ["Cube.001 is in the scene"], ""], ["FAILED", ["No surface. Remedy."], ""]
    ]  # fmt: skip
    assert results["objects"] == ["Ball", "Camera", "Cube", "Cube.001", "Light"]
    assert results["original hidden"]
    assert results["copies"] == [False, False]
    assert {"No surface. Remedy.", origin} <= set(results["drawn"])
    assert results["cleared"] == []
    assert results["closed"] == [*done, "result"]
    assert (results["offered"], results["no more"]) == (done, "")
    assert results["imported"] == ["Ball", "Ball.001", "Cube"]
    outcome, opened, expected, there = results["last"]
    assert (outcome, opened, there) == ("RUNNING_MODAL", expected, True)
    assert results["gone"] == ["RUNNING_MODAL", f"{tmp_path / 'jobs'}/"]
    assert results["none yet"] == ["RUNNING_MODAL", "", 3]
    assert results["hidden"]
    for kind in ("GLB", "USD", "OBJ"):
        assert results[kind] == [done, True], kind
    assert results["wrong name"][0] == "ERROR"
    image = next(name for name in results["files"] if name.startswith("ball_"))
    assert f"map_Kd {image}" in results["material"]
    assert results["one object"] == 1
    assert results["as before"] == [True, ["Ball"]]
    assert [results["OBJ levels"], results["GLB levels"]] == [done, done]
    assert {"toy_2000.obj", "toy_2000.mtl", "toy_2000.glb"} <= set(results["levels"])
    assert results["level is where the finest is"] == [True, True]
    assert results["left as it was"]
    assert "toy_2000.glb in " in results["refused"][1]
    assert results["nothing written"]
    assert results["overwritten"] == done
    assert "Two of these files would be one" in results["one name for two"]
    assert results["no views"][1].startswith("BAD_CAPTURE")
    assert (results["marked"], results["tags"]) == (done, ["LSRM", "toy"])
    assert (results["preview"], results["pixel"]) == ([256, 256], [0.2, 0.4, 0.6, 1.0])
    assert (results["not in menus"], results["no operators"]) == ([], [])
    nothing, note, failed, running, stopping, warned = results["status"]
    assert nothing == []
    assert (len(note[0]), note[0][-1]) == (90, "…")
    assert failed[0] == "T: What."
    assert "T 40 %" in running
    assert "Stopping…" in stopping
    assert warned[0] == "Dark views: all.", "left of the button that stops"
