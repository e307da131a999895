# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a .blend is captured, what lights it, what is left out, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest


def _choices(folder):
    """What is chosen in scenes of many kinds, by the name of the kind."""
    from pathlib import Path

    import bpy
    import numpy as np
    from lsrm.backend.shared.errors import LsrmError
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender.commands.serve import capture
    from lsrm.lsrm_blender.scene.assets.asset_import import open_asset, open_empty
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice, choose, lights
    from lsrm.lsrm_blender.scene.assets.emission import glows_evenly
    from lsrm.lsrm_blender.scene.assets.external_files import missing_file_warnings
    from lsrm.lsrm_blender.scene.assets.targets import Target
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import add_camera
    from lsrm.lsrm_blender.scene.lighting import without_fog
    from lsrm.lsrm_blender.scene.rendered_geometry import rendered_geometry
    from lsrm.lsrm_blender.scene.scene_state import working_scene

    folder = Path(folder)

    def cube(name, at=(0.0, 0.0, 0.0), size=2.0, collection=None):
        mesh = bpy.data.meshes.new(name)
        half = 0.5 * size
        corners = [(x, y, z) for z in (-half, half) for y in (-half, half) for x in (-half, half)]
        quads = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6))
        mesh.from_pydata(corners, [], quads)
        made = bpy.data.objects.new(name, mesh)
        made.location = at
        (collection or bpy.context.scene.collection).objects.link(made)
        bpy.context.view_layer.update()
        return made

    def material(name, build):
        made = bpy.data.materials.new(name)
        made.use_nodes = True
        made.node_tree.nodes.clear()
        output = made.node_tree.nodes.new("ShaderNodeOutputMaterial")
        build(made.node_tree, output)
        return made

    def glowing(tree, output, strength=5.0):
        node = tree.nodes.new("ShaderNodeEmission")
        node.inputs["Strength"].default_value = strength
        tree.links.new(node.outputs[0], output.inputs["Surface"])

    def smoke(tree, output):
        node = tree.nodes.new("ShaderNodeVolumePrincipled")
        tree.links.new(node.outputs[0], output.inputs["Volume"])

    def grouped_glow(tree, output):
        group = bpy.data.node_groups.new("Lamp", "ShaderNodeTree")
        group.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
        inside = group.nodes.new("ShaderNodeEmission")
        group.links.new(inside.outputs[0], group.nodes.new("NodeGroupOutput").inputs[0])
        node = tree.nodes.new("ShaderNodeGroup")
        node.node_tree = group
        tree.links.new(node.outputs[0], output.inputs["Surface"])

    def seen(**choice):
        scene = bpy.context.scene
        try:
            asset = choose(scene, AssetChoice(Path("scene.blend"), **choice))
        except LsrmError as error:
            return {"error": error.to_dict()}
        with working_scene("test", asset.objects, asset.poses) as working:
            add_camera(working)
            points = rendered_geometry(working).vertices
        return {
            "objects": sorted(shown.name for shown in asset.objects),
            "warnings": " ".join(asset.warnings),
            "lights": sorted(lamp.name for lamp in lights(scene, asset.objects)),
            "low": points.min(axis=0).tolist(),
            "high": points.max(axis=0).tolist(),
        }

    def shadow_catcher():
        cube("Product")
        cube("Floor", (0, 0, -5), 9.0).is_shadow_catcher = True
        return seen()

    def only_a_shadow_catcher():
        cube("Floor").is_shadow_catcher = True
        return seen()

    def holdout_object():
        cube("Product")
        cube("Cutter", (1, 0, 0)).is_holdout = True
        return seen()

    def holdout_collection():
        cube("Product")
        cutters = bpy.data.collections.new("Cutters")
        bpy.context.scene.collection.children.link(cutters)
        cube("Cutter", (1, 0, 0), collection=cutters)
        layer = bpy.context.view_layer.layer_collection.children["Cutters"]
        layer.holdout = True
        return seen()

    def indirect_collection():
        cube("Product")
        cards = bpy.data.collections.new("Cards")
        bpy.context.scene.collection.children.link(cards)
        cube("Card", (9, 0, 0), collection=cards)
        bpy.context.view_layer.layer_collection.children["Cards"].indirect_only = True
        return seen()

    def invisible_card():
        cube("Product")
        cube("Card", (9, 0, 0)).visible_camera = False
        return seen()

    def view_layers():
        for name in ("Wall", "Product"):
            part = bpy.data.collections.new(name)
            bpy.context.scene.collection.children.link(part)
            cube(name, (0, 5.0 * (name == "Wall"), 0), collection=part)
        second = bpy.context.scene.view_layers.new("hero")
        first = bpy.context.scene.view_layers[0]
        first.layer_collection.children["Product"].exclude = True
        second.layer_collection.children["Wall"].exclude = True
        both = seen()
        first.use = False
        return [both, seen()]

    def unused_layer():
        cube("Product")
        bpy.context.scene.view_layers.new("same")
        return seen()

    def fog_box():
        cube("Product")
        cube("Fog", size=20.0).data.materials.append(material("Fog", smoke))
        return [seen(), seen(object_name="Fog")]

    def grease_pencil():
        cube("Product")
        make = getattr(bpy.data, "grease_pencils_v3", bpy.data.grease_pencils)
        drawn = bpy.data.objects.new("Sketch", make.new("Sketch"))
        bpy.context.scene.collection.objects.link(drawn)
        return seen()

    def hair_curves():
        cube("Head", size=1.0)
        curves = bpy.data.hair_curves.new("Hair")
        curves.add_curves([2, 2])
        points = [(0, 0, 0.5), (0, 0, 2.0), (0.5, 0, 0), (3.0, 0, 0)]
        curves.attributes["position"].data.foreach_set("vector", np.ravel(points))
        hair = bpy.data.objects.new("Hair", curves)
        hair.location = (0, 1, 0)
        bpy.context.scene.collection.objects.link(hair)
        return seen()

    def point_cloud():
        cloud = bpy.data.pointclouds.new("Points")
        if not hasattr(cloud, "resize") or len(cloud.points) == 0:
            tree = bpy.data.node_groups.new("Points", "GeometryNodeTree")
            tree.is_modifier = True
            for way in ("INPUT", "OUTPUT"):
                kind = "NodeSocketGeometry"
                tree.interface.new_socket("Geometry", in_out=way, socket_type=kind)
            start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
            points = tree.nodes.new("GeometryNodeMeshToPoints")
            points.inputs["Radius"].default_value = 0.25
            tree.links.new(start.outputs[0], points.inputs["Mesh"])
            tree.links.new(points.outputs[0], end.inputs[0])
            made = cube("Cloud")
            made.modifiers.new("Points", "NODES").node_group = tree
        return seen()

    def emissive_mesh():
        cube("Product")
        cube("Softbox", (0, 0, 9)).data.materials.append(material("Glow", glowing))
        cube("Sign", (0, 9, 0)).data.materials.append(material("Group", grouped_glow))
        off = material("Off", lambda tree, output: glowing(tree, output, 0.0))
        cube("Broken", (9, 0, 0)).data.materials.append(off)
        lit = {name: glows_evenly(bpy.data.objects[name]) for name in list(bpy.data.objects.keys())}
        return {**seen(object_name="Product"), "glow": lit}

    def rigid_body():
        box = cube("Box", (0, 0, 5))
        with bpy.context.temp_override(object=box, active_object=box):
            bpy.ops.rigidbody.world_add()
            bpy.context.scene.rigidbody_world.collection = bpy.data.collections.new("Bodies")
            bpy.context.scene.rigidbody_world.collection.objects.link(box)
            bpy.ops.rigidbody.object_add(type="ACTIVE")
        child = cube("Handle", (0, 0, 1.5), 1.0)
        child.parent = box
        for frame in range(1, 13):
            bpy.context.scene.frame_set(frame)
        bottom = box.matrix_world.translation.z - 1.0
        found = seen()
        # The panel: a copy of the file has not the poses, so that they are sent along.
        target = Target(("Box", "Handle"), "Box")
        params = {"objects": target.names, "poses": target.poses()}
        copy = folder / "copy.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
        params |= {"asset": str(copy), "output": str(folder / "views"), "views": 1, "size": 16}
        info = capture(params, Progress())
        return {**found, "bottom": bottom, "captured": info["bounding_sphere"]["center"]}

    def card_alone():
        cube("Card").visible_camera = False
        return seen()

    def instanced_lamp():
        lamps = bpy.data.collections.new("Lamps")
        lamps.objects.link(bpy.data.objects.new("Bulb", bpy.data.lights.new("Bulb", "POINT")))
        rig = bpy.data.objects.new("Rig", None)
        rig.instance_type, rig.instance_collection = "COLLECTION", lamps
        bpy.context.scene.collection.objects.link(rig)
        cube("Product")
        return seen(object_name="Product")

    def simplified():
        ball = cube("Ball")
        levels = ball.modifiers.new("Round", "SUBSURF")
        levels.render_levels = 3
        bpy.context.scene.render.use_simplify = True
        bpy.context.scene.render.simplify_subdivision_render = 0
        return seen()

    def fog_world():
        world = bpy.data.worlds.new("Foggy")
        world.use_nodes = True
        bpy.context.scene.world = world
        clear = without_fog(world) == world
        tree = world.node_tree
        output = next(node for node in tree.nodes if node.type == "OUTPUT_WORLD")
        node = tree.nodes.new("ShaderNodeVolumeScatter")
        tree.links.new(node.outputs[0], output.inputs["Volume"])
        copy = without_fog(world)
        end = copy.node_tree.get_output_node("CYCLES")
        kept = output.inputs["Volume"].is_linked and end.inputs["Surface"].is_linked
        return {"clear": clear, "fog": end.inputs["Volume"].is_linked, "kept": kept}

    def missing_tiles():
        image = bpy.data.images.new("skin", 4, 4, tiled=True)
        image.source = "TILED"
        image.tiles.new(1002)
        image.filepath = str(folder / "skin.<UDIM>.png")
        image.use_fake_user = True
        small = bpy.data.images.new("small", 4, 4)
        small.file_format = "PNG"
        small.save(filepath=str(folder / "skin.1002.png"))
        return missing_file_warnings(Path("scene.blend"))

    def missing_library():
        wheel = cube("Wheel")
        parts = folder / "parts.blend"
        bpy.data.libraries.write(str(parts), {wheel}, fake_user=True)
        bpy.data.objects.remove(wheel)
        with bpy.data.libraries.load(str(parts), link=True) as (_, target):
            target.objects = ["Wheel"]
        bpy.context.scene.collection.objects.link(target.objects[0])
        cube("Body")
        toy = folder / "toy.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(toy))
        whole = open_asset(AssetChoice(toy))
        before = [sorted(shown.name for shown in whole.objects), list(whole.warnings)]
        parts.unlink()
        asset = open_asset(AssetChoice(toy))
        files = [Path(name).name for name in asset.source["files"]]
        return {"before": before, "warnings": " ".join(asset.warnings), "files": files}

    kinds = (
        shadow_catcher, only_a_shadow_catcher, holdout_object, holdout_collection,
        indirect_collection, invisible_card, view_layers, unused_layer, fog_box, grease_pencil,
        hair_curves, point_cloud, emissive_mesh, rigid_body, simplified, fog_world,
        card_alone, instanced_lamp,
        missing_tiles, missing_library,
    )  # fmt: skip
    answers = {}
    for kind in kinds:
        open_empty()
        answers[kind.__name__] = kind()
    return answers


