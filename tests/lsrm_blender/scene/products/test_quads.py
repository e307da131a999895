# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quads of meshes that QuadriFlow takes, refuses, and spoils."""

from __future__ import annotations

import pytest


def _remeshed(fin, setting=None, value=None):
    """Remesh a ball, with a fin that makes it no manifold, or by another limit of the module."""
    import bpy
    import numpy as np
    from lsrm.backend.shared.errors import LsrmError
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender.scene.products import quads

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=2.0, location=(3, 0, 0))
    ball = bpy.context.object
    if fin:
        mesh = ball.data
        points = [list(vertex.co) for vertex in mesh.vertices]
        faces = [list(polygon.vertices) for polygon in mesh.polygons]
        first, second, _ = faces[0]
        points.append([1.1 * x for x in points[first]])
        ball.data = bpy.data.meshes.new("finned")
        ball.data.from_pydata(points, [], [*faces, [first, second, len(points) - 1]])
    material = bpy.data.materials.new("paint")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("paint base color", 16, 16)
    shader = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    ball.data.materials.append(material)
    ball.data.uv_layers.new()
    quads.VOXELS, reports = 24, []
    if setting:
        setattr(quads, setting, value)
    before = [made.name for made in bpy.data.objects]
    try:
        made = quads.make_quads(
            ball, "ball_quads", bpy.context.scene,
            Progress(lambda _stage, _fraction, message: reports.append(message)),
        )  # fmt: skip
    except LsrmError as error:
        return {"error": str(error), "reports": reports}
    corners = [polygon.loop_total for polygon in made.data.polygons]
    world = made.matrix_world
    points = np.array([list(world @ vertex.co) for vertex in made.data.vertices])
    nodes = made.active_material.node_tree.nodes
    return {
        "quads": corners.count(4) / len(corners),
        "faces": [len(corners), len(ball.data.polygons)],
        "center": np.abs((points.min(axis=0) + points.max(axis=0)) / 2 - [3, 0, 0]).max(),
        "radius": float(np.ptp(points, axis=0).max() / 2),
        "names": [made.name, made.data.name, made.active_material.name],
        "images": sorted(node.image.name for node in nodes if node.type == "TEX_IMAGE"),
        "new": [made.name for made in bpy.data.objects if made.name not in before],
        "reports": reports,
    }


@pytest.mark.parametrize("fin", [False, True])
def test_quads_lie_where_the_result_lies(in_blender, fin):
    """Also those of a mesh that QuadriFlow refuses, which a closed surface replaces."""
    seen = in_blender(_remeshed, fin=fin)
    assert seen["quads"] > 0.9
    assert seen["faces"][0] == pytest.approx(seen["faces"][1] / 2, rel=0.3)
    assert seen["center"] < 0.1
    assert seen["radius"] == pytest.approx(2.0, rel=0.1)
    assert seen["names"] == ["ball_quads"] * 3
    assert seen["images"] == ["ball_quads base color", "ball_quads normal"]
    assert seen["new"] == ["ball_quads"]
    assert ("remeshing a closed surface" in seen["reports"]) == fin


def test_another_surface_is_no_result(in_blender):
    """If the number of faces is far from the wanted one, nothing is baked."""
    seen = in_blender(_remeshed, fin=False, setting="FACES_FACTOR", value=1.0)
    assert "lost parts" in seen["error"]
    assert seen["reports"] == ["remeshing", "remeshing a closed surface"]
