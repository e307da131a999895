# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relighting the open scene by the panel, and putting back what it had."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.shared.radiance_hdr import write_hdr

LIVE = """
relit, light = module_of("scene.relight.relit_scene"), scene.lsrm_relight
light_list = module_of("ui.relight.light_list")
viewports = [a for s in bpy.data.screens for a in s.areas if a.type == "VIEW_3D"]
lamp, off = bpy.data.objects["Light"], bpy.data.lights.new("Off", "POINT")
dark = bpy.data.objects.new("Dark", off)
dark.hide_render = True
scene.collection.objects.link(dark)
(work / "hdris").mkdir()
mine = work / "hdris" / "my hall é.exr"
image = bpy.data.images.new("x", 8, 4, float_buffer=True)
image.file_format = "OPEN_EXR"
image.save(filepath=str(mine))
bpy.data.images.remove(image)
(work / "hdris" / "notes.txt").touch()

def state():
    return [
        sorted((w.name, w.users, w.use_fake_user) for w in bpy.data.worlds),
        sorted((i.name, i.users) for i in bpy.data.images), scene.world.name,
        sorted(set(scene.keys()) - {"lsrm", "lsrm_relight", "cycles"}),
        [[o.hide_viewport, o.hide_render] for o in (lamp, dark)],
        [[getattr(a.spaces[0].shading, n) for n in ("type", "use_scene_world")] for a in viewports],
        [sorted(s.keys()) for s in bpy.data.screens],
    ]

def lit():
    tree = scene.world.node_tree.nodes
    strength = next(n for n in tree if n.type == "BACKGROUND").inputs["Strength"].default_value
    turned = [n.inputs["Rotation"].default_value[2] for n in tree if n.type == "MAPPING"]
    return [round(strength, 4), *(round(each, 4) for each in turned)]

light_list.refresh()
before = state()
results["poll"] = bpy.ops.lsrm.restore_light.poll()
results["not yet"] = []
light.strength = 2.0
results["not yet"].append(state() == before)
light.light = "sunset"
results["relight"] = call(bpy.ops.lsrm.relight) + [scene.world.name] + lit()
light.strength, light.rotation = 0.0, 0.5
results["dark"] = lit()
light.strength = 3.0
results["live"] = lit()
light.thumbnail = "forest"
results["other"] = [light.light, scene.world.name, *lit()]
light.folder = str(work / "hdris")
results["listed"] = [each.source for each in light_list.lights()]
results["sheet"] = light_list.for_contact_sheet()
light.thumbnail = str(mine)
results["mine"] = [light.light, scene.world.name, light.thumbnail]
light.light = str(work / "gone.exr")
results["gone"] = [light.thumbnail, scene.world.name, *call(bpy.ops.lsrm.relight)]
light.light = "city"
call(bpy.ops.lsrm.relight, environment="World")
light.strength = 4.0
results["own world"] = [scene.world.name, *lit()]
call(bpy.ops.lsrm.relight, environment=scene.world.name)
light.rotation = 0.25
results["again"] = lit()
light.light = "softboxes"
results["worlds"] = sorted(w.name for w in bpy.data.worlds)
light.lamps_off = True
results["lamps"] = [light.lamps_off, lamp.hide_viewport, lamp.hide_render, dark.hide_viewport]
light.lamps_off = False
results["on"] = [light.lamps_off, lamp.hide_render, dark.hide_viewport, dark.hide_render]
light.lamps_off = True
shading = module_of("ui.relight.viewport_shading")
area = viewports[0]
screen = area.id_data
results["seen"] = [shading.shows_light(area.spaces[0])]
shading.show_light(screen, area, "RENDERED")
shading.show_light(screen, area, "MATERIAL")
results["seen"].append(shading.shows_light(area.spaces[0]))
results["shading"] = area.spaces[0].shading.type
panel = module_of("ui.relight.relight_panel").LSRM_PT_relight
results["drawn"] = [drawn(panel).drawn.count(f"lsrm.{n}") for n in ("relight", "restore_light")]
results["restore"] = call(bpy.ops.lsrm.restore_light)
results["as before"] = [one == other for one, other in zip(before, state())]
results["left"] = [before, state()]
light.lamps_off = True
bpy.data.objects.remove(lamp)
results["removed lamp"] = call(bpy.ops.lsrm.restore_light)
shading.show_light(screen, area, "RENDERED")
area.spaces[0].shading.type = "WIREFRAME"
shading.restore()
results["chosen since"] = area.spaces[0].shading.type
"""

