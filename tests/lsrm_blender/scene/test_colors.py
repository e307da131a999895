# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colors and light: rendered images have the colors of materials and panoramas."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

SRGB = (231, 123, 63)  # of linear (0.8, 0.2, 0.05); Blender's default view gives (199, 122, 76)


def _render_glow(path):
    """Store a render of a plane that glows in linear (0.8, 0.2, 0.05)."""
    from pathlib import Path

    import bpy
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import add_camera
    from lsrm.lsrm_blender.scene.pixels import render_pixels, srgb_with_alpha, write_png
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings, use_cycles, use_true_colors
    from lsrm.lsrm_blender.scene.scene_state import working_scene

    with working_scene("test", []) as scene:
        default = scene.view_settings.view_transform
        add_camera(scene).location = (0.0, 0.0, 2.0)
        use_cycles(scene, RenderSettings(4, denoise=False))
        use_true_colors(scene)
        scene.render.resolution_x = scene.render.resolution_y = 16
        mesh = bpy.data.meshes.new("plane")
        mesh.from_pydata([(-9, -9, 0), (9, -9, 0), (9, 9, 0), (-9, 9, 0)], [], [(0, 1, 2, 3)])
        glow = bpy.data.materials.new("glow")
        glow.use_nodes = True
        shader = next(node for node in glow.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
        emission = glow.node_tree.nodes.new("ShaderNodeEmission")
        emission.inputs["Color"].default_value = (0.8, 0.2, 0.05, 1.0)
        output = shader.outputs[0].links[0].to_socket
        glow.node_tree.links.new(emission.outputs[0], output)
        mesh.materials.append(glow)
        scene.collection.objects.link(bpy.data.objects.new("plane", mesh))
        write_png(Path(path), srgb_with_alpha(render_pixels(scene)))
        # Blender's own PNG writer must agree with these settings.
        image = scene.render.image_settings
        image.file_format, image.color_mode, image.color_depth = "PNG", "RGBA", "8"
        scene.render.filepath = path.replace(".png", " by Blender.png")
        bpy.ops.render.render(write_still=True, scene=scene.name)
    return default


def test_colors_are_srgb_without_a_film_look(in_blender, tmp_path):
    """Linear (0.8, 0.2, 0.05) is stored as sRGB (231, 123, 63), also by Blender's own writer."""
    path = tmp_path / "glow.png"
    assert in_blender(_render_glow, path=path) != "Standard"
    for file in (path, tmp_path / "glow by Blender.png"):
        picture = np.asarray(Image.open(file)).reshape(-1, 4)
        assert np.abs(picture.astype(int) - (*SRGB, 255)).max() <= 1


def _round_trip(path, bits, channels):
    """How far pixels come back from a PNG."""
    from pathlib import Path

    import numpy as np
    from lsrm.lsrm_blender.scene.pixels import read_stored, write_png

    top = 2**bits - 1
    values = np.random.default_rng(0).integers(0, top + 1, (5, 7, channels)) / top
    write_png(Path(path), values, bits)
    back = read_stored(Path(path))
    kept = back[..., :channels] if channels > 1 else back[..., :1]
    return float(np.abs(kept - values).max())


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 3), (8, 4), (16, 1), (16, 3)])
def test_png_holds_the_numbers(in_blender, tmp_path, bits, channels):
    """What is written to a PNG comes back to half a step of its depth."""
    error = in_blender(_round_trip, path=tmp_path / "x.png", bits=bits, channels=channels)
    assert error < 0.5 / (2**bits - 1)


def _background_of(path, rotation):
    """The difference of a rendered background and its prediction from the panorama."""
    import numpy as np
    from lsrm.backend.shared import cameras, radiance_hdr
    from lsrm.lsrm_blender.scene import lighting
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Viewpoint, add_camera, point_camera
    from lsrm.lsrm_blender.scene.pixels import render_pixels
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings, use_cycles
    from lsrm.lsrm_blender.scene.scene_state import working_scene

    intrinsics = cameras.Intrinsics(48, 32, 50.0, 50.0, 20.0, 18.0)
    answers = []
    with working_scene("test", []) as scene:
        add_camera(scene)
        use_cycles(scene, RenderSettings(64, denoise=False, transparent=False))
        scene.world = lighting.make_world(lighting.EnvironmentLight(path, 1.5, rotation))
        panorama = lighting.panorama(scene.world, [], (0.0, 0.0, 0.0), 256)
        for position in ((3.0, 1.0, 1.0), (-1.0, 2.0, -1.5)):
            pose = cameras.look_at(position, (0.0, 0.0, 0.0))
            point_camera(scene, Viewpoint("v", intrinsics, pose))
            shown = render_pixels(scene)[..., :3]
            _, rays = cameras.pixel_rays(intrinsics, pose)
            expected = radiance_hdr.sample_panorama(panorama, rays)
            answers.append([float(np.abs(shown - expected).max()), float(shown.max())])
    return answers


