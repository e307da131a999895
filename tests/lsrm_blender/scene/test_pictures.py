# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views are framed by what renders show, as bright as the artist sees them, and warned of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.shared.capture.capture import relit_folder
from backend.shared.capture.json_files import read_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.radiance_hdr import read_hdr, write_hdr

# The pixel filter of a framed object reaches the border of such small views.
FILTER = 0.5


def _captures(folder, lights):
    """Capture scenes of many kinds, one under other lights; the errors by the name of the kind."""
    from dataclasses import replace
    from pathlib import Path

    import bpy
    from lsrm.backend.shared.errors import LsrmError
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender.scene.assets.asset_import import open_empty
    from lsrm.lsrm_blender.scene.assets.asset_objects import AssetChoice, choose
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Framing
    from lsrm.lsrm_blender.scene.capture.capture import capture
    from lsrm.lsrm_blender.scene.capture.settings import CaptureSettings
    from lsrm.lsrm_blender.scene.lighting import EnvironmentLight
    from lsrm.lsrm_blender.scene.relight.renders import RelightSettings, relight
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings

    def material(shown, build):
        made = bpy.data.materials.new(shown.name)
        made.use_nodes = True
        made.node_tree.nodes.clear()
        tree = made.node_tree
        output = tree.nodes.new("ShaderNodeOutputMaterial")
        tree.links.new(build(tree, output).outputs[0], output.inputs["Surface"])
        shown.data.materials.append(made)
        return made

    def diffuse(tree, _output):
        return tree.nodes.new("ShaderNodeBsdfDiffuse")

    def clear(tree, _output):
        return tree.nodes.new("ShaderNodeBsdfTransparent")

    def glow(tree, _output):
        node = tree.nodes.new("ShaderNodeEmission")
        node.inputs["Strength"].default_value = 8.0
        return node

    def raised(tree, output):
        node = tree.nodes.new("ShaderNodeDisplacement")
        node.inputs["Midlevel"].default_value = 0.0
        node.inputs["Height"].default_value = 1.0
        node.inputs["Scale"].default_value = 0.5
        tree.links.new(node.outputs[0], output.inputs["Displacement"])
        return diffuse(tree, output)

    def ball(name="Ball", radius=0.5):
        bpy.ops.mesh.primitive_ico_sphere_add(radius=radius, subdivisions=3)
        bpy.context.object.name = name
        return bpy.context.object

    def plate(name, size, at):
        bpy.ops.mesh.primitive_plane_add(size=size, location=at)
        bpy.context.object.name = name
        return bpy.context.object

    def world(strength, *, fog=False):
        made = bpy.data.worlds.new("World")
        made.use_nodes = True
        background = next(node for node in made.node_tree.nodes if node.type == "BACKGROUND")
        background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
        background.inputs["Strength"].default_value = strength
        if fog:
            scatter = made.node_tree.nodes.new("ShaderNodeVolumeScatter")
            output = made.node_tree.get_output_node("ALL")
            made.node_tree.links.new(scatter.outputs[0], output.inputs["Volume"])
        bpy.context.scene.world = made

    def plain():
        material(ball(), diffuse)

    def displaced():
        material(ball(), raised).displacement_method = "DISPLACEMENT"

    def hairy():
        system = ball().modifiers.new("Hair", "PARTICLE_SYSTEM").particle_system.settings
        system.type, system.count, system.hair_length = "HAIR", 300, 0.5

    def helper():
        material(ball(), diffuse)
        material(plate("Helper", 20.0, (8.0, 0.0, 0.0)), clear)

    def invisible():
        material(ball(), clear)

    def foggy():
        material(ball(), diffuse)
        world(1.0, fog=True)

    def exposed():
        material(ball(), diffuse)
        world(32.0)
        bpy.context.scene.view_settings.exposure = -5.0
        lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
        lamp.data.energy = 32.0
        bpy.context.scene.collection.objects.link(lamp)

    def film_exposed():
        material(ball(), diffuse)
        world(2.0)
        bpy.context.scene.cycles.film_exposure = 0.5

    def filmic():
        material(ball(), diffuse)
        world(1.0)
        bpy.context.scene.view_settings.view_transform = "Filmic"

    def black():
        material(ball(), diffuse)
        world(0.0)

    def clipped():
        material(ball(), diffuse)
        world(50.0)

    def softbox():
        material(ball(), diffuse)
        material(plate("Softbox", 3.0, (0.0, 0.0, 2.0)), glow).use_backface_culling = False
        bpy.data.objects["Softbox"].visible_camera = False
        world(0.0)

    def card():
        material(ball(), diffuse)
        plate("Card", 3.0, (0.0, 0.0, 2.0)).visible_camera = False

    def lantern():
        material(ball(), glow)
        world(1.0)

    def relit():
        material(ball(), diffuse)

    def near():
        material(ball(), diffuse)
        return Framing(32, distance=1.8)

    kinds = (
        plain, displaced, hairy, helper, invisible, foggy, exposed, film_exposed, filmic, black,
        clipped, softbox, card, lantern, near, relit,
    )  # fmt: skip
    errors = {}
    environments = tuple(EnvironmentLight(light) for light in lights)
    for kind in kinds:
        open_empty()
        framing = kind() or Framing(32)
        render = RenderSettings(4, denoise=False, threads=1)
        settings = CaptureSettings(views=2, framing=framing, render=render, panorama_width=16)
        if kind is relit:
            settings = replace(settings, test_views=1, relight=environments[:2])
        try:
            asset = choose(bpy.context.scene, AssetChoice(Path("scene.blend")))
            capture(asset, Path(folder) / kind.__name__, settings, Progress())
        except LsrmError as error:
            errors[kind.__name__] = error.to_dict()
    settings = RelightSettings(environments[2:], RenderSettings(1, denoise=False), Framing(16))
    images = relight(
        [bpy.data.objects["Ball"]], Path(folder) / "relight", settings, Progress()
    ).images
    return {"errors": errors, "relit": [str(image) for image in images]}


