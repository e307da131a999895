# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that adds the demo's object."""

from __future__ import annotations

import pytest

SCRIPT = """
from mathutils import Vector
def box(shown):
    corners = [each.matrix_world @ Vector(corner) for each in shown for corner in each.bound_box]
    return [[pick(each[axis] for each in corners) for axis in range(3)] for pick in (min, max)]

before = seen()
begin = time.thread_time()
results["add"] = call(bpy.ops.lsrm.add_demo_object)
results["seconds"] = time.thread_time() - begin
bpy.context.view_layer.update()
after = seen()
results["rest"] = [before[:7] == after[:7], before[9:] == after[9:]]
results["selected"] = [each.name for each in bpy.context.selected_objects]
rocket = bpy.context.view_layer.objects.active
results["rocket"] = box([each for each in rocket.children_recursive])
results["middle"] = list(rocket.location)
results["cube"] = box([scene.objects["Cube"]])
targets = module_of("scene.assets.targets")
made = targets.make_targets(bpy.context.selected_objects, rocket, each=False)
results["target"] = [made[0].name, len(made[0].names) == len(rocket.children_recursive) + 1]
scene.cursor.location = (0.0, 10.0, 3.0)
call(bpy.ops.lsrm.add_demo_object)
results["at the cursor"] = list(bpy.context.view_layer.objects.active.location)
demo = module_of("scene.demo_asset")
results["size"] = [demo.RADIUS, demo.HEIGHT]
bpy.context.view_layer.objects.active = scene.objects["Cube"]
bpy.ops.object.mode_set(mode="EDIT")
results["edit mode"] = bpy.ops.lsrm.add_demo_object.poll()
"""


@pytest.fixture(scope="module")
def results(run_blender, tmp_path_factory):
    """What the operator did in the default scene."""
    return run_blender(SCRIPT, tmp_path_factory.mktemp("demo"))


def test_the_rocket_is_added_and_selected(results):
    """One click makes it the source of the next job, without a window standing still."""
    assert results["add"] == ["FINISHED", ""]
    assert results["selected"] == ["Rocket"]
    assert results["target"] == ["Rocket", True]
    assert results["seconds"] < 0.6  # a third of that alone; beside other tests a core is slower
    assert not results["edit mode"]


def test_the_rocket_stands_beside_what_is_there(results):
    """It does not stand in the cube, and where nothing is it stands at the cursor."""
    assert results["rocket"][0][0] > results["cube"][1][0]
    assert results["at the cursor"] == [0.0, 10.0, 3.0]


def test_the_size_of_the_rocket(results):
    """The stated size is that of all parts."""
    rocket, (radius, height) = results["rocket"], results["size"]
    middle = results["middle"]
    assert rocket[1][2] - rocket[0][2] == pytest.approx(height, abs=0.02)
    reach = [abs(side[axis] - middle[axis]) for side in rocket for axis in range(2)]
    assert radius - 0.05 < max(reach) < radius + 0.01


def test_the_scene_is_left_alone(results):
    """World, camera, render settings and objects stay as they were."""
    assert results["rest"] == [True, True]
