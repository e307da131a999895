# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment light: Blender worlds from HDR images or other worlds, and their panoramas."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from mathutils import Euler, Vector

from ...backend.shared.capture.capture import environment_name
from ...backend.shared.capture.lamps import Lamp
from ...backend.shared.errors import BadAsset
from ..capture_choices import BUNDLED, SCENE, SOFT_BOXES
from .pixels import render_pixels
from .render_settings import RenderSettings, use_cycles
from .soft_boxes import soft_box_panorama

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...backend.shared.cameras import Normalization

PANORAMA_SAMPLES = 8
HDR_SUFFIXES = (".exr", ".hdr")
OWN_STRENGTH = "lsrm_own_strength"
"""Custom property of a Background node: its strength without the factor of the light."""

ROTATION = "lsrm_rotation"
"""Custom property of the nodes that rotate the light."""


@dataclass(frozen=True)
class EnvironmentLight:
    """A choice of environment light.

    Attributes:
        source: an image file, a world or image of the open file, `SOFT_BOXES`, or one of
            `BUNDLED`.
        strength: a factor on its radiance.
        rotation: in degrees about +z, counter-clockwise seen from above.
    """

    source: str
    strength: float = 1.0
    rotation: float = 0.0

    @property
    def name(self) -> str:
        """Short, and valid as the name of a folder."""
        return environment_name(self.source)

    def to_dict(self) -> dict[str, Any]:
        """The light as capture.json describes it."""
        return {"kind": "environment", **asdict(self)}


def chosen_light(
    source: str, strength: float = 1.0, rotation: float = 0.0
) -> EnvironmentLight | None:
    """The light that a user has chosen for a capture; None for the file's own, `SCENE`."""
    return None if source == SCENE else EnvironmentLight(source, strength, rotation)


def make_world(environment: EnvironmentLight) -> bpy.types.World:
    """A new world with the chosen light.

    Raises:
        BadAsset: if nothing has that name.
    """
    source = environment.source
    if Path(source).is_file():
        return image_world(_load_image(Path(source)), environment)
    if source in bpy.data.worlds:
        return rotated_world(bpy.data.worlds[source], environment)
    if source in bpy.data.images:
        return image_world(bpy.data.images[source], environment)
    if source == SOFT_BOXES:
        return image_world(_soft_box_image(), environment)
    bundled = bundled_file(source)
    if bundled is not None:
        return image_world(_load_image(bundled), environment)
    raise BadAsset(
        f"There is no environment {source!r}.",
        "Give an image file, a world or image of the file, or one of: "
        f"{', '.join((SOFT_BOXES, *BUNDLED))}.",
    )


def bundled_file(name: str) -> Path | None:
    """The file of an environment light that comes with Blender, if it is there."""
    for kind in ("LOCAL", "SYSTEM"):
        root = bpy.utils.resource_path(kind)
        path = Path(root) / "datafiles" / "studiolights" / "world" / f"{name}.exr"
        if name in BUNDLED and root and path.is_file():
            return path
    return None


def hdr_images(folder: Path) -> list[Path]:
    """The HDR images in a folder, by name; none if it cannot be read."""
    try:
        found = [each for each in folder.iterdir() if each.suffix.lower() in HDR_SUFFIXES]
    except OSError:
        return []
    return sorted(found)


def _load_image(path: Path) -> bpy.types.Image:
    try:
        image = bpy.data.images.load(str(path.resolve()), check_existing=True)
    except RuntimeError as error:
        raise BadAsset(f"{path} is no image that Blender reads.", "Check the file.") from error
    if 0 in image.size:
        raise BadAsset(f"{path} is no image that Blender reads.", "Check the file.")
    return image