@pytest.fixture(scope="module")
def captures(in_blender, tmp_path_factory):
    """The folder of the captures; the errors of those that failed, and relit images."""
    folder = tmp_path_factory.mktemp("captures")
    lights = light_files(tmp_path_factory.mktemp("lights"))
    return folder, in_blender(_captures, folder=folder, lights=lights)


def light_files(folder):
    """Four uniform lights of different brightness, of two names that are too much alike."""
    names = ("warm/studio_1k.hdr", "cold/studio_1k.hdr", "a-b.hdr", "a_b.hdr")
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        write_hdr(folder / name, np.full((32, 64, 3), 0.2 * (index + 1), np.float32))
    return [str(folder / name) for name in names]


def masks(folder):
    """The masks of a capture, [views, height, width], 0..1."""
    frames = read_capture(folder).frames
    return np.stack([np.asarray(Image.open(frame.mask_path), float) / 255 for frame in frames])


def color(folder):
    """The mean color of the object in a capture, 0..255."""
    frames = read_capture(folder).frames
    images = np.stack([np.asarray(Image.open(frame.image_path), float) for frame in frames])
    return float(images[masks(folder) > 0.5].mean())


def borders(folder):
    """The highest coverage at the border of the views."""
    alpha = masks(folder)
    sides = (alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1])
    return max(float(side.max()) for side in sides)


@pytest.mark.parametrize(
    ("kind", "radius"), [("plain", 0.5), ("displaced", 1.0), ("hairy", 1.0), ("helper", 0.5)]
)
def test_views_show_what_renders_show(captures, kind, radius):
    """Displacement and hair are not cut, and what is invisible takes no space in the views."""
    folder = captures[0] / kind
    assert read_capture_json(folder)["warnings"] == []
    assert borders(folder) <= FILTER
    # Hair covers little of the outer shell.
    assert (masks(folder) > 0.5).mean() > (0.2 if kind == "hairy" else 0.45)
    # Measured by a coarse hull, the radius is up to a tenth larger.
    assert 0.97 * radius < read_capture(folder).bounding_sphere.radius < 1.12 * radius


