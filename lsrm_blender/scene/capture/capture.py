# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures: rendered views of objects from all around, with cameras, masks and light."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ....backend.shared import cameras, radiance_hdr
from ....backend.shared.capture.capture import (
    ENVIRONMENT_NAME,
    WORLD_NAME,
    BoundingSphere,
    Frame,
    environment_names,
)
from ....backend.shared.capture.json_files import write_capture_json
from ....backend.shared.capture.writer import write_transforms
from .. import lighting, passes
from ..assets.asset_objects import lights, listed
from ..assets.emission import emits_light, glows_evenly
from ..assets.external_files import missing_images
from ..cameras import scene_cameras
from ..cameras.scene_cameras import Framing, Viewpoint, point_camera
from ..exposure import Brightness, display_gain
from ..output_folder import MarkedFolder
from ..pixels import (
    over,
    remove_abandoned_renders,
    render_pixels,
    srgb_with_alpha,
    to_srgb,
    write_png,
)
from ..render_settings import RenderSettings, use_cycles, use_true_colors
from ..rendered_extent import border_is_covered, fills_too_little, rendered_points
from ..rendered_geometry import Geometry, bounding_sphere, rendered_geometry, write_ply
from ..scene_state import working_scene

if TYPE_CHECKING:
    from pathlib import Path

    from ....backend.shared.progress import Progress
    from ..assets.asset_objects import Asset