def _soft_box_image() -> bpy.types.Image:
    """The studio of soft boxes as an image of the open file, which is stored in it."""
    panorama = soft_box_panorama()
    height, width = panorama.shape[:2]
    image = bpy.data.images.new(f"LSRM {SOFT_BOXES}", width, height, alpha=False, float_buffer=True)
    image.colorspace_settings.name = "Linear Rec.709"
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = panorama[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return image


def _empty_world(name: str) -> tuple[bpy.types.World, bpy.types.Node, bpy.types.NodeTree]:
    """A new world with a Background node only: the world, that node, their tree."""
    world = bpy.data.worlds.new(name)
    if world.node_tree is None:
        world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    background = tree.nodes.new("ShaderNodeBackground")
    output = tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world, background, tree


def uniform_world(radiance: float = 1.0) -> bpy.types.World:
    """A world with the same white light from every direction."""
    world, background, _ = _empty_world("LSRM neutral")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = radiance
    return world


def image_world(image: bpy.types.Image, environment: EnvironmentLight) -> bpy.types.World:
    """A world lit by an equirectangular image."""
    world, background, tree = _empty_world(f"LSRM {environment.name}")
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    background[OWN_STRENGTH] = 1.0
    _rotate_texture(tree, texture)
    adjust_world(world, environment.strength, environment.rotation)
    return world


def rotated_world(original: bpy.types.World, environment: EnvironmentLight) -> bpy.types.World:
    """A copy of a world with another strength and rotation."""
    world = original.copy()
    world.name = f"LSRM {environment.name}"
    world.use_fake_user = False
    if world.node_tree is None:
        return world
    for node in list(world.node_tree.nodes):
        node.pop(ROTATION, None)  # this light rotates what an earlier one has made
        if node.type == "BACKGROUND" and not node.inputs["Strength"].is_linked:
            node[OWN_STRENGTH] = node.get(OWN_STRENGTH, node.inputs["Strength"].default_value)
        elif node.type in ("TEX_ENVIRONMENT", "TEX_SKY"):
            _rotate_texture(world.node_tree, node)
    adjust_world(world, environment.strength, environment.rotation)
    return world


def adjust_world(world: bpy.types.World, strength: float, degrees: float) -> None:
    """Set strength and rotation about +z of a world that this module has made."""
    for node in world.node_tree.nodes if world.node_tree is not None else ():
        if OWN_STRENGTH in node:
            node.inputs["Strength"].default_value = node[OWN_STRENGTH] * strength
        elif ROTATION in node:
            node.inputs["Rotation"].default_value = (0.0, 0.0, math.radians(degrees))


def _rotate_texture(tree: bpy.types.NodeTree, texture: bpy.types.Node) -> None:
    """Add a node that rotates a world texture, in addition to any mapping it already has."""
    mapping = tree.nodes.new("ShaderNodeMapping")
    # TEXTURE applies the inverse to the direction that is looked up, so the image itself rotates.
    mapping.vector_type = "TEXTURE"
    mapping[ROTATION] = True
    vector = texture.inputs["Vector"]
    if vector.is_linked:
        source = vector.links[0].from_socket
    else:
        source = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    tree.links.new(source, mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], vector)


def without_fog(world: bpy.types.World) -> bpy.types.World:
    """A world whose volume does not fill the scene: a copy if it has one, else the world itself."""
    if _volume_output(world) is None:
        return world
    copy = world.copy()
    if (output := _volume_output(copy)) is not None:
        copy.node_tree.links.remove(output.inputs["Volume"].links[0])
    return copy


def _volume_output(world: bpy.types.World) -> bpy.types.Node | None:
    """The output node of a world that has a volume."""
    if world.node_tree is None or not world.use_nodes:
        return None
    output = world.node_tree.get_output_node("CYCLES")
    return output if output is not None and output.inputs["Volume"].is_linked else None


