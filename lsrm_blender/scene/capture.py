# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures: rendered views of objects from all around, with cameras, masks and light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ...backend.shared import cameras, radiance_hdr
from ...backend.shared.capture.capture import (
    ENVIRONMENT_NAME,
    WORLD_NAME,
    BoundingSphere,
    Frame,
    relit_folder,
)
from ...backend.shared.capture.json_files import write_capture_json
from ...backend.shared.capture.writer import write_transforms
from . import lighting, passes, scene_cameras
from .asset_import import lights
from .output_folder import MarkedFolder
from .pixels import (
    over,
    remove_abandoned_renders,
    render_pixels,
    srgb_with_alpha,
    to_srgb,
    write_png,
)
from .render_settings import RenderSettings, use_cycles, use_true_colors
from .rendered_geometry import Geometry, bounding_sphere, rendered_geometry, write_ply
from .scene_cameras import Framing, Viewpoint, point_camera
from .scene_state import working_scene

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...backend.shared.progress import Progress

REFERENCE_MESH = "reference_mesh.ply"


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


@dataclass(frozen=True)
class Studio:
    """A working scene with everything that its views need.

    Attributes:
        scene: the working scene with the user's objects.
        lamps: the copies of the user's lamps in it.
        geometry: the surface that a render shows.
        sphere: the bounding sphere of the geometry.
        panorama: the light, [height, width, 3].
        normalization: from the scene's coordinates to those written.
    """

    scene: bpy.types.Scene
    lamps: list[bpy.types.Object]
    geometry: Geometry
    sphere: BoundingSphere
    panorama: np.ndarray
    normalization: cameras.Normalization


def capture(
    objects: Sequence[bpy.types.Object],
    source: dict[str, Any],
    output: Path,
    settings: CaptureSettings,
    progress: Progress,
) -> dict[str, Any]:
    """Capture objects of the open file into a folder; the file is not changed.

    Args:
        objects: to render; others are neither seen nor cast shadows.
        source: the entry of capture.json about the asset.
        output: the capture folder; an existing one is replaced at the end.
        settings: how the capture is made.
        progress: receives every view; checked before every view.

    Returns:
        The content of capture.json.

    Raises:
        BadAsset: if the objects show no surface, or an environment light is unknown.
        OutputNotWritable, DiskFull: if the folder cannot be written.
        Cancelled: if the user stopped it.
    """
    original = bpy.context.scene
    remove_abandoned_renders()
    with MarkedFolder(output, "transforms.json") as folder:
        with working_scene("LSRM capture", objects) as scene:
            progress.report("capture", 0.0, "measuring the object")
            studio = _set_up(scene, original, settings)
            info = {"source": source, **_description(studio, original, settings)}
            _render_views(studio, settings, folder, progress)
        write_capture_json(folder, info)
    progress.report("capture", 1.0, f"{settings.views} views in {output}")
    return info


def _set_up(scene: bpy.types.Scene, original: bpy.types.Scene, settings: CaptureSettings) -> Studio:
    """Measure the objects of the working scene, light them, and add a camera."""
    scene_cameras.add_camera(scene)
    geometry = rendered_geometry(scene)
    sphere = bounding_sphere(geometry.vertices)
    use_cycles(scene, settings.render)
    use_true_colors(scene)
    scene.camera.data.clip_start = 1e-3 * sphere.radius
    world, lamps = _light(original, settings)
    scene.world = world
    return Studio(
        scene=scene,
        lamps=lighting.add_lamps(scene, lamps),
        geometry=geometry,
        sphere=sphere,
        panorama=lighting.panorama(world, lamps, sphere.center, settings.panorama_width),
        normalization=_normalization(sphere, settings),
    )


def _light(
    original: bpy.types.Scene, settings: CaptureSettings
) -> tuple[bpy.types.World | None, list[bpy.types.Object]]:
    """The world and the lamps that light the capture."""
    if settings.environment is not None:
        return lighting.make_world(settings.environment), []
    lamps = lights(original)
    if original.world is None and not lamps:
        return lighting.uniform_world(), []
    return original.world, lamps


