# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under one light after the other: still images and turntables."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ....backend.shared import cameras
from ....backend.shared.capture.capture import environment_names
from ....backend.shared.capture.json_files import read_capture_json
from ....backend.shared.capture.reader import read_capture
from ....backend.shared.errors import BadCapture
from ..cameras.directions import portrait_direction
from ..cameras.scene_cameras import (
    Framing,
    Viewpoint,
    add_camera,
    filling_distance,
    point_camera,
)
from ..lighting import EnvironmentLight, make_world
from ..pixels import render_pixels, srgb_with_alpha, to_srgb, write_png
from ..render_settings import RenderSettings, use_cycles, use_true_colors
from ..rendered_geometry import bounding_sphere, rendered_geometry
from ..results.originals import originals_of
from ..results.result_files import normalization_of
from ..scene_state import copied_scene, working_scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import bpy

    from ....backend.shared.capture.capture import BoundingSphere
    from ....backend.shared.progress import Progress


@dataclass(frozen=True)
class RelightSettings:
    """How images under other lights are rendered.

    Attributes:
        environments: the lights, one after the other.
        render: samples, seed; its `transparent` leaves the environment invisible.
        framing: of the default camera.
        frames: of a turntable; 0 makes one still.
        from_view: a capture folder and the index of the view to take instead.
    """

    environments: tuple[EnvironmentLight, ...]
    render: RenderSettings = field(default_factory=lambda: RenderSettings(samples=64))
    framing: Framing = field(default_factory=lambda: Framing(512, 35.0))
    frames: int = 0
    from_view: tuple[Path, int] | None = None


def relight(
    shown: Sequence[bpy.types.Object],
    output: Path,
    settings: RelightSettings,
    progress: Progress,
) -> list[Path]:
    """Render objects alone, under one light after the other.

    Returns:
        The images: `<output>/<light>.png`, or `<output>/<light>/<frame>.png` of a turntable.

    Raises:
        BadAsset: if an environment light is unknown.
        OutputNotWritable, DiskFull: if an image cannot be written.
        Cancelled: if the user stopped it.
    """
    with working_scene("LSRM relight", shown) as scene:
        add_camera(scene)
        views = _viewpoints(scene, settings)
        use_true_colors(scene)
        return _render_all(scene, views, output, settings, progress)


def relight_scene(
    original: bpy.types.Scene,
    shown: Sequence[bpy.types.Object],
    output: Path,
    settings: RelightSettings,
    progress: Progress,
) -> list[Path]:
    """Render a whole scene under one light after the other, with its own colors and camera.

    The source objects are hidden, since the result replaces them. If the scene has no camera, or
    with a turntable or `from_view`, the camera looks at the objects `shown`.
    """
    with copied_scene(original, "LSRM relight") as scene, _without_sources(shown):
        views: list[Viewpoint] | None = None
        if scene.camera is None or settings.frames or settings.from_view:
            with working_scene("LSRM aim", shown) as aim:
                add_camera(aim)
                views = _viewpoints(aim, settings)
            add_camera(scene)
        _resize(scene, settings.framing.size)
        return _render_all(scene, views, output, settings, progress)


def _resize(scene: bpy.types.Scene, size: int) -> None:
    """Scale the longer side of a scene's renders to a number of pixels."""
    render = scene.render
    factor = size / max(render.resolution_x, render.resolution_y)
    render.resolution_x = max(4, round(render.resolution_x * factor))
    render.resolution_y = max(4, round(render.resolution_y * factor))
    render.resolution_percentage = 100


@contextmanager
def _without_sources(shown: Sequence[bpy.types.Object]) -> Iterator[None]:
    """Hide the source objects of results from renders, until the end of the block."""
    originals = {original for result in shown for original in originals_of(result)}
    hidden = [original for original in originals if not original.hide_render]
    try:
        for original in hidden:
            original.hide_render = True
        yield
    finally:
        for original in hidden:
            original.hide_render = False


def _viewpoints(scene: bpy.types.Scene, settings: RelightSettings) -> list[Viewpoint]:
    """The cameras of a still image or a turntable around everything in a working scene."""
    if settings.from_view is not None:
        return [captured_viewpoint(*settings.from_view)]
    vertices = rendered_geometry(scene).vertices
    sphere = bounding_sphere(vertices)
    count = max(settings.frames, 1)
    turns = [2.0 * math.pi * index / count for index in range(count)]
    directions = [portrait_direction(turn) for turn in turns]
    # One distance for all, or the size of the object would change as it turns.
    distance = max(filling_distance(vertices, sphere, d, settings.framing) for d in directions)
    return [
        _orbit(sphere, direction, distance, settings.framing, f"{index:04d}")
        for index, direction in enumerate(directions)
    ]


def _orbit(
    sphere: BoundingSphere, direction: np.ndarray, distance: float, framing: Framing, name: str
) -> Viewpoint:
    position = np.asarray(sphere.center) + distance * direction
    return Viewpoint(name, framing.intrinsics, cameras.look_at(position, sphere.center))


def captured_viewpoint(views: Path, index: int) -> Viewpoint:
    """A camera of a capture, in the coordinates of the scene that was captured.

    Raises:
        BadCapture: if there is no such view.
    """
    frames = read_capture(views).frames
    if not -len(frames) <= index < len(frames):
        raise BadCapture(
            f"{views} has no view {index}.", f"Choose one from 0 to {len(frames) - 1}."
        )
    frame = frames[index]
    pose = frame.camera_to_world.copy()
    # The test views lie inside of the capture that says how it was normalized.
    document = read_capture_json(views) or read_capture_json(views.parent)
    pose[:3, 3] = normalization_of(document).invert(pose[:3, 3])
    return Viewpoint(frame.name, frame.intrinsics, pose)


def _render_all(
    scene: bpy.types.Scene,
    views: list[Viewpoint] | None,
    output: Path,
    settings: RelightSettings,
    progress: Progress,
) -> list[Path]:
    """Render every view under every light; without views, the scene's own camera."""
    use_cycles(scene, settings.render)
    written: list[Path] = []
    targets: list[Viewpoint | None] = [*views] if views else [None]
    names = environment_names([each.source for each in settings.environments])
    for index, (environment, light) in enumerate(zip(settings.environments, names, strict=True)):
        scene.world = make_world(environment)
        for view in targets:
            done = (index + len(written) / len(targets)) / len(settings.environments)
            progress.report("relight", min(done, 1.0), environment.name)
            if view is not None:
                point_camera(scene, view)
            name = light
            if settings.frames > 0 and view is not None:
                name = f"{light}/{view.name}"
            written.append(output / f"{name}.png")
            _store(written[-1], render_pixels(scene), transparent=settings.render.transparent)
    return written


def _store(path: Path, rendered: np.ndarray, *, transparent: bool) -> None:
    encoded = srgb_with_alpha(rendered) if transparent else to_srgb(rendered[..., :3])
    write_png(path, encoded)
