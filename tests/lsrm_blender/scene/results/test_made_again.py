# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A selected result stands for what it was made of: made again, it is no copy of a copy."""

from __future__ import annotations


def _targets():
    """What results of a lamp, of one of two things in a room, and of photographs stand for."""
    from pathlib import Path

    import bpy
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice, choose
    from lsrm.lsrm_blender.scene.assets.targets import make_targets, without_results
    from lsrm.lsrm_blender.scene.results import originals

    scene = bpy.context.scene

    def put(name, parent=None, kind="MESH"):
        data = bpy.data.meshes.new(name) if kind == "MESH" else None
        if data is not None:
            data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
        made = bpy.data.objects.new(name, data)
        scene.collection.objects.link(made)
        made.parent = parent
        return made

    def result_of(name, *parts):
        made = put(name)
        made[originals.REPORT] = "{}"
        made[originals.SOURCE_OBJECTS] = {str(at): part for at, part in enumerate(parts)}
        originals.hide_replaced([made], scene)
        return made

    def target_of(*objects, each=False):
        chosen = without_results(objects, scene)
        return [[one.name, sorted(one.names)] for one in make_targets(chosen, None, each=each)]

    lamp = put("Lamp", kind="EMPTY")
    shade, foot = put("Shade", lamp), put("Foot", lamp)
    bulb = put("Bulb", lamp)
    bulb.hide_render = True
    room = put("Room", kind="EMPTY")
    mug, chair = put("Mug", room), put("Chair", room)
    again = result_of("Lamp.001", shade, foot)
    photo = result_of("Photo")
    cup = result_of("Mug.001", mug)
    found = {
        "parts": target_of(again, each=True),
        "one of several": target_of(cup),
        "with its original": target_of(cup, mug),
        "photographs": target_of(photo),
        "other": target_of(chair),
    }
    names = ("Lamp", "Shade", "Foot", "Bulb")
    bpy.context.view_layer.update()
    asset = choose(scene, AssetChoice(Path("a.blend"), names=names))
    found["captured"] = sorted(each.name for each in asset.objects)
    return found


def test_a_result_stands_for_its_original(in_blender):
    """Whole, where nothing else hangs there; what the artist has hidden stays hidden."""
    found = in_blender(_targets)
    assert found["parts"] == [["Lamp", ["Bulb", "Foot", "Lamp", "Shade"]]]
    assert found["one of several"] == [["Mug", ["Mug"]]]
    assert found["with its original"] == [["Mug", ["Mug"]]]
    assert found["photographs"] == [["Photo", ["Photo"]]]
    assert found["other"] == [["Chair", ["Chair"]]]
    assert found["captured"] == ["Foot", "Shade"]
