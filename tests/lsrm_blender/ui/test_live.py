# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview of a running task: made, made anew, and removed however the task ends."""

from __future__ import annotations

SCRIPT = """
import shutil
import numpy as np
errors = importlib.import_module("lsrm.backend.shared.errors")
files = importlib.import_module("lsrm.backend.shared.live.preview_files")
job, live = module_of("jobs.job"), module_of("scene.live.live_object")
pictures, tasks = module_of("ui.pictures"), module_of("ui.tasks")
make_targets = module_of("scene.assets.targets").make_targets

class Child:
    # Stands for both child processes: captures at once, reconstructs when `finish` is called.
    child, has_child, busy, running = None, False, False, None
    def refresh(self): pass
    def submit(self, method, params):
        made = job.Job(0, method, params)
        made.result = {"report": {"warnings": []}, "warnings": [], "views": 4}
        if method == "capture":
            folder = Path(params["output"])
            folder.mkdir(parents=True)
            source = {**params["source"], "objects": params["objects"]}
            normalization = {"center": [0.0, 0.0, 1.0], "scale": 0.5}
            capture = {"source": source, "normalization": normalization}
            (folder / "capture.json").write_text(json.dumps(capture))
        Child.running = made
        made.finished = method not in ("reconstruct", "prepare")
        return made
    def cancel(self, job, now=False):
        job.error, job.finished = errors.Cancelled("Stopped.", "Start again."), True
    def pump(self): pass
    def close(self): pass
    def stop_idle(self): pass

timer.SESSION._make_client = lambda name: Child()
cube = scene.objects["Cube"]
cube.location = (3.0, 0.0, 1.0)
bpy.context.view_layer.update()

def begin(previews):
    targets = make_targets([scene.objects["Cube"]], None, each=False)
    Child.running = None
    timer.start(tasks.reconstruct_objects(scene, targets, work / "jobs", "cpu"))
    ticked(lambda: Child.running and Child.running.method == "reconstruct")
    for number in range(previews):
        preview(number)

def preview(number, faces=1):
    # Triangles around (-0.5, 0, 0) in the world of the views.
    corners = np.float32([[-0.5, 0, 0], [-0.4, 0, 0], [-0.5, 0.1, 0]])
    vertices = np.tile(corners, (faces, 1))
    colors = np.full((3 * faces, 3), 188, np.uint8)
    index = np.arange(3 * faces, dtype=np.int32).reshape(-1, 3)
    made = files.PreviewFiles.numbered(work, number)
    files.PreviewMesh(vertices, index, colors).write(made.mesh)
    shutil.copy(work / "picture.png", made.picture)
    Child.running.preview = made
    start = time.process_time()
    timer.tick()
    return time.process_time() - start

picture = bpy.data.images.new("picture", 8, 8, alpha=True)
picture.file_format = "PNG"
picture.save(filepath=str(work / "picture.png"))
bpy.data.images.remove(picture)
shown = lambda: [each for each in bpy.data.objects if each.get(live.LIVE)]
state = lambda: [len(shown()), "live" in pictures._previews]
blocks = lambda: [len(bpy.data.objects), len(bpy.data.meshes), len(bpy.data.materials)]
bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))

begin(1)
made = shown()[0]
results["flags"] = [
    made.hide_render, made.hide_select, made.select_get(), made.show_in_front,
    bpy.context.view_layer.objects.active == made, [each.name for each in made.users_collection],
]
results["place"] = list(made.matrix_world @ made.data.vertices[0].co)
results["color"] = [
    list(made.data.color_attributes[0].data[0].color_srgb), made.data.materials[0].diffuse_color[0],
]
cube.location.y = 2.0
bpy.context.view_layer.update()
results["slowest"] = preview(7, 20000)
made = shown()[0]
results["followed"] = list(made.matrix_world @ made.data.vertices[0].co)
results["finer"] = [len(shown()), len(made.data.polygons)]
module_of("ui.panel").icon = lambda name: 7  # without a window, icons have no number
results["panel"] = [drawn(module_of("ui.panel").LSRM_PT_main).icons, "live_preview" in Layout.drawn]
settings.live_preview = False
results["off"] = state()
settings.live_preview = True
results["on"] = state()

# Undone: it is gone, or an earlier one is back. The handlers stand for undo, which needs a window.
undo = module_of("ui.live.live_state")._HANDLERS["undo_post"]
bpy.data.objects.remove(shown()[0])
undo(None)
results["undone"] = state()

# Saved, and in other files.
bpy.ops.wm.save_as_mainfile(filepath=str(work / "mine.blend"))
results["after save"] = state()
module_of("scene.blend_files").save_copy(work / "copy.blend")
results["after copy"] = state()
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True, load_ui=False)
results["other file"] = state()
results["saved"] = []
for name in ("mine", "copy"):
    with bpy.data.libraries.load(str(work / f"{name}.blend")) as (stored, _):
        results["saved"].append(sorted(stored.objects))
bpy.ops.wm.open_mainfile(filepath=str(work / "mine.blend"))
results["reopened"] = state()
scene, run = bpy.context.scene, bpy.context.window_manager.lsrm
timer.SESSION.cancel()
ticked(lambda: not timer.SESSION.state.running)
results["stopped"] = [*state(), timer.SESSION.state.error[0]]
mesh = bpy.data.meshes.new("earlier")
bpy.data.objects.new("earlier", mesh)[live.LIVE] = True
undo(None)
results["undone later"] = state()

# Its scene is deleted; the task fails; the extension is switched off.
bpy.data.scenes.new("Other")
begin(1)
results["again"] = state()
bpy.data.scenes.remove(scene)
bpy.context.window_manager.lsrm_live.refresh()
results["no scene"] = state()
preview(2)
results["still none"] = state()
Child.running.error, Child.running.finished = errors.BackendDied("Died.", "Again."), True
ticked(lambda: not timer.SESSION.state.running)
results["failed"] = state()
bpy.ops.wm.open_mainfile(filepath=str(work / "mine.blend"))
scene = bpy.context.scene
before = blocks()
begin(1)
Child.running.finished = True
ticked(lambda: Child.running.method == "prepare")
results["importing"] = state()
Child.running.error, Child.running.finished = errors.BackendDied("Died.", "Again."), True
ticked(lambda: not timer.SESSION.state.running)
results["imported"] = state()
begin(1)
preview(3)
(work / "preview_3.npz").write_text("damaged")
bpy.context.window_manager.lsrm_live.refresh()
results["damaged"] = [*state(), timer.SESSION.state.running]
preview(4)
handlers = len(bpy.app.handlers.undo_post)
package.unregister()
results["unregistered"] = [state(), blocks() == before, len(bpy.app.handlers.undo_post) < handlers]
package.register()
"""


