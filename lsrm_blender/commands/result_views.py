# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders of a result at the cameras of views."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from mathutils import Matrix

from ...backend.shared.capture.capture import ENVIRONMENT_NAME
from ...backend.shared.up_axis import stored_rotation
from ..scene.assets.asset_import import open_asset
from ..scene.assets.asset_objects import AssetChoice
from ..scene.cameras.scene_cameras import add_camera, point_camera
from ..scene.lighting import EnvironmentLight, make_world
from ..scene.passes import unlit
from ..scene.pixels import render_pixels, srgb_with_alpha, write_png
from ..scene.render_settings import RenderSettings, use_cycles, use_true_colors
from ..scene.scene_state import working_scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import bpy

    from ...backend.shared.progress import Progress
    from ..scene.cameras.scene_cameras import Viewpoint
    from ..scene.results.result_files import Result


def own_light(result: Result, views: Path) -> EnvironmentLight | None:
    """The light of the views, if a result needs it to look like them.

    A base color without its light does not look like the views; a color with the light in it does.

    Args:
        result: that is shown.
        views: the capture folder of the views.
    """
    if result.report.get("material") != "pbr":
        return None
    estimated, known = (folder / ENVIRONMENT_NAME for folder in (result.mesh.parent, views))
    found = next((path for path in (estimated, known) if path.is_file()), None)
    return EnvironmentLight(str(found)) if found else None


@contextmanager
def result_scene(mesh: Path) -> Iterator[bpy.types.Scene]:
    """A working scene with a mesh alone, as it stands in the world of its views, and a camera.

    Args:
        mesh: any 3D file.

    Raises:
        BadAsset: if it cannot be opened.
    """
    objects = open_asset(AssetChoice(mesh)).objects
    _turn_into_capture_world(objects, stored_rotation(mesh))
    with working_scene("LSRM result", objects) as scene:
        add_camera(scene)
        use_cycles(scene, RenderSettings())
        use_true_colors(scene)
        yield scene


def render_result(
    scene: bpy.types.Scene,
    viewpoints: Sequence[Viewpoint],
    light: EnvironmentLight | None,
    folder: Path,
    progress: Progress,
) -> None:
    """Render a working scene to `<view>.png`, straight alpha.

    Args:
        scene: of `result_scene`.
        viewpoints: the cameras.
        light: what lights it; without one the base color is shown, unlit.
        folder: of the images.
        progress: of the stage `evaluate`; may cancel.

    Raises:
        BadAsset: if the light is unknown.
    """
    if light is None:
        with unlit(scene, "base_color"):
            _render(scene, viewpoints, folder, progress)
    else:
        scene.world = make_world(light)
        _render(scene, viewpoints, folder, progress)


def _render(
    scene: bpy.types.Scene, viewpoints: Sequence[Viewpoint], folder: Path, progress: Progress
) -> None:
    for index, view in enumerate(viewpoints):
        progress.report("evaluate", index / len(viewpoints), f"view {view.name}")
        point_camera(scene, view)
        write_png(folder / f"{view.name}.png", srgb_with_alpha(render_pixels(scene)))


def _turn_into_capture_world(objects: Sequence[bpy.types.Object], rotation: np.ndarray) -> None:
    """Undo the rotation [3, 3] by which a result was turned upright."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation.T
    for each in objects:
        if each.parent is None:
            each.matrix_world = Matrix(matrix.tolist()) @ each.matrix_world