def test_invisible_assets_are_refused(captures):
    """An asset whose materials are fully transparent is an error, and no capture is left."""
    assert captures[1]["errors"]["invisible"]["code"] == "BAD_ASSET"
    assert "invisible" in captures[1]["errors"]["invisible"]["message"]
    assert not (captures[0] / "invisible").exists()
    assert list(captures[1]["errors"]) == ["invisible"]


def test_cut_views_are_warned_of(captures):
    """A distance that the user gave is kept, and it is said if it cuts the object."""
    assert "cut at the border" in " ".join(read_capture_json(captures[0] / "near")["warnings"])


def test_fog_is_left_out(captures):
    """The fog of the world covers no mask and darkens no view, and it is said."""
    folder = captures[0] / "foggy"
    assert borders(folder) <= FILTER
    assert "fog" in " ".join(read_capture_json(folder)["warnings"])
    assert color(folder) == pytest.approx(color(captures[0] / "plain"), abs=6.0)


@pytest.mark.parametrize(
    ("kind", "gain"),
    [("plain", 1.0), ("exposed", 2.0**-5), ("film_exposed", 0.5), ("filmic", 1.19)],
)
def test_exposure_is_a_gain_on_all_light(captures, kind, gain):
    """Exposure and film look scale the views, their environment and their lamps alike."""
    folder = captures[0] / kind
    info = read_capture_json(folder)
    assert info["gain"] == pytest.approx(gain, abs=0.01)
    assert info["warnings"] == []
    shown = 1.19 if kind == "filmic" else 1.0  # the strength of the world makes up for the rest
    light = read_hdr(folder / ("world.hdr" if kind == "exposed" else "environment.hdr"))
    assert np.allclose(light, shown, rtol=0.02)
    if kind == "exposed":
        assert info["lighting"]["lamps"][0]["power"] == pytest.approx([1.0, 1.0, 1.0])


def test_black_and_overexposed_views_are_warned_of(captures):
    """Views without light, and views with too much of it, are warned of."""
    for kind, word in (("black", "nearly black"), ("clipped", "overexposed")):
        assert word in " ".join(read_capture_json(captures[0] / kind)["warnings"])


def test_a_scene_with_a_card_and_without_lights_gets_the_neutral_light(captures):
    """An object that reflects alone is no light: the neutral one is used, as without it."""
    folder = captures[0] / "card"
    assert read_capture_json(folder)["lighting"] == {"kind": "neutral"}
    assert color(folder) == pytest.approx(color(captures[0] / "plain"), abs=3.0)


@pytest.mark.parametrize("kind", ["softbox", "lantern"])
def test_glowing_meshes_light_the_views_and_leave_the_light_unknown(captures, kind):
    """A glowing mesh lights the asset and stands in the description; no known light is claimed."""
    folder = captures[0] / kind
    capture = read_capture(folder)
    name = "Softbox" if kind == "softbox" else "Ball"
    assert read_capture_json(folder)["lighting"]["lamps"] == [{"name": name}]
    assert capture.lamps is None
    assert capture.known_light is None
    assert color(folder) > 30.0
    if kind == "softbox":
        assert read_hdr(folder / "environment.hdr").max() > 1.0
        assert read_hdr(folder / "world.hdr").max() == 0.0
    else:
        assert any("glow" in text for text in capture.warnings)


def test_lights_of_one_name_have_pictures_of_their_own(captures):
    """Lights whose names are alike give a picture each, in relight and in captures."""
    relit = read_capture_json(captures[0] / "relit")["relit"]
    test = captures[0] / "relit" / "test"
    paths = [relit_folder(test, light) / "0000.png" for light in relit.values()]
    for images in (captures[1]["relit"], paths):
        colors = [np.asarray(Image.open(path), float)[..., :3].max() for path in images]
        assert len(colors) == 2
        assert colors[0] < colors[1]