@pytest.mark.parametrize("rotation", [0.0, 75.0])
def test_panorama_predicts_the_background(in_blender, tmp_path, rotation):
    """The world that Cycles shows behind an object is what the panorama holds for those rays."""
    from backend.shared.radiance_hdr import write_hdr

    rows, turns = np.mgrid[:64, :128] / np.array([[[64.0]], [[128.0]]])
    waves = [np.sin(6 * np.pi * turns), np.cos(4 * np.pi * turns), np.cos(3 * np.pi * rows)]
    image = 0.5 + 0.4 * np.stack(waves, axis=-1)
    write_hdr(tmp_path / "waves.hdr", image.astype(np.float32))
    for error, peak in in_blender(_background_of, path=tmp_path / "waves.hdr", rotation=rotation):
        assert error < 0.03 * peak


def _turned_patch(path, rotation):
    """The direction of the brightest light after a turn."""
    import numpy as np
    from lsrm.lsrm_blender.scene import lighting
    from lsrm.lsrm_blender.scene.scene_state import no_trace

    with no_trace():
        world = lighting.make_world(lighting.EnvironmentLight(path, 1.0, rotation))
        panorama = lighting.panorama(world, [], (0.0, 0.0, 0.0), 128)
    row, column = np.unravel_index(panorama[..., 0].argmax(), panorama.shape[:2])
    return [360.0 * (0.5 - (column + 0.5) / 128), 180.0 * (0.5 - (row + 0.5) / 64)]


def test_rotation_is_counter_clockwise(in_blender, tmp_path):
    """A light at azimuth 0 stands at azimuth 90 after a rotation by 90 degrees, seen from above."""
    from backend.shared.radiance_hdr import write_hdr

    image = np.full((64, 128, 3), 0.1, np.float32)
    image[16:20, 62:66] = 5.0  # azimuth 0, elevation 39
    write_hdr(tmp_path / "lamp.hdr", image)
    azimuth, elevation = in_blender(_turned_patch, path=tmp_path / "lamp.hdr", rotation=90.0)
    assert azimuth == pytest.approx(90.0, abs=6.0)
    assert elevation == pytest.approx(39.0, abs=6.0)


def _plane_below_lamps(kinds):
    """What lamps are described as, and the radiance of a white plane that Cycles lights by them."""
    import bpy
    from lsrm.backend.shared import cameras
    from lsrm.lsrm_blender.scene import lighting
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Viewpoint, add_camera, point_camera
    from lsrm.lsrm_blender.scene.pixels import render_pixels
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings, use_cycles

    scene = bpy.data.scenes.new("lamps")
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new("white")
    material.use_nodes = True
    tree = material.node_tree
    diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    mesh.materials.append(material)
    scene.collection.objects.link(bpy.data.objects.new("plane", mesh))
    add_camera(scene)
    use_cycles(scene, RenderSettings(64, denoise=False))
    pose = cameras.look_at((0.0, -0.5, 1.0), (0.0, 0.0, 0.0))
    point_camera(scene, Viewpoint("v", cameras.Intrinsics(4, 4, 400.0, 400.0, 2.0, 2.0), pose))
    answers = []
    for kind in kinds:
        data = bpy.data.lights.new(kind, kind)
        data.energy, data.color = 10.0, (1.0, 0.5, 0.25)
        lamp = bpy.data.objects.new(kind, data)
        lamp.location = (0.0, 0.0, 2.0)
        scene.collection.objects.link(lamp)
        scene.view_layers[0].update()
        described = lighting.describe_lamp(lamp, cameras.Normalization((0.0, 0.0, 1.0), 3.0))
        answers.append([described, render_pixels(scene)[..., :3].mean(axis=(0, 1)).tolist()])
        bpy.data.objects.remove(lamp)
    return answers


def test_lamps_are_described_as_they_shine(in_blender):
    """From what capture.json says of a lamp follows what Cycles renders, in a world of any size."""
    from backend.shared.capture.lamps import Lamp

    per_power = {"POINT": 0.25 / np.pi, "SPOT": 0.25 / np.pi, "AREA": 1.0 / np.pi}
    for described, radiance in in_blender(_plane_below_lamps, kinds=[*per_power, "SUN"]):
        lamp = Lamp.from_dict(described)
        # In the captured world the lamp stands 3 * (2 - 1) above the origin and the plane 3 below.
        irradiance = np.array(lamp.power)
        if lamp.kind != "SUN":
            np.testing.assert_allclose(lamp.position, [0.0, 0.0, 3.0], atol=1e-6)
            irradiance = irradiance * per_power[lamp.kind] / 6.0**2
        # A large lamp lights a little less than a point.
        np.testing.assert_allclose(radiance, irradiance / np.pi, rtol=0.08)
        np.testing.assert_allclose(lamp.direction, [0.0, 0.0, -1.0], atol=1e-6)
