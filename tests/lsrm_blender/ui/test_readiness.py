# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that says whether a job can start, qualities, and the buttons before a capture."""

from __future__ import annotations

import sys

import pytest

READINESS = """
panel, readiness = module_of("ui.panel"), module_of("ui.capture.readiness")
errors = importlib.import_module("lsrm.backend.shared.errors")
state, cube = bpy.context.window_manager.lsrm_readiness, scene.objects["Cube"]
run.show(module_of("jobs.session").SessionState())

def line(objects):
    context = Context(objects)
    Layout.texts, Layout.drawn = [], []
    panel._draw_readiness(Layout(), context)
    readiness._look()  # what the timer does
    Layout.texts, Layout.drawn = [], []
    panel._draw_readiness(Layout(), context)
    lists.append(Layout.drawn.count("lsrm.show_checks"))
    drawn = [name for name in Layout.drawn if name != "lsrm.show_checks"]
    return [text for text in Layout.texts if text], drawn

lists = results["lists"] = []
panel._draw_readiness(Layout(), Context([cube]))
results["first"] = Layout.texts
results["ready"] = line([cube])
results["nothing"] = line([])
error = (state.code, state.message, state.remedy)
run.show(module_of("jobs.session").SessionState(error=error, title="T", operator="lsrm.capture"))
results["pressed"] = drawn(panel.LSRM_PT_main).texts.count(state.message)
run.show(module_of("jobs.session").SessionState())
results["camera"] = line([scene.objects["Camera"]])
settings.capture_light = "FILE"
results["no image"] = line([cube])
results["scripts"] = call(bpy.ops.lsrm.capture)
settings.capture_light = "softboxes"
settings.placement = "CAMERAS".lower()
results["one camera"] = line([cube])
settings.placement = "animation"
results["animation"] = line([cube])
settings.placement = "sphere"
(work / "file").touch()
settings.output_folder = str(work / "file")
results["output"] = line([cube])
settings.output_folder = str(work / "jobs")
needs = module_of("jobs.estimate").Workload
room = needs.disk, needs.memory
needs.disk = property(lambda self: 1e18)
results["disk"] = line([cube])
needs.disk, needs.memory = room[0], property(lambda self: 1e18)
results["memory"] = line([cube])
results["only capture"] = module_of("preflight.obstacles").check_capture(scene, [cube])
needs.memory = room[1]
python, os.environ["LSRM_BACKEND"] = os.environ["LSRM_BACKEND"], "/no/such/python"
results["backend"] = line([cube])
os.environ["LSRM_BACKEND"] = python
settings.checkpoint = "lsrm-rgb"
results["weights"] = line([cube])
check_list = module_of("ui.check_list")
operator = type("Drawn", (), {"layout": Layout()})()
operator.found = list(module_of("preflight.obstacles").checks(scene, [cube]))
client = module_of("jobs.backend_client").Client(None)
client.about = {"device": "Card", "memory": 8e9, "torch": "2.9"}
timer.SESSION._clients["backend"] = client
Layout.texts, Layout.drawn = [], []
check_list.LSRM_OT_show_checks.draw(operator, Context([cube]))
results["list"] = [[text for text in Layout.texts if text], Layout.drawn]
timer.SESSION._clients.clear()
results["no device"] = check_list.device_text()
results["told"] = call(bpy.ops.lsrm.show_checks)
settings.checkpoint, settings.source = "none", "VIEWS"
results["no views"] = line([cube])
settings.views_folder = str(work)
results["views"] = line([])
settings.source = "OBJECTS"
results["qualities"] = []
for quality in ("DRAFT", "BEST", "NORMAL"):
    call(bpy.ops.lsrm.use_quality, quality=quality)
    line([cube])
    pressed, times = [], []
    class Row:
        def column(self, align):
            return self
        def row(self, align=False):
            return self
        def grid_flow(self, columns, **options):
            return self
        def operator(self, name, text, depress):
            pressed.append(depress)
            return type("Properties", (), {})()
        def label(self, text, translate):
            times.append(text)
    panel.draw_quality(Row(), Context([cube]))
    chosen = [settings.view_count, settings.view_size]
    results["qualities"].append([chosen, state.seconds, pressed, times])
results["preview"] = call(bpy.ops.lsrm.preview_cameras)
results["cameras"] = len(bpy.data.collections["LSRM Preview"].objects)
results["preview off"] = call(bpy.ops.lsrm.preview_cameras)
results["gone"] = [len(bpy.data.cameras), "LSRM Preview" in bpy.data.collections]
bpy.ops.object.select_all(action="DESELECT")
results["preview of nothing"] = call(bpy.ops.lsrm.preview_cameras)
results["about"] = [readiness.about(each) for each in (0.1, 62.0, 100.0, 8000.0)]
costs, counts = module_of("preflight.job_costs"), {"views": 10, "view_pixels": 10 * 300 * 400}
known = lambda: costs.reconstruct_stages(costs.with_counts(costs.workload(settings), counts))
task, before = module_of("ui.tasks").reconstruct_views(scene, work, work / "jobs", "cpu"), known()
step = next(task.steps)
step.spent["texture"] = 100.0
task.steps.send({"report": {"counts": counts}})
task.steps.close()
results["learned"] = [before["texture"], known()["texture"]]
"""