@pytest.fixture(scope="module")
def choices(in_blender, tmp_path_factory):
    """What is chosen in scenes of many kinds."""
    return in_blender(_choices, folder=tmp_path_factory.mktemp("scenes"))


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [("shadow_catcher", "Floor"), ("holdout_object", "Cutter"), ("holdout_collection", "Cutter")],
)
def test_shadow_catchers_and_holdouts_are_left_out(choices, kind, left_out):
    """What is no surface in the artist's picture is left out, with a sentence."""
    assert choices[kind]["objects"] == ["Product"]
    assert left_out in choices[kind]["warnings"]
    assert choices[kind]["high"] == pytest.approx([1.0, 1.0, 1.0])


def test_nothing_but_a_shadow_catcher_is_an_error_that_says_so(choices):
    """If all is left out, the error says why."""
    error = choices["only_a_shadow_catcher"]["error"]
    assert error["code"] == "BAD_ASSET"
    assert "Shadow catchers" in error["message"]


@pytest.mark.parametrize("kind", ["invisible_card", "indirect_collection"])
def test_cards_that_no_camera_sees_light_the_asset(choices, kind):
    """A card outside of the picture is no part of the asset but of its light."""
    assert choices[kind]["objects"] == ["Product"]
    assert choices[kind]["lights"] == ["Card"]
    assert choices[kind]["high"] == pytest.approx([1.0, 1.0, 1.0])