REFERENCE_MESH = "reference_mesh.ply"
FAR_IN_RADII = 1e4
"""Distance from the origin beyond which positions in float32 are rounded visibly."""


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture is made.

    Attributes:
        views: the number of input views, on a Fibonacci sphere.
        test_views: the number of held-out views, as far from the input views as possible.
        framing: size, field of view, distance.
        render: samples, seed, threads.
        environment: the light; None takes the file's own world and lamps.
        relight: other lights for the test views.
        passes: whether to store the materials of the test views, too.
        normalize: whether to write coordinates in which the bounding sphere has radius 0.5 and
            its center at the origin.
        panorama_width: of environment.hdr, in pixels.
        check_framing: whether views that show the object badly are rendered again.
    """

    views: int = 16
    test_views: int = 0
    framing: Framing = field(default_factory=Framing)
    render: RenderSettings = field(default_factory=RenderSettings)
    environment: lighting.EnvironmentLight | None = None
    relight: tuple[lighting.EnvironmentLight, ...] = ()
    passes: bool = False
    normalize: bool = False
    panorama_width: int = 1024
    check_framing: bool = True


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
    brightness: Brightness = field(default_factory=Brightness)
    warnings: list[str] = field(default_factory=list)


class _BadFraming(Exception):
    """A view that shows too much or too little of the object."""


def capture(
    asset: Asset,
    output: Path,
    settings: CaptureSettings,
    progress: Progress,
) -> dict[str, Any]:
    """Capture an asset of the open file into a folder; the file is not changed.

    Args:
        asset: its objects are rendered; others are neither seen nor cast shadows, but those that
            light it.
        output: the capture folder; an existing one is replaced at the end.
        settings: how the capture is made.
        progress: receives every view; checked before every view.

    Returns:
        The content of capture.json.

    Raises:
        BadAsset: if the objects show nothing, or an environment light is unknown.
        OutputNotWritable, DiskFull: if the folder cannot be written.
        Cancelled: if the user stopped it.
    """
    original = bpy.context.scene
    remove_abandoned_renders()
    with MarkedFolder(output, "transforms.json") as folder:
        with working_scene("LSRM capture", asset.objects, asset.poses) as scene:
            progress.report("capture", 0.0, "measuring the object")
            studio = _set_up(scene, original, asset, settings)
            studio = _render_views(studio, settings, folder, progress)
            info = {"source": asset.source, **_description(studio, original, settings)}
            if settings.test_views and settings.relight:
                sources = [environment.source for environment in settings.relight]
                info["relit"] = dict(zip(_relit_names(settings), sources, strict=True))
            info["warnings"] = _warnings(asset, studio, info["missing_images"])
        write_capture_json(folder, info)
    progress.report("capture", 1.0, f"{settings.views} views in {output}")
    return info


def _warnings(asset: Asset, studio: Studio, missing: list[str]) -> list[str]:
    """All sentences for the user; the pink of missing images says nothing about brightness."""
    brightness = [] if missing else studio.brightness.warnings()
    return [*asset.warnings, *studio.warnings, *brightness]


def _set_up(
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
    return _centered(studio, geometry.vertices, settings)


def _centered(studio: Studio, extent: np.ndarray, settings: CaptureSettings) -> Studio:
    """A studio whose views show points [n, 3], with the light that reaches their center."""
    sphere = bounding_sphere(extent)
    scene = studio.scene
    scene.camera.data.clip_start = 1e-3 * sphere.radius
    panorama = lighting.panorama(scene.world, studio.lamps, sphere.center, settings.panorama_width)
    return replace(
        studio,
        extent=extent,
        sphere=sphere,
        panorama=_brightened(panorama, studio.gain),
        normalization=_normalization(sphere, settings),
        brightness=Brightness(),
    )


def _brightened(linear: np.ndarray, gain: float) -> np.ndarray:
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


def _render_views(
    studio: Studio, settings: CaptureSettings, folder: Path, progress: Progress
) -> Studio:
    """Render and store all views of a capture; returns the studio that they were made in.

    The input views are checked. If they show the object badly, what renders show is measured, and
    they are rendered again.
    """
    directions = scene_cameras.even_directions(settings.views)
    try:
        frames = _input_views(studio, directions, settings, folder, progress)
    except _BadFraming:
        progress.report("capture", 0.0, "measuring the pictures")
        points = rendered_points(studio.scene, studio.sphere)
        if points is not None:
            studio = _centered(studio, points, settings)
        check = replace(settings, check_framing=False)
        frames = _input_views(studio, directions, check, folder, progress)
    _write_light(studio, settings, folder)
    write_transforms(folder / "transforms.json", frames)
    if settings.test_views:
        held_out = scene_cameras.farthest_directions(directions, settings.test_views)
        views = scene_cameras.viewpoints(held_out, studio.extent, studio.sphere, settings.framing)
        _render_test_views(studio, views, settings, folder / "test", progress)
    return studio


def _write_light(studio: Studio, settings: CaptureSettings, folder: Path) -> None:
    """Store the environment light, with and without lamps."""
    radiance_hdr.write_hdr(folder / ENVIRONMENT_NAME, studio.panorama)
    if studio.lamps:
        scene, center, width = studio.scene, studio.sphere.center, settings.panorama_width
        world = lighting.panorama(scene.world, [], center, width)
        radiance_hdr.write_hdr(folder / WORLD_NAME, _brightened(world, studio.gain))


def _input_views(
    studio: Studio,
    directions: np.ndarray,
    settings: CaptureSettings,
    folder: Path,
    progress: Progress,
) -> list[Frame]:
    """Render and store the input views.

    Raises:
        _BadFraming: if one of them shows the object badly, and the settings allow another try.
    """
    aim = studio.extent, studio.sphere, settings.framing
    frames, cut = [], 0
    for index, view in enumerate(scene_cameras.viewpoints(directions, *aim)):
        progress.report("capture", index / settings.views, f"view {index + 1}/{settings.views}")
        rendered = _render_view(studio, view, settings.render.seed + index)
        covered = border_is_covered(rendered[..., 3])
        if settings.check_framing and settings.framing.distance is None:
            first = index == 0 and fills_too_little(rendered[..., 3], view, studio.extent)
            if covered or first:
                raise _BadFraming
        cut += covered
        frames.append(_store_input_view(studio, view, rendered, folder))
    if cut:
        studio.warnings.append(f"The object is cut at the border of {cut} of {len(frames)} views.")
    return frames


def _store_input_view(studio: Studio, view: Viewpoint, rendered: np.ndarray, folder: Path) -> Frame:
    """Store one view over its background, and its mask."""
    _, directions = cameras.pixel_rays(view.intrinsics, view.camera_to_world)
    background = radiance_hdr.sample_panorama(studio.panorama, directions)
    frame = _frame(studio, view, folder)
    shown = to_srgb(over(rendered, background))
    studio.brightness.add(shown, rendered[..., 3])
    write_png(frame.image_path, shown)
    write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    return frame


def _render_view(studio: Studio, view: Viewpoint, seed: int) -> np.ndarray:
    """Render one view: linear, premultiplied [height, width, 4]."""
    point_camera(studio.scene, view)
    studio.scene.cycles.seed = seed
    return _brightened(render_pixels(studio.scene), studio.gain)


def _frame(studio: Studio, view: Viewpoint, folder: Path) -> Frame:
    """The entry of a view in the folder's transforms.json."""
    return Frame(
        name=view.name,
        image_path=folder / "images" / f"{view.name}.png",
        mask_path=folder / "masks" / f"{view.name}.png",
        intrinsics=view.intrinsics,
        camera_to_world=studio.normalization.apply_to_pose(view.camera_to_world),
    )


