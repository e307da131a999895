# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under one light after the other: stills, turntables, videos and contact sheets."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from .light_sheet import write_light_sheet
from .video import check_video, write_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import bpy

    from ....backend.shared.capture.capture import BoundingSphere
    from ....backend.shared.progress import Progress


SHEET = "contact_sheet.png"
FIELD_OF_VIEW = 35.0
"""Of the default camera, in degrees."""


@dataclass(frozen=True)
class RelightSettings:
    """How images under other lights are rendered.

    Attributes:
        environments: the lights, one after the other.
        render: samples, seed; its `transparent` leaves the environment invisible.
        framing: of the default camera.
        frames: of a turntable; 0 makes one still.
        video: whether to make a video of every turntable as well.
        sheet: whether to put the first picture under every light on a contact sheet as well.
        from_view: a capture folder and the index of the view to take instead.
    """

    environments: tuple[EnvironmentLight, ...]
    render: RenderSettings = field(default_factory=lambda: RenderSettings(samples=64))
    framing: Framing = field(default_factory=lambda: Framing(512, FIELD_OF_VIEW))
    frames: int = 0
    video: bool = False
    sheet: bool = False
    from_view: tuple[Path, int] | None = None


@dataclass(frozen=True)
class Pictures:
    """What was rendered.

    Attributes:
        images: `<light>.png`, or `<light>/<frame>.png` of a turntable.
        videos: `<light>.mp4`.
        sheet: the contact sheet, if one was wanted.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...] = ()
    sheet: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The paths as JSON."""
        return {
            "images": [str(image) for image in self.images],
            "videos": [str(video) for video in self.videos],
            "sheet": str(self.sheet) if self.sheet is not None else None,
        }


def relight(
    shown: Sequence[bpy.types.Object],
    output: Path,
    settings: RelightSettings,
    progress: Progress,
) -> Pictures:
    """Render objects alone, under one light after the other.

    Args:
        shown: of the open file.
        output: folder of all pictures.
        settings: of all pictures.
        progress: receives every picture; may cancel.

    Raises:
        BadAsset: if an environment light is unknown.
        EnvironmentBroken: if this Blender cannot make a video.
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
) -> Pictures:
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
) -> Pictures:
    """Render every view under every light; without views, the scene's own camera."""
    if settings.video:
        check_video(settings.framing.size)
    use_cycles(scene, settings.render)
    written: list[list[Path]] = []
    targets: list[Viewpoint | None] = [*views] if views else [None]
    names = environment_names([each.source for each in settings.environments])
    for index, (environment, light) in enumerate(zip(settings.environments, names, strict=True)):
        scene.world = make_world(environment)
        written.append([])
        for number, view in enumerate(targets):
            done = (index + number / len(targets)) / len(names)
            progress.report("relight", done, environment.name)
            if view is not None:
                point_camera(scene, view)
            name = f"{light}/{view.name}" if settings.frames > 0 and view is not None else light
            written[-1].append(output / f"{name}.png")
            _store(written[-1][-1], render_pixels(scene), transparent=settings.render.transparent)
    return _assemble(written, names, output, settings)


def _assemble(
    written: Sequence[Sequence[Path]], names: Sequence[str], output: Path, settings: RelightSettings
) -> Pictures:
    """Make videos and a contact sheet of pictures, if they are wanted.

    Args:
        written: the pictures under each light.
        names: of the lights.
        output: folder for what is made.
        settings: what is made.
    """
    videos = []
    if settings.video and settings.frames > 0:
        for frames, name in zip(written, names, strict=True):
            videos.append(output / f"{name}.mp4")
            write_video(frames, settings.framing.size, videos[-1])
    sheet = output / SHEET if settings.sheet else None
    if sheet is not None:
        write_light_sheet([frames[0] for frames in written], names, sheet)
    images = tuple(image for frames in written for image in frames)
    return Pictures(images, tuple(videos), sheet)


def _store(path: Path, rendered: np.ndarray, *, transparent: bool) -> None:
    encoded = srgb_with_alpha(rendered) if transparent else to_srgb(rendered[..., :3])
    write_png(path, encoded)