def test_a_card_alone_is_an_error_that_says_so(choices):
    """If no camera sees what is chosen, the error says that."""
    error = choices["card_alone"]["error"]
    assert error["code"] == "BAD_ASSET"
    assert "No camera sees: Card." in error["message"]


def test_instanced_lamps_light_the_asset(choices):
    """A collection of lamps that an empty instances is light as the lamps would be."""
    assert choices["instanced_lamp"]["lights"] == ["Rig"]


def test_all_used_view_layers_are_captured(choices):
    """Objects of all used view layers are captured, and it is said that they differ."""
    both, second = choices["view_layers"]
    assert both["objects"] == ["Product", "Wall"]
    assert "hero" in both["warnings"]
    assert second["objects"] == ["Product"]
    assert second["warnings"] == choices["unused_layer"]["warnings"] == ""


def test_fog_boxes_are_left_out_but_can_be_captured_alone(choices):
    """A volume beside a surface is left out and named; chosen alone it is captured."""
    whole, alone = choices["fog_box"]
    assert whole["objects"] == ["Product"]
    assert "Fog" in whole["warnings"]
    assert alone["objects"] == ["Fog"]


def test_grease_pencil_is_named(choices):
    """Cycles draws no Grease Pencil, so it is said that it is left out."""
    assert choices["grease_pencil"]["objects"] == ["Product"]
    assert "Sketch" in choices["grease_pencil"]["warnings"]