def _render_test_views(
    studio: Studio,
    views: list[Viewpoint],
    settings: CaptureSettings,
    folder: Path,
    progress: Progress,
) -> None:
    """Render and store the held-out views, relit ones, their materials, and the true mesh."""
    seed = settings.render.seed + settings.views
    frames = []
    for index, view in enumerate(views):
        progress.report("test views", index / len(views), f"test view {index + 1}/{len(views)}")
        rendered = _render_view(studio, view, seed + index)
        frames.append(_frame(studio, view, folder))
        write_png(frames[-1].image_path, srgb_with_alpha(rendered))
        write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    write_transforms(folder / "transforms.json", frames)
    truth = Geometry(
        studio.normalization.apply(studio.geometry.vertices), studio.geometry.triangles
    )
    write_ply(folder / REFERENCE_MESH, truth)
    for environment, name in zip(settings.relight, _relit_names(settings), strict=True):
        _relight(studio, views, environment, folder / name, progress)
    if settings.passes:
        passes.write_passes(studio.scene, views, folder, progress)


def _relit_names(settings: CaptureSettings) -> list[str]:
    """The folders of the test views under other lights."""
    sources = [environment.source for environment in settings.relight]
    return [f"relit_{name}" for name in environment_names(sources)]


def _relight(
    studio: Studio,
    views: list[Viewpoint],
    environment: lighting.EnvironmentLight,
    folder: Path,
    progress: Progress,
) -> None:
    """Render and store the test views under another environment light alone."""
    before = studio.scene.world
    studio.scene.world = lighting.make_world(environment)
    studio = replace(studio, gain=1.0)  # it is the scene's light that the gain belongs to
    for lamp in studio.lamps:
        lamp.hide_render = True
    for index, view in enumerate(views):
        progress.report("relit views", index / len(views), f"{environment.name}, view {index + 1}")
        write_png(folder / f"{view.name}.png", srgb_with_alpha(_render_view(studio, view, index)))
    for lamp in studio.lamps:
        lamp.hide_render = False
    studio.scene.world = before


def _description(
    studio: Studio, original: bpy.types.Scene, settings: CaptureSettings
) -> dict[str, Any]:
    """The entries of capture.json beside the source."""
    center = studio.normalization.apply(studio.sphere.center).tolist()
    return {
        "bounding_sphere": {
            "center": center,
            "radius": studio.sphere.radius * studio.normalization.scale,
        },
        "normalization": {
            "center": list(studio.normalization.center),
            "scale": studio.normalization.scale,
        },
        "seed": settings.render.seed,
        "engine": "CYCLES",
        "samples": settings.render.samples,
        "denoised": studio.scene.cycles.use_denoising,
        "field_of_view": settings.framing.field_of_view,
        "gain": studio.gain,
        "lighting": _lighting_description(studio, original, settings),
        "versions": {"blender": bpy.app.version_string},
        "missing_images": missing_images(),
    }


def _lighting_description(
    studio: Studio, original: bpy.types.Scene, settings: CaptureSettings
) -> dict[str, Any]:
    glowing = [{"name": each.name} for each in studio.glowing]
    if settings.environment is not None:
        described = settings.environment.to_dict()
        return {**described, "lamps": glowing} if glowing else described
    if original.world is None and not studio.lamps:
        return {"kind": "neutral", "lamps": glowing} if glowing else {"kind": "neutral"}
    world = original.world.name if original.world else None
    lamps = [
        {**lighting.describe_lamp(lamp, studio.normalization, studio.gain), "name": name}
        for lamp, name in zip(studio.lamps, studio.lamp_names, strict=True)
    ]
    return {"kind": "scene", "world": world, "lamps": [*lamps, *glowing]}