PICTURES = """
light, made = scene.lsrm_relight, bpy.context.window_manager.lsrm_relit_pictures
light.size, light.samples, light.frames, light.folder = 32, 1, 2, str(work / "hdris")
before = seen()
results["turntable"] = call(bpy.ops.lsrm.turntable) + [run.note]
results["sheet"] = call(bpy.ops.lsrm.light_sheet) + [run.note]
results["unchanged"] = seen() == before
results["state"] = [made.asset, made.folder]
sheet = module_of("ui.pictures")._previews["lights"]["lights"]
results["picture"] = list(sheet.image_size)
results["drawn"] = drawn(module_of("ui.relight.relight_panel").LSRM_PT_relit_pictures).drawn[-1]
bpy.ops.object.select_all(action="DESELECT")
results["nothing"] = call(bpy.ops.lsrm.turntable)
light.size = 33
scene.objects["Cube"].select_set(True)
results["odd"] = call(bpy.ops.lsrm.turntable)
video = bpy.data.images.load(str(next((work / "jobs" / "Cube" / "relit" / "001").glob("*.mp4"))))
results["video"] = [video.source, *video.size, video.frame_duration]
"""


def test_a_scene_is_relit_live_and_put_back(blender, tmp_path):
    """Light, strength, rotation and lamps change at once; afterwards all is as it was before."""
    results = blender(LIVE)
    done, mine = ["FINISHED", ""], str(tmp_path / "hdris" / "my hall é.exr")
    assert not results["poll"]
    assert results["not yet"] == [True]
    assert results["relight"] == [*done, "LSRM sunset", 2.0, 0.0]
    assert results["dark"] == [0.0, 0.5]
    assert results["live"] == [3.0, 0.5]
    assert results["other"] == ["forest", "LSRM forest", 3.0, 0.5]
    assert results["listed"][:2] == ["softboxes", "forest"]
    assert results["listed"][-1] == mine
    assert results["sheet"] == [mine]
    assert results["mine"] == [mine, "LSRM my_hall_é", mine]
    gone, world, *answer = results["gone"]
    assert (gone, world) == (str(tmp_path / "gone.exr"), "LSRM my_hall_é")
    assert answer[1].startswith("BAD_ASSET")
    assert results["own world"] == ["LSRM World", 4.0]
    assert results["again"] == [4.0]
    assert results["worlds"] == ["LSRM softboxes", "World"]
    assert results["lamps"] == [True, True, True, True]
    assert results["on"] == [False, False, False, True]
    assert results["seen"] == [False, True]
    assert results["shading"] == "MATERIAL"
    assert results["drawn"] == [0, 1]
    assert results["restore"] == done
    assert all(results["as before"]), results["left"]
    assert results["removed lamp"] == done
    assert results["chosen since"] == "WIREFRAME"


@pytest.mark.slow
def test_pictures_are_made_by_the_second_blender(blender, tmp_path):
    """A turntable has frames and a video, a contact sheet all lights; the scene stays as it is."""
    (tmp_path / "hdris").mkdir()
    for name in ("hall", "park"):
        write_hdr(tmp_path / "hdris" / f"{name}.hdr", np.ones((4, 8, 3), np.float32))
    results = blender(PICTURES)
    pictures, done = tmp_path / "jobs" / "Cube" / "relit", ["FINISHED", ""]
    assert results["turntable"] == [*done, f"The turntable is in {pictures}/001/softboxes.mp4"]
    frames = sorted(path.name for path in (pictures / "001" / "softboxes").iterdir())
    assert frames == ["0000.png", "0001.png"]
    assert results["video"] == ["MOVIE", 32, 32, 2]
    assert results["sheet"] == [*done, f"The contact sheet is {pictures}/002/contact_sheet.png"]
    assert {path.stem for path in (pictures / "002").glob("*.png")} == {
        "hall", "park", "contact_sheet",
    }  # fmt: skip
    sheet = Image.open(pictures / "002" / "contact_sheet.png")
    assert results["picture"] == list(sheet.size)
    captions = np.asarray(sheet.convert("L"), float)[32:40]
    assert captions.max() > captions.min() + 50, "the names of the lights are written"
    assert results["unchanged"]
    assert results["state"] == ["Cube", str(pictures / "002")]
    assert results["drawn"] == "lsrm.open_folder"
    assert results["nothing"][1].startswith("BAD_ASSET")
    assert "odd number" in results["odd"][1]
