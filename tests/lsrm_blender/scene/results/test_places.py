# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results take the place of their source, whatever has moved, scaled, mirrored or sheared it."""

from __future__ import annotations

import pytest


def _places(folder):
    """Imports results of wedges in many situations; what came of each, by its name."""
    from pathlib import Path

    import bpy
    import numpy as np
    from lsrm.lsrm_blender.scene.assets.asset_import import open_empty
    from lsrm.lsrm_blender.scene.assets.asset_objects import anchor
    from lsrm.lsrm_blender.scene.results import originals
    from lsrm.lsrm_blender.scene.results.result_files import Result
    from lsrm.lsrm_blender.scene.results.result_import import (
        append_result,
        import_result,
        store_import,
    )
    from mathutils import Matrix

    folder, seen = Path(folder), {}

    def wedge(name, collection=None):
        """A tetrahedron without any symmetry."""
        mesh = bpy.data.meshes.new(name)
        corners = [(0, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 0.5)]
        mesh.from_pydata(corners, [], [(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)])
        made = bpy.data.objects.new(name, mesh)
        (collection or bpy.context.scene.collection).objects.link(made)
        made.select_set(state=True)
        return made

    def triangles(shown):
        """Corners in the world, as sets; normals of the faces and of the corners."""
        bpy.context.view_layer.update()
        world, mesh = shown.matrix_world, shown.data
        normal = world.to_3x3().inverted().transposed()
        stored = {}
        for polygon in mesh.polygons:
            corners = [world @ mesh.vertices[index].co for index in polygon.vertices]
            key = str(sorted([round(x, 3) + 0.0 for x in corner] for corner in corners))
            loops = [mesh.corner_normals[index].vector for index in polygon.loop_indices]
            stored[key] = [
                list((normal @ polygon.normal).normalized()),
                *(list((normal @ each).normalized()) for each in loops),
            ]
        return stored

    def same(one, other):
        if set(one) != set(other):
            return "other corners"
        gaps = [np.abs(np.array(one[key]) - np.array(other[key])).max() for key in one]
        return "same" if max(gaps) < 0.01 else f"normals differ by {max(gaps):.3f}"

    def result_of(shown, name, file=""):
        """The perfect result of an object where it is now, as the backend writes it."""
        bpy.context.view_layer.update()
        copy = bpy.data.objects.new("copy", shown.data.copy())
        bpy.context.scene.collection.objects.link(copy)
        copy.data.transform(shown.matrix_world)
        if shown.matrix_world.determinant() < 0:
            copy.data.flip_normals()
        copy.data.uv_layers.new()
        for each in bpy.context.selected_objects:
            each.select_set(state=False)
        copy.select_set(state=True)
        path = folder / name / "mesh.glb"
        path.parent.mkdir()
        called, shown.name = shown.name, "another"
        copy.name = called
        bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True)
        bpy.data.objects.remove(copy)
        shown.name = called
        source = {"file": file, "name": shown.name, "objects": [shown.name]}
        source["anchor"] = anchor(shown)
        return Result(path, {"request": {"views": str(folder / name)}}, {"source": source})

    def imported(result, *, append=False):
        if not append:
            return import_result(result, bpy.context.scene)[0]
        blend = result.mesh.with_suffix(".blend")
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "open.blend"))
        open_empty()
        store_import(result, blend)
        bpy.ops.wm.open_mainfile(filepath=str(folder / "open.blend"))
        return append_result(result, blend, bpy.context.scene)[0]

    def begin(name="Wedge"):
        open_empty()
        made = wedge(name)
        made.location, made.rotation_euler, made.scale = (3, -2, 1), (0.3, -0.5, 1.1), (2, 1, 0.5)
        return made

    for case, append in (("imported", False), ("appended", True)):
        source = begin()
        collection = bpy.data.collections.new("Kitchen")
        bpy.context.scene.collection.children.link(collection)
        collection.objects.link(source)
        bpy.context.scene.collection.objects.unlink(source)
        before = triangles(source)
        made = imported(result_of(source, case), append=append)
        source = bpy.data.objects["Wedge"]
        seen[case] = [
            made.name, same(triangles(made), before), [each.name for each in made.users_collection],
            [round(x, 4) for x in (*made.location, *made.rotation_euler, *made.scale)],
            source.hide_get(), source.hide_render, made.hide_get(), made.hide_render,
            made.select_get(), source.select_get(), bpy.context.view_layer.objects.active == made,
            made.data.name.startswith("Wedge"), len(bpy.context.selected_objects),
        ]  # fmt: skip

    source = begin()
    source.scale = (-1, 2, 1)
    before = triangles(source)
    seen["mirrored"] = same(triangles(imported(result_of(source, "mirrored"))), before)

    source = begin()
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.scale, parent.rotation_euler = (3, 1, 0.5), (0.2, 0.7, 0.1)
    bpy.context.view_layer.update()
    source.parent = parent
    source.matrix_parent_inverse = Matrix.Translation((0.5, 0, 0))
    before, result = triangles(source), result_of(source, "sheared")
    made = imported(result)
    seen["sheared"] = [same(triangles(made), before), made.parent.name]
    originals.set_hidden([source], bpy.context.scene, hidden=False)
    parent.location.x, source.rotation_euler.z = 5.0, 2.0
    again = imported(result)
    seen["moved since"] = same(triangles(again), triangles(source))
    parent.location.y = -7.0
    seen["follows"] = same(triangles(again), triangles(source))
    seen["earlier"] = [made.hide_get(), made.hide_render, again.hide_get()]
    bpy.data.objects.remove(source)
    alone = imported(result)
    seen["source deleted"] = same(triangles(alone), before)
    seen["alone"] = [alone.hide_get(), alone.hide_render, len(originals.originals_of(alone))]

    source = begin()
    source.constraints.new("LIMIT_LOCATION").use_min_x = True
    source.constraints[0].min_x = 10.0
    bpy.context.view_layer.update()
    seen["constrained"] = same(triangles(imported(result_of(source, "held"))), triangles(source))

    source = begin()
    source.scale.z = 0.0
    seen["flat"] = list(imported(result_of(source, "flat")).location)

    source = begin()
    result = result_of(source, "editing")
    made = import_result(result, bpy.context.scene)[0]
    originals.set_hidden([source], bpy.context.scene, hidden=False)
    bpy.context.view_layer.objects.active = source
    bpy.ops.object.mode_set(mode="EDIT")
    originals.hide_replaced([made], bpy.context.scene)
    originals.select_only([made], originals.layers_shown(bpy.context.scene))
    seen["editing"] = [source.hide_get(), bpy.context.view_layer.objects.active.name, source.mode]
    bpy.ops.object.mode_set(mode="OBJECT")

    source = begin("Photographed")
    result = result_of(source, "photographs")
    result.capture["source"] = {"name": "Mug"}
    bpy.data.objects.remove(source)
    made = imported(result)
    seen["photographs"] = [made.name, made.hide_get(), made.hide_render, list(made.location)]
    seen["no pair"] = originals.find_pair(bpy.context.scene, made) is None
    second = imported(result)
    seen["photographs again"] = [second.name, second.hide_get(), made.hide_get()]
    seen["only mesh"] = originals.find_pair(bpy.context.scene, second) is None

    source = begin()
    result = result_of(source, "linked")
    bpy.context.scene.collection.objects.unlink(source)
    library = bpy.data.collections.new("Library")
    library.objects.link(source)
    bpy.data.libraries.write(str(folder / "library.blend"), {library})
    open_empty()
    with bpy.data.libraries.load(str(folder / "library.blend"), link=True) as (_, wanted):
        wanted.collections = ["Library"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.context.view_layer.update()
    source = bpy.context.scene.objects["Wedge"]
    before, made = triangles(source), imported(result)
    places = [each.name for each in made.users_collection]
    seen["linked"] = [source.hide_get(), made.hide_get(), same(triangles(made), before), places]

    source = begin()
    result = result_of(source, "detached")
    made = imported(result.detached())
    seen["detached"] = [made.name, source.hide_get(), same(triangles(made), triangles(source))]
    attached = imported(result)
    seen["same views"] = [made.hide_get(), attached.hide_get()]
    seen["and back"] = [imported(result.detached()).hide_get(), attached.hide_get()]
    return seen


def test_places(in_blender, tmp_path):
    """Name, transform, origin, parent, collection, and what is shown and selected."""
    seen = in_blender(_places, folder=tmp_path)
    transform = [3.0, -2.0, 1.0, 0.3, -0.5, 1.1, 2.0, 1.0, 0.5]
    hidden, selected = [True, True, False, False], [True, False, True]
    for case in ("imported", "appended"):
        assert seen[case] == [
            "Wedge.001", "same", ["Kitchen"], transform, *hidden, *selected, True, 1,
        ], case  # fmt: skip
    assert seen["same views"] == [True, False]
    assert seen["and back"] == [False, True]
    for case in ("mirrored", "moved since", "follows", "source deleted", "constrained"):
        assert seen[case] == "same", case
    assert seen["sheared"] == ["same", "Parent"]
    assert seen["alone"] == [False, False, 0]
    assert seen["earlier"] == [True, True, False]
    assert seen["flat"] == pytest.approx([0, 0, 0])
    assert seen["photographs"] == ["Mug", False, False, [0, 0, 0]]
    assert seen["editing"] == [False, "Wedge", "EDIT"]
    assert seen["no pair"]
    assert seen["photographs again"] == ["Mug.001", False, True]
    assert seen["only mesh"]
    assert seen["linked"] == [True, False, "same", ["Scene Collection"]]
    assert seen["detached"] == ["Wedge.001", False, "same"]
