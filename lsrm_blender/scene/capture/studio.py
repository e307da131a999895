# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The working scene of a capture: the objects, measured, in the light that is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ....backend.shared import cameras
from ....backend.shared.capture.capture import Frame
from ....backend.shared.capture.view_brightness import ViewBrightness
from .. import lighting
from ..assets.asset_objects import lights, listed
from ..assets.emission import emits_light, glows_evenly
from ..cameras import scene_cameras
from ..exposure import display_gain
from ..pixels import render_pixels
from ..render_settings import use_cycles, use_true_colors
from ..rendered_geometry import Geometry, bounding_sphere, rendered_geometry

if TYPE_CHECKING:
    from pathlib import Path

    import bpy

    from ....backend.shared.capture.capture import BoundingSphere
    from ..assets.asset_objects import Asset
    from ..cameras.scene_cameras import Viewpoint
    from .settings import CaptureSettings

FAR_IN_RADII = 1e4
"""Distance from the origin beyond which positions in float32 are rounded visibly."""


@dataclass(frozen=True)
class Studio:
    """A working scene with everything that its views need.

    Attributes:
        scene: the working scene with the user's objects.
        lamps: the copies of the user's lamps in it, and of other objects that light it.
        lamp_names: the names of what they are copies of.
        geometry: the surface that a render shows.
        extent: points [n, 3] that views must show.
        sphere: the bounding sphere of the extent.
        panorama: the light, [height, width, 3].
        normalization: from the scene's coordinates to those written.
        glowing: objects of the asset that light it themselves.
        gain: the factor on all light, that of views and of their environment.
        brightness: of the input views.
        warnings: for the user.
    """

    scene: bpy.types.Scene
    lamps: list[bpy.types.Object]
    lamp_names: list[str]
    geometry: Geometry
    extent: np.ndarray
    sphere: BoundingSphere
    panorama: np.ndarray
    normalization: cameras.Normalization
    glowing: list[bpy.types.Object] = field(default_factory=list)
    gain: float = 1.0
    brightness: ViewBrightness = field(default_factory=ViewBrightness)
    warnings: list[str] = field(default_factory=list)


def set_up(
    scene: bpy.types.Scene, original: bpy.types.Scene, asset: Asset, settings: CaptureSettings
) -> Studio:
    """Measure the objects of the working scene, light them, and add a camera."""
    scene_cameras.add_camera(scene)
    geometry = rendered_geometry(scene)
    sphere = bounding_sphere(geometry.vertices)
    use_cycles(scene, settings.render)
    use_true_colors(scene)
    world, lamps = _light(original, asset, settings)
    warnings = []
    if world is not None and (clear := lighting.without_fog(world)) != world:
        warnings.append(f"The fog of the world {world.name} is left out of the views.")
        world = clear
    scene.world = world
    glowing = [shown for shown in asset.objects if glows_evenly(shown)]
    if glowing:
        names = listed(shown.name for shown in glowing)
        warnings.append(f"These objects glow, and their light is stored as color: {names}.")
    if np.linalg.norm(sphere.center) > FAR_IN_RADII * sphere.radius:
        warnings.append(
            "The object lies so far from the origin that its shape is rounded: move it there."
        )
    gain = 1.0 if settings.environment is not None else display_gain(original)
    studio = Studio(
        scene=scene,
        lamps=lighting.add_lamps(scene, lamps),
        lamp_names=[lamp.name for lamp in lamps],
        geometry=geometry,
        extent=geometry.vertices,
        sphere=sphere,
        panorama=np.empty((0, 0, 3)),
        normalization=cameras.Normalization((0.0, 0.0, 0.0), 1.0),
        glowing=glowing,
        gain=gain,
        warnings=warnings,
    )
    return centered(studio, geometry.vertices, settings)


def centered(studio: Studio, extent: np.ndarray, settings: CaptureSettings) -> Studio:
    """A studio whose views show points [n, 3], with the light that reaches their center."""
    sphere = bounding_sphere(extent)
    scene = studio.scene
    scene.camera.data.clip_start = 1e-3 * sphere.radius
    panorama = lighting.panorama(scene.world, studio.lamps, sphere.center, settings.panorama_width)
    return replace(
        studio,
        extent=extent,
        sphere=sphere,
        panorama=brightened(panorama, studio.gain),
        normalization=_normalization(sphere, settings),
        brightness=ViewBrightness(),
    )


def brightened(linear: np.ndarray, gain: float) -> np.ndarray:
    """Linear light [height, width, 3 | 4] times a gain; its alpha stays."""
    if gain == 1.0:
        return linear
    return np.concatenate([linear[..., :3] * np.float32(gain), linear[..., 3:]], axis=-1)


def _light(
    original: bpy.types.Scene, asset: Asset, settings: CaptureSettings
) -> tuple[bpy.types.World | None, list[bpy.types.Object]]:
    """The world, and the lamps and other objects, that light the capture."""
    if settings.environment is not None:
        return lighting.make_world(settings.environment), []
    lamps = lights(original, asset.objects)
    if original.world is None and not any(emits_light(lamp) for lamp in lamps):
        return lighting.uniform_world(), []
    return original.world, lamps


def _normalization(sphere: BoundingSphere, settings: CaptureSettings) -> cameras.Normalization:
    if settings.normalize:
        return cameras.Normalization.from_sphere(sphere.center, sphere.radius)
    return cameras.Normalization((0.0, 0.0, 0.0), 1.0)


def render_view(studio: Studio, view: Viewpoint, seed: int) -> np.ndarray:
    """Render one view: linear, premultiplied [height, width, 4]."""
    scene_cameras.point_camera(studio.scene, view)
    studio.scene.cycles.seed = seed
    return brightened(render_pixels(studio.scene), studio.gain)


def frame_of(studio: Studio, view: Viewpoint, folder: Path) -> Frame:
    """The entry of a view in the folder's transforms.json."""
    return Frame(
        name=view.name,
        image_path=folder / "images" / f"{view.name}.png",
        mask_path=folder / "masks" / f"{view.name}.png",
        intrinsics=view.intrinsics,
        camera_to_world=studio.normalization.apply_to_pose(view.camera_to_world),
    )
