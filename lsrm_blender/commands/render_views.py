# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `render-views`: a result from the cameras of views, in linear light.

Where `evaluate` scores what it renders, this leaves files for other programs to score.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from ...backend.shared.capture.json_files import read_object
from ...backend.shared.capture.reader import read_capture
from ...backend.shared.errors import BadRequest
from ..scene.cameras.scene_cameras import Viewpoint, point_camera
from ..scene.lighting import EnvironmentLight, make_world
from ..scene.passes import unlit
from ..scene.pixels import render_file
from ..scene.render_settings import use_cycles
from .result_views import result_scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import bpy

    from ...backend.shared.capture.capture import Frame
    from ...backend.shared.progress import Progress
    from ..scene.render_settings import RenderSettings

SUFFIX = ".exr"


@dataclass(frozen=True)
class ViewRenders:
    """How views are rendered.

    Attributes:
        render: samples and seed.
        size: longest side of the images in pixels; None takes that of each view.
    """

    render: RenderSettings
    size: int | None = None

    def viewpoint(self, frame: Frame) -> Viewpoint:
        """The camera of a view at that size."""
        lens = frame.intrinsics
        scale = self.size / max(lens.width, lens.height) if self.size else 1.0
        sized = lens.scaled(max(1, round(lens.width * scale)), max(1, round(lens.height * scale)))
        return Viewpoint(frame.name, sized, frame.camera_to_world)


def render_views(
    mesh: Path, cameras: Path, output: Path, settings: ViewRenders, progress: Progress
) -> list[Path]:
    """Render every view that a folder describes.

    Args:
        mesh: any 3D file, in the coordinates of the views.
        cameras: a folder with the `transforms.json` of the views and, where they are lit, with
            `lights.json`: the file or name of the environment light of each view, by its name. A
            view without one shows the base color, unlit.
        output: folder of the images `0000.exr`, `0001.exr` …, linear, premultiplied, with alpha, in
            the order of the views; their names may be too long for files.
        settings: of all views.
        progress: receives every view; may cancel.

    Raises:
        BadAsset: if the mesh cannot be opened, or a light is unknown.
        BadRequest: if `lights.json` names a view that there is not.
        LsrmError: as `read_capture` raises.
        Cancelled: if the user stopped it.
    """
    frames = read_capture(cameras).frames
    lights = _lights(cameras / "lights.json", frames)
    files: list[Path] = []
    output.mkdir(parents=True, exist_ok=True)
    with result_scene(mesh) as scene:
        use_cycles(scene, settings.render)
        for light, group in groupby(frames, key=lambda frame: lights.get(frame.name, "")):
            with _lit(scene, light):
                for frame in group:
                    progress.report("render", len(files) / len(frames), f"view {frame.name}")
                    point_camera(scene, settings.viewpoint(frame))
                    files.append(output / f"{len(files):04d}{SUFFIX}")
                    render_file(scene, files[-1])
    return files


@contextmanager
def _lit(scene: bpy.types.Scene, light: str) -> Iterator[None]:
    """Light a working scene; without a light it shows its base color."""
    if light:
        scene.world = make_world(EnvironmentLight(light))
        yield
        return
    with unlit(scene, "base_color"):
        yield


def _lights(path: Path, frames: Iterable[Frame]) -> dict[str, str]:
    """The environment lights by the name of their view; none if there is no file."""
    if not path.is_file():
        return {}
    lights = {name: str(light) for name, light in read_object(path).items()}
    unknown = sorted(set(lights) - {frame.name for frame in frames})
    if unknown:
        raise BadRequest(
            f"{path} gives a light to {unknown[0]}, which is no view.",
            "Name the views as their images are named.",
        )
    return lights