@pytest.fixture(scope="module")
def results(run_blender, tmp_path_factory):
    """What one Blender has drawn and done."""
    return run_blender(READINESS, tmp_path_factory.mktemp("readiness"))


def test_one_line_says_ready_or_what_is_missing(results):
    """Each obstacle has a sentence, and the setting or the button that mends it."""
    assert results["first"] == ["Looking…"]
    assert results["ready"][0][0].startswith("Ready: 4 views, about ")
    expected = {
        "nothing": ("No object is selected.", None),
        "camera": ("No object is selected.", None),
        "no image": ("No image lights the capture.", "capture_environment"),
        "one camera": ("two perspective cameras or more; the scene has 1", "placement"),
        "output": (None, "output_folder"),
        "disk": ("The disk of", "output_folder"),
        "backend": (None, "lsrm.open_preferences"),
        "weights": (None, "checkpoint"),
        "no views": ("No views are chosen.", "views_folder"),
    }
    if sys.platform == "linux":  # elsewhere the system does not say what is available
        expected["memory"] = ("the job needs about", "lsrm.use_less")
    for name, (text, mended_by) in expected.items():
        texts, drawn = results[name]
        assert text is None or text in " ".join(texts), name
        assert drawn == ([mended_by] if mended_by else []), name
    assert results["animation"][0][0].startswith("Ready: 4 views")
    assert results["views"][0][0].startswith("Ready: about")
    assert results["pressed"] == 1, "who presses the button nevertheless reads it once"
    assert results["scripts"][0] == "ERROR"
    assert results["scripts"][1].startswith("BAD_ASSET")
    assert results["only capture"] is None
    assert set(results["lists"]) == {1}, "the button that lists everything is always there"


def test_all_checks_are_listed_with_what_mends_them(results):
    """The good ones say what there is; the panel's line is only the first of the others."""
    sentences, drawn = results["list"]
    names = [text.partition(":")[0] for text in sentences if ":" in text]
    assert names[:3] == ["Objects", "Light", "Cameras"]
    assert {"Output", "Disk", "Backend", "Checkpoint", "Memory"} <= set(names)
    text = " ".join(sentences)
    assert "Objects: Cube Light: Studio Cameras: 4 views of 48 pixels" in text
    assert "GB free, about 0.4 GB needed" in text
    assert "Device: Card, 8.0 GB, PyTorch 2.9" in sentences
    assert results["no device"] == "", "before a backend was started"
    assert drawn == ["checkpoint", "lsrm.self_test"]
    assert results["told"][0] == "FINISHED"


def test_a_quality_sets_all_that_costs_time(results):
    """The pressed quality is that of the settings; seconds stand beside each, in order."""
    draft, best, normal = results["qualities"]
    assert [draft[0], best[0], normal[0]] == [[12, 256], [32, 1024], [16, 512]]
    assert draft[1] < normal[1] < best[1]
    for index, (_, _, pressed, times) in enumerate((draft, normal, best)):
        assert pressed == [each == index for each in range(3)]
        assert all(text.endswith(("s", "min", "h")) for text in times)
    assert results["about"] == ["5 s", "60 s", "2 min", "2.2 h"]
    assert results["preview"] == ["FINISHED", ""]
    assert results["cameras"] == 16
    assert results["gone"] == [1, False]
    assert results["preview of nothing"][1].startswith("BAD_ASSET")


def test_jobs_of_views_teach_what_they_cost(results):
    """A slow stage is expected to be slow in the next job of as many views of that size."""
    before, after = results["learned"]
    assert 3.0 * before < after < 100.0
