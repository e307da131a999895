# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows of views before they are reconstructed, without a backend process."""

from __future__ import annotations

import pytest
from PIL import Image

# A dictionary `answers` has what the backend would answer, by method.
BEGIN = """
import shutil

panel, state = module_of("ui.panel"), bpy.context.window_manager.lsrm_views
tasks, sheet = module_of("ui.views_tasks"), module_of("ui.pictures")
sheet.icon = lambda name: len(sheet._previews)  # a Blender without a window has no icons
good = {
    "views": 8, "sizes": [[48, 48]], "masks": {"files": 8, "alpha": 0, "missing": 0},
    "warnings": [], "doubtful": False, "refused": False, "mean_coverage": 0.98,
    "likely_cause": None, "cameras": {},
}
answers = {"check": good, "extras": {"photos": {"installed": True, "size": "0.1 GB"}}}
requests = []

def answered(task):
    try:
        step = task.steps.send(None)
        while True:
            requests.append([step.method, step.params])
            if "contact_sheet" in step.params:
                Path(step.params["contact_sheet"]).write_bytes((work / "sheet.png").read_bytes())
            if step.method == "photos":
                shutil.copytree(views, step.params["output"])
            step = task.steps.send(answers[step.method])
    except StopIteration as end:
        return end.value

def shown():
    run.show(module_of("jobs.session").SessionState())
    layout = drawn(panel.LSRM_PT_main)
    return [text for text in layout.texts if text], layout.drawn, layout.icons

settings.source = "VIEWS"
views = work / "views"
settings.views_folder = str(views)
check = lambda: answered(tasks.check_views(scene, views))
"""

OUTCOMES = """
results["before"] = shown()
results["good"] = [check(), *shown(), list(sheet._previews["views"]["views"].image_size)]
answers["check"] = {**good, "doubtful": True, "mean_coverage": 0.72, "warnings": ["One.", "Two."]}
results["doubtful"] = [check(), *shown()]
answers["check"] = {**good, "doubtful": True, "likely_cause": "half", "sizes": [[9, 9], [48, 32]]}
results["cause"] = [check(), *shown(), bpy.ops.lsrm.fix_cameras.poll()]
settings.mask_erode = 3
results["other edge"] = shown()
settings.mask_erode, settings.fix_cameras = 0, True
results["outdated"] = shown()
turned = [[0, 0, 1, 3], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
lens = {"width": 48, "height": 48, "fx": 96, "fy": 96, "cx": 24, "cy": 24}
cameras = {"0003": {"camera_to_world": turned, "intrinsics": lens}}
answers["check"] = {**good, "warnings": ["Corrected: half."], "cameras": cameras}
check()
camera = bpy.data.objects["0003"]
results["camera"] = [list(camera.location), camera.data.lens / camera.data.sensor_width]
results["fixed"] = [requests[-1][1]["fix_cameras"], *shown()]
settings.views_folder = str(work / "other")
results["other folder"] = [settings.fix_cameras, *shown(), sheet.icon("views")]
results["no cause"] = bpy.ops.lsrm.fix_cameras.poll()
settings.views_folder = str(views)
answers["check"] = {**good, "refused": True, "doubtful": True, "mean_coverage": None}
results["refused"] = [check(), *shown()]
"""