def test_hair_and_point_clouds_count_for_the_frame(choices):
    """Hair curves and points of geometry nodes are captured, and views reach their ends."""
    assert choices["hair_curves"]["objects"] == ["Hair", "Head"]
    assert choices["hair_curves"]["high"] == pytest.approx([3.0, 1.0, 2.0], abs=0.02)
    assert choices["point_cloud"]["high"] == pytest.approx([1.25, 1.25, 1.25])


def test_glowing_objects_light_the_asset(choices):
    """Objects with an Emission, also in a node group, are light; one of strength 0 is none."""
    assert choices["emissive_mesh"]["lights"] == ["Sign", "Softbox"]
    glow = choices["emissive_mesh"]["glow"]
    assert glow == {"Product": False, "Softbox": True, "Sign": True, "Broken": False}


def test_rigid_bodies_lie_where_the_simulation_put_them(choices):
    """A body that has fallen, with what it carries, is captured where it fell to."""
    seen = choices["rigid_body"]
    assert seen["bottom"] < 3.9
    assert seen["low"][2] == pytest.approx(seen["bottom"], abs=1e-4)
    assert seen["high"][2] == pytest.approx(seen["bottom"] + 3.0, abs=1e-4)
    assert seen["bottom"] + 1.0 < seen["captured"][2] < seen["bottom"] + 2.0


def test_simplify_is_kept(choices):
    """Levels of subdivision that the scene limits are limited in the views."""
    assert np.allclose(choices["simplified"]["high"], 1.0)


def test_the_fog_of_a_world_is_removed_from_a_copy(choices):
    """A world without a volume stays itself; one with a volume is copied without it."""
    assert choices["fog_world"] == {"clear": True, "fog": False, "kept": True}


def test_missing_tiles_are_named(choices):
    """Of a tiled texture the missing tiles are named, and not those that are there."""
    (sentence,) = choices["missing_tiles"]
    assert "skin.1001.png" in sentence
    assert "skin.1002.png" not in sentence


def test_missing_libraries_are_named(choices):
    """A library that is gone is named with what came from it, and counts as a file in use."""
    seen = choices["missing_library"]
    assert seen["before"] == [["Body", "Wheel"], []]
    assert "parts.blend" in seen["warnings"]
    assert "Wheel" in seen["warnings"]
    assert seen["files"] == ["parts.blend"]