def test_a_preview_is_shown_while_a_task_runs(blender):
    """It is at the place of its source, in no file and no render, and gone with its task."""
    results = blender(SCRIPT)
    assert results["flags"] == [True, True, False, True, False, ["Scene Collection"]]
    # The views' -0.5 is -1 in the scene of scale 0.5 around (0, 0, 1).
    assert results["place"] == [-1.0, 0.0, 1.0]
    assert results["followed"] == [-1.0, 2.0, 1.0]
    stored, mean = results["color"]
    assert [round(255 * each) for each in stored] == [188, 188, 188, 255]
    assert abs(mean - 0.503) < 0.01
    assert results["slowest"] < 0.3
    assert results["finer"] == [1, 20000]
    assert results["panel"] == [1, True]
    assert (results["off"], results["on"]) == ([0, True], [1, True])
    assert results["after save"] == results["after copy"] == [1, True]
    assert results["saved"] == 2 * [["Camera", "Cube", "Light"]]
    assert (results["other file"], results["reopened"]) == ([0, True], [1, True])
    assert results["undone"] == [1, True]
    assert results["undone later"] == [0, False]
    assert results["stopped"] == [0, False, "CANCELLED"]
    assert results["again"] == [1, True]
    assert results["no scene"] == results["still none"] == [0, True]
    assert results["failed"] == [0, False]
    assert results["importing"] == [1, True]
    assert results["imported"] == [0, False]
    assert results["damaged"] == [0, True, True]
    assert results["unregistered"] == [[0, False], True, True]