HELP = """
missing = {"files": 2, "alpha": 1, "missing": 5}
answers["check"] = {**good, "masks": missing, "mean_coverage": None}
results["missing"] = [check(), *shown()]
answers["extras"]["photos"]["installed"] = False
check()
results["no tools"] = shown()
try:
    answered(tasks.make_masks(scene, views, work / "out"))
except Exception as error:
    results["refused"] = str(error)
answers |= {"masks": {"made": 5, "warnings": []}}
settings.mask_backdrop = "green"
offered, settings.mask_erode = shown(), 2
requests.clear()
results["backdrop"] = [offered, answered(tasks.make_masks(scene, views, work / "out"))]
results["backdrop requests"] = requests.copy()
settings.mask_backdrop = "NONE"
answers["export_views"] = {"views": 8, "warnings": ["Turned."]}
requests.clear()
results["exported"] = answered(tasks.export_views(views, work / "colmap", "colmap"))
results["export"] = requests.copy()
answers["extras"]["photos"]["installed"] = True
answers |= {"masks": {"made": 5, "warnings": ["Look at them."]}, "check": good}
requests.clear()
results["made"] = [answered(tasks.make_masks(scene, views, work / "out")), *shown()]
results["requests"] = requests.copy()
(work / "photos").mkdir()
for name in "abc":
    (work / "photos" / f"{name}.JPG").touch()
settings.views_folder = str(work / "photos")
results["photographs"] = [shown(), answered(tasks.check_views(scene, work / "photos"))]
answers["photos"] = {"posed": 3, "warnings": []}
requests.clear()
answered(tasks.find_cameras(scene, work / "photos", work / "jobs"))
results["found"] = [[each[0] for each in requests], settings.views_folder, shown()]
answers["install"] = {"python": "python"}
requests.clear()
state.tools_missing = True
answered(tasks.install_photo_tools())
results["installed"] = [requests, state.tools_missing]
settings.views_folder = str(work / "photos")
results["offline"] = call(bpy.ops.lsrm.install_photo_tools)
results["started"] = module_of("ui.views_operators").LSRM_OT_find_cameras.task(
    None, bpy.context
).title
"""

DROPPED = """
handler = module_of("ui.menus.dropped_files").LSRM_FH_views
results["registered"] = [handler.is_registered, handler.bl_file_extensions]
over = lambda kind: type("C", (), {"area": kind and type("Area", (), {"type": kind})()})()
results["taken"] = [handler.poll_drop(over(kind)) for kind in ("VIEW_3D", "IMAGE_EDITOR", None)]
operator = getattr(bpy.ops, handler.bl_import_operator.split(".")[0])
operator = getattr(operator, handler.bl_import_operator.split(".")[1])
results["given"] = operator.get_rna_type().properties["filepath"].is_skip_save

def drop(path):
    settings.source, settings.views_folder = "OBJECTS", ""
    outcome = call(operator, "INVOKE_DEFAULT", filepath=str(path))
    cameras = [each for each in scene.objects if each.type == "CAMERA" and each.name != "Camera"]
    return [*outcome, settings.source, settings.views_folder, len(cameras)]

results["views"] = drop(views / "transforms.json")
results["again"] = drop(views / "transforms.json")
(work / "other.json").write_text('{"frames": "none"}')
results["other"] = drop(work / "other.json")
(work / "broken.json").write_text("{")
results["broken"] = drop(work / "broken.json")
"""


@pytest.fixture
def views(blender, make_capture, tmp_path):
    """A function that runs a script in Blender beside a capture in `views`."""
    make_capture(tmp_path / "views", views=8, size=48)
    Image.new("RGB", (20, 10), "red").save(tmp_path / "sheet.png")
    return lambda script: blender(BEGIN + script)