def add_lamps(scene: bpy.types.Scene, lamps: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """Copies of lamps, or of other objects, in a working scene; no camera sees them."""
    copies = []
    for lamp in lamps:
        copy = lamp.copy()
        copy.visible_camera = False
        scene.collection.objects.link(copy)
        copies.append(copy)
    return copies


def describe_lamp(
    lamp: bpy.types.Object, normalization: Normalization, gain: float = 1.0
) -> dict[str, Any]:
    """A lamp as capture.json has it, in the world of the views.

    Lamps that `Lamp` cannot express (nodes, a narrow spread, objects that glow) are named only.

    Args:
        lamp: in the scene.
        normalization: from the scene to the world of the views.
        gain: on all light of the views.
    """
    if lamp.type != "LIGHT":
        return {"name": lamp.name}
    data = lamp.data
    spread = getattr(data, "spread", math.pi)
    if data.use_nodes or spread < math.pi - 1e-3 or not getattr(data, "normalize", True):
        return {"name": lamp.name}
    matrix = lamp.matrix_world
    # Lengths are scaled: what arrives stays the same if power grows with their square.
    scale = 1.0 if data.type == "SUN" else normalization.scale
    factor = gain * scale**2 * data.energy * 2.0 ** getattr(data, "exposure", 0.0)
    tint = data.temperature_color if getattr(data, "use_temperature", False) else (1.0, 1.0, 1.0)
    red, green, blue = (factor * c * t for c, t in zip(data.color, tint, strict=True))
    spot = data.type == "SPOT"
    described = Lamp(
        kind=data.type,
        power=(red, green, blue),
        position=tuple(normalization.apply(matrix.translation).tolist()),
        direction=tuple((matrix.to_3x3() @ Vector((0.0, 0.0, -1.0))).normalized()),
        axis=tuple((matrix.to_3x3() @ Vector((1.0, 0.0, 0.0))).normalized()),
        size=_lamp_size(lamp, scale),
        is_round=data.type != "AREA" or data.shape in ("DISK", "ELLIPSE"),
        cone=(data.spot_size, data.spot_blend) if spot else (math.pi, 0.0),
    )
    return {"name": lamp.name, **described.to_dict()}


def _lamp_size(lamp: bpy.types.Object, scale: float) -> tuple[float, float]:
    """The sides or diameters of a lamp in the world of the views; of a sun, its angle."""
    data = lamp.data
    if data.type == "SUN":
        return data.angle, data.angle
    if data.type != "AREA":
        return 2.0 * scale * data.shadow_soft_size, 2.0 * scale * data.shadow_soft_size
    width, height, _ = lamp.matrix_world.to_scale()
    other = data.size_y if data.shape in ("RECTANGLE", "ELLIPSE") else data.size
    return scale * width * data.size, scale * height * other


def panorama(
    world: bpy.types.World | None,
    lamps: Iterable[bpy.types.Object],
    center: tuple[float, float, float],
    width: int = 1024,
) -> np.ndarray:
    """All light that reaches a point, [width / 2, width, 3], linear, in Blender's mapping.

    The column is 0.5 - atan2(y, x) / 2 pi of the width, the row 0.5 - asin(z) / pi of the height.
    Lamps with a size are included; suns, which a camera does not see, are not.
    """
    scene = bpy.data.scenes.new("LSRM panorama")
    use_cycles(scene, RenderSettings(PANORAMA_SAMPLES, denoise=False, transparent=False))
    scene.world = world
    for lamp in add_lamps(scene, lamps):
        lamp.visible_camera = True
    _add_panoramic_camera(scene, center)
    scene.render.resolution_x, scene.render.resolution_y = width, width // 2
    scene.cycles.pixel_filter_type = "BOX"
    pixels = render_pixels(scene)[..., :3]
    bpy.data.scenes.remove(scene)
    return np.ascontiguousarray(pixels)


def _add_panoramic_camera(scene: bpy.types.Scene, center: tuple[float, float, float]) -> None:
    data = bpy.data.cameras.new("LSRM panorama")
    data.type = "PANO"
    # Until Blender 4.5 the settings of Cycles' cameras lay in a group of their own.
    settings = data if hasattr(data, "panorama_type") else data.cycles
    settings.panorama_type = "EQUIRECTANGULAR"
    camera = bpy.data.objects.new("LSRM panorama", data)
    camera.location = center
    # The middle of Blender's environment images lies in the direction +x, their top in +z.
    camera.rotation_euler = Euler((math.pi / 2, 0.0, -math.pi / 2))
    scene.collection.objects.link(camera)
    scene.camera = camera
