# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ground truth of materials: renders of base color, roughness, metallic and normal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ...backend.shared.capture.capture import PASSES
from .cameras.scene_cameras import point_camera
from .lighting import uniform_world
from .material_channels import materials_showing
from .pixels import render_pixels, straight, write_png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import bpy

    from ...backend.shared.progress import Progress
    from .cameras.scene_cameras import Viewpoint

SAMPLES = 32
SCALARS = ("roughness", "metallic")


def write_passes(
    scene: bpy.types.Scene,
    views: list[Viewpoint],
    folder: Path,
    progress: Progress,
    *,
    masks: bool = False,
) -> None:
    """Store all channels of all views as 16-bit PNG: `folder/<channel>/<view>.png`.

    Materials are linear and not premultiplied, black where there is no object; normals are
    n * 0.5 + 0.5 in world space. With `masks` the coverage is stored, too, as 8-bit PNG:
    `folder/masks/<view>.png`.
    """
    for index, channel in enumerate(PASSES):
        progress.report("passes", index / len(PASSES), channel)
        with unlit(scene, channel):
            for view in views:
                point_camera(scene, view)
                rendered = np.clip(straight(render_pixels(scene)), 0.0, 1.0)
                values = rendered[..., :1] if channel in SCALARS else rendered[..., :3]
                write_png(folder / channel / f"{view.name}.png", values, bits=16)
                if masks and index == 0:
                    write_png(folder / "masks" / f"{view.name}.png", rendered[..., 3:])


@contextmanager
def unlit(scene: bpy.types.Scene, channel: str) -> Iterator[None]:
    """Make a working scene show a channel of its materials, unlit."""
    before = scene.world, scene.cycles.samples, scene.cycles.use_denoising
    scene.world = uniform_world(0.0)
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, False
    try:
        with materials_showing(channel):
            yield
    finally:
        scene.world, scene.cycles.samples, scene.cycles.use_denoising = before