def _normalization(sphere: BoundingSphere, settings: CaptureSettings) -> cameras.Normalization:
    if settings.normalize:
        return cameras.Normalization.from_sphere(sphere.center, sphere.radius)
    return cameras.Normalization((0.0, 0.0, 0.0), 1.0)


def _render_views(
    studio: Studio, settings: CaptureSettings, folder: Path, progress: Progress
) -> None:
    """Render and store all views of a capture."""
    radiance_hdr.write_hdr(folder / ENVIRONMENT_NAME, studio.panorama)
    if studio.lamps:
        scene, center, width = studio.scene, studio.sphere.center, settings.panorama_width
        world = lighting.panorama(scene.world, [], center, width)
        radiance_hdr.write_hdr(folder / WORLD_NAME, world)
    directions = scene_cameras.even_directions(settings.views)
    aim = studio.geometry.vertices, studio.sphere, settings.framing
    frames = []
    for index, view in enumerate(scene_cameras.viewpoints(directions, *aim)):
        progress.report("capture", index / settings.views, f"view {index + 1}/{settings.views}")
        frames.append(_input_view(studio, view, settings.render.seed + index, folder))
    write_transforms(folder / "transforms.json", frames)
    if settings.test_views:
        held_out = scene_cameras.farthest_directions(directions, settings.test_views)
        views = scene_cameras.viewpoints(held_out, *aim)
        _render_test_views(studio, views, settings, folder / "test", progress)


def _input_view(studio: Studio, view: Viewpoint, seed: int, folder: Path) -> Frame:
    """Render and store one view over its background, and its mask."""
    rendered = _render_view(studio.scene, view, seed)
    _, directions = cameras.pixel_rays(view.intrinsics, view.camera_to_world)
    background = radiance_hdr.sample_panorama(studio.panorama, directions)
    frame = _frame(studio, view, folder)
    write_png(frame.image_path, to_srgb(over(rendered, background)))
    write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    return frame


def _render_view(scene: bpy.types.Scene, view: Viewpoint, seed: int) -> np.ndarray:
    """Render one view: linear, premultiplied [height, width, 4]."""
    point_camera(scene, view)
    scene.cycles.seed = seed
    return render_pixels(scene)


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
        rendered = _render_view(studio.scene, view, seed + index)
        frames.append(_frame(studio, view, folder))
        write_png(frames[-1].image_path, srgb_with_alpha(rendered))
        write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    write_transforms(folder / "transforms.json", frames)
    truth = Geometry(
        studio.normalization.apply(studio.geometry.vertices), studio.geometry.triangles
    )
    write_ply(folder / REFERENCE_MESH, truth)
    for environment in settings.relight:
        _relight(studio, views, environment, relit_folder(folder, environment.source), progress)
    if settings.passes:
        passes.write_passes(studio.scene, views, folder, progress)


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
    for lamp in studio.lamps:
        lamp.hide_render = True
    for index, view in enumerate(views):
        progress.report("relit views", index / len(views), f"{environment.name}, view {index + 1}")
        write_png(
            folder / f"{view.name}.png", srgb_with_alpha(_render_view(studio.scene, view, index))
        )
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
        "lighting": _lighting_description(studio, original, settings),
        "versions": {"blender": bpy.app.version_string},
        "missing_images": missing_images(),
    }


def _lighting_description(
    studio: Studio, original: bpy.types.Scene, settings: CaptureSettings
) -> dict[str, Any]:
    if settings.environment is not None:
        return settings.environment.to_dict()
    if original.world is None and not studio.lamps:
        return {"kind": "neutral"}
    world = original.world.name if original.world else None
    lamps = [lighting.describe_lamp(lamp, studio.normalization) for lamp in studio.lamps]
    return {"kind": "scene", "world": world, "lamps": lamps}


def missing_images() -> list[str]:
    """Textures whose files are missing; Blender renders them pink."""
    return [
        image.filepath
        for image in bpy.data.images
        if image.source == "FILE" and image.users and not image.packed_file and 0 in image.size
    ]
