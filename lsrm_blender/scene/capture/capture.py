# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures: rendered views of objects from all around, with cameras, masks and light."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np

from ....backend.shared import cameras, radiance_hdr
from ....backend.shared.capture.capture import ENVIRONMENT_NAME, WORLD_NAME, Frame
from ....backend.shared.capture.checksums import SHA256, checksums
from ....backend.shared.capture.json_files import write_capture_json
from ....backend.shared.capture.reader import read_capture
from ....backend.shared.capture.writer import write_transforms
from .. import lighting
from ..cameras.camera_plan import existing_cameras
from ..cameras.directions import farthest_directions
from ..cameras.scene_cameras import viewpoints
from ..output_folder import MarkedFolder
from ..pixels import over, remove_abandoned_renders, to_srgb, write_png
from ..rendered_extent import border_is_covered, fills_too_little, rendered_points
from ..scene_state import working_scene
from .description import description
from .held_out import relit_names, render_test_views
from .planned_views import plan_views
from .studio import Studio, brightened, centered, frame_of, render_view, set_up

if TYPE_CHECKING:
    from pathlib import Path

    from ....backend.shared.progress import Progress
    from ..assets.asset_objects import Asset
    from ..cameras.camera_plan import CameraPlan
    from ..cameras.scene_cameras import Viewpoint
    from .settings import CaptureSettings


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
        TooFewViews, BadCamera: if the views are to be those of cameras that are not there.
        OutputNotWritable, DiskFull: if the folder cannot be written.
        Cancelled: if the user stopped it.
    """
    original = bpy.context.scene
    remove_abandoned_renders()
    with MarkedFolder(output, "transforms.json") as folder:
        size, count = settings.framing.size, settings.views
        found = existing_cameras(original, settings.placement, size, count)
        with working_scene("LSRM capture", asset.objects, asset.poses) as scene:
            progress.report("measure", 0.0, "what the object covers")
            studio = set_up(scene, original, asset, settings)
            plan = plan_views(found, studio.geometry, studio.sphere, settings)
            studio = _render_views(studio, plan, settings, folder, progress)
            info = {"source": asset.source, **description(studio, plan, original, settings)}
            if settings.test_views and settings.relight:
                sources = [environment.source for environment in settings.relight]
                info["relit"] = dict(zip(relit_names(settings), sources, strict=True))
            info["warnings"] = [
                *asset.warnings,
                *plan.warnings,
                *_warnings(studio, info["missing_images"]),
            ]
            info[SHA256] = checksums(folder, read_capture(folder).frames)
        write_capture_json(folder, info)
    progress.report("capture", 1.0, f"{plan.count} views in {output}")
    return info


def _warnings(studio: Studio, missing: list[str]) -> list[str]:
    """Sentences about the views; the pink of missing images says nothing about brightness."""
    return [*studio.warnings, *([] if missing else studio.brightness.warnings())]


def _render_views(
    studio: Studio, plan: CameraPlan, settings: CaptureSettings, folder: Path, progress: Progress
) -> Studio:
    """Render and store all views of a capture; returns the studio that they were made in.

    The input views are checked. If they show the object badly, what renders show is measured, and
    they are rendered again.
    """
    try:
        frames = _input_views(studio, plan, settings, folder, progress)
    except _BadFraming:
        progress.report("measure", 0.0, "what the pictures show")
        points = rendered_points(studio.scene, studio.sphere)
        if points is not None:
            studio = centered(studio, points, settings)
        check = replace(settings, check_framing=False)
        frames = _input_views(studio, plan, check, folder, progress)
    _write_light(studio, settings, folder)
    write_transforms(folder / "transforms.json", frames)
    if settings.test_views:
        taken = plan.taken_directions(studio.sphere)
        held_out = farthest_directions(taken, settings.test_views)
        views = viewpoints(held_out, studio.extent, studio.sphere, settings.framing)
        render_test_views(studio, views, settings, folder / "test", progress)
    return studio


def _write_light(studio: Studio, settings: CaptureSettings, folder: Path) -> None:
    """Store the environment light, with and without lamps."""
    radiance_hdr.write_hdr(folder / ENVIRONMENT_NAME, studio.panorama)
    if studio.lamps:
        scene, center, width = studio.scene, studio.sphere.center, settings.panorama_width
        world = lighting.panorama(scene.world, [], center, width)
        radiance_hdr.write_hdr(folder / WORLD_NAME, brightened(world, studio.gain))


def _input_views(
    studio: Studio,
    plan: CameraPlan,
    settings: CaptureSettings,
    folder: Path,
    progress: Progress,
) -> list[Frame]:
    """Render and store the input views.

    Raises:
        _BadFraming: if one of them shows the object badly, and the settings allow another try.
    """
    views = plan.viewpoints(studio.extent, studio.sphere, settings.framing)
    may_move = settings.check_framing and settings.framing.distance is None and not plan.cameras
    frames, cut = [], 0
    for index, view in enumerate(views):
        progress.report("capture", index / len(views), f"view {index + 1}/{len(views)}")
        rendered = render_view(studio, view, settings.render.seed + index)
        covered = border_is_covered(rendered[..., 3])
        if may_move:
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
    frame = frame_of(studio, view, folder)
    shown = to_srgb(over(rendered, background))
    studio.brightness.add(shown, rendered[..., 3], view.camera_to_world)
    write_png(frame.image_path, shown)
    write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    return frame
