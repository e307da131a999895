# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The held-out views of a capture, relit ones among them, with what is true about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ....backend.shared.capture.capture import REFERENCE_MESH, environment_names
from ....backend.shared.capture.writer import write_transforms
from .. import lighting, passes
from ..pixels import srgb_with_alpha, write_png
from ..rendered_geometry import Geometry, write_ply
from .studio import frame_of, render_view

if TYPE_CHECKING:
    from pathlib import Path

    from ....backend.shared.progress import Progress
    from ..cameras.scene_cameras import Viewpoint
    from .settings import CaptureSettings
    from .studio import Studio


def render_test_views(
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
        rendered = render_view(studio, view, seed + index)
        frames.append(frame_of(studio, view, folder))
        write_png(frames[-1].image_path, srgb_with_alpha(rendered))
        write_png(folder / "masks" / f"{view.name}.png", np.clip(rendered[..., 3:], 0.0, 1.0))
    write_transforms(folder / "transforms.json", frames)
    truth = Geometry(
        studio.normalization.apply(studio.geometry.vertices), studio.geometry.triangles
    )
    write_ply(folder / REFERENCE_MESH, truth)
    for environment, name in zip(settings.relight, relit_names(settings), strict=True):
        _relight(studio, views, environment, folder / name, progress)
    if settings.passes:
        passes.write_passes(studio.scene, views, folder, progress)


def relit_names(settings: CaptureSettings) -> list[str]:
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
        write_png(folder / f"{view.name}.png", srgb_with_alpha(render_view(studio, view, index)))
    for lamp in studio.lamps:
        lamp.hide_render = False
    studio.scene.world = before