def test_outcome_of_the_check_is_shown_until_the_views_change(views):
    """Pictures, masks and verdict are drawn; a likely mistake has a button that corrects it."""
    results = views(OUTCOMES)
    assert results["before"][2] == 0
    note, texts, operators, icons, size = results["good"]
    assert note == "8 views are good"
    assert {"8 views, 48 x 48", "Masks: 8 from files", "Cameras and masks agree: 98 %"} <= set(
        texts
    )
    assert (icons, size) == (1, [20, 10])
    assert "lsrm.fix_cameras" not in operators
    assert "lsrm.reconstruct" in operators
    note, texts, operators, _ = results["doubtful"]
    assert note == "8 views are doubtful\nOne.\nTwo."
    assert {"One.", "Two."} <= set(texts)
    assert "Doubtful: 72 % of the masks fit" in " ".join(texts)
    assert "lsrm.fix_cameras" not in operators
    _, texts, operators, _, can_fix = results["cause"]
    assert {"8 views, up to 48 x 32", "The cameras are probably wrong"} <= set(texts)
    assert "lsrm.fix_cameras" in operators
    assert can_fix
    assert "fix_cameras" in results["outdated"][1]
    for name in ("other edge", "outdated"):
        assert not any("views, " in text for text in results[name][0])
    fix, texts, operators, _ = results["fixed"]
    assert fix
    assert "Corrected: half." in texts
    assert results["camera"] == [[3.0, 0.0, 0.0], 2.0]
    assert {"fix_cameras", "lsrm.reconstruct"} <= set(operators)
    assert results["other folder"][0] is False
    assert results["other folder"][3:] == [0, 0]
    assert not results["no cause"]
    assert "Cameras and masks do not fit" in results["refused"][1]


def test_missing_masks_and_cameras_have_buttons(views, tmp_path):
    """Masks are made and cameras are found where the tools are installed; else they are offered."""
    results = views(HELP)
    note, texts, operators, _ = results["missing"]
    assert note == "8 views, 5 without masks"
    assert "Masks: 2 from files, 1 from transparency, 5 missing" in texts
    assert {"lsrm.make_masks", "lsrm.reconstruct"} <= set(operators)
    texts, operators, _ = results["no tools"]
    assert "Install Photograph Tools (0.1 GB)" in texts
    assert "lsrm.make_masks" not in operators
    assert results["refused"].startswith("ENVIRONMENT_BROKEN")
    (_, operators, _), _ = results["backdrop"]
    assert "lsrm.make_masks" in operators  # by a backdrop they are made without the tools
    (masks, asked), (check, edge), *_ = results["backdrop requests"]
    assert (masks, asked["backdrop"], asked["model"]) == ("masks", "green", "")
    assert (check, edge["mask_erode"], edge["mask_feather"]) == ("check", 2, 0)
    assert results["exported"] == f"8 views are in {tmp_path / 'colmap'}\nTurned."
    folders = {"views": str(tmp_path / "views"), "output": str(tmp_path / "colmap")}
    assert results["export"] == [["export_views", {**folders, "format": "colmap"}]]
    assert [method for method, _ in results["requests"]] == ["extras", "masks", "check"]
    assert results["requests"][1][1]["output"] == str(tmp_path / "out")
    assert "Look at them." in results["made"][1]
    (texts, operators, _), note = results["photographs"]
    assert "3 photographs without cameras" in texts
    assert "lsrm.find_cameras" in operators
    assert note == "3 photographs without cameras"
    methods, folder, (texts, _, _) = results["found"]
    assert methods == ["extras", "photos", "check"]
    assert folder == str(tmp_path / "jobs" / tmp_path.name / "001" / "capture")
    assert "8 views, 48 x 48" in texts
    assert results["installed"] == [[["install", {"extras": ["photos"]}]], False]
    assert results["offline"][1].startswith("ENVIRONMENT_BROKEN")
    assert results["started"] == "Find cameras of photos"


def test_a_dropped_file_becomes_the_source(views, tmp_path):
    """A transforms.json on the 3D view, as Blender calls it then; another file is an error."""
    results = views(DROPPED)
    assert results["registered"] == [True, ".json"]
    assert results["taken"] == [True, False, False]
    assert results["given"], "Blender sets the path beforehand, and must not remember it"
    dropped = str(tmp_path / "views" / "transforms.json")
    assert results["views"] == results["again"] == ["FINISHED", "", "VIEWS", dropped, 8]
    for name in ("other", "broken"):
        outcome, message, source, folder, _ = results[name]
        assert (outcome, source, folder) == ("ERROR", "OBJECTS", ""), name
        assert message.startswith("BAD_CAPTURE"), name
