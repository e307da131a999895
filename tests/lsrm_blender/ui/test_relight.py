# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relighting the open scene by the panel, and putting back what it had."""

from __future__ import annotations

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
