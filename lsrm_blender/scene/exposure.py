# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The brightness of a scene as its user sees it, as one gain on linear light.

Views are stored as plain sRGB, which a film look would falsify. A gain keeps what the user sees of
exposure and look without changing colors.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import bpy
import numpy as np

from ...backend.shared.srgb import srgb_to_linear
from .pixels import read_stored

MIDDLE_GRAY = 0.18
NEARLY_ONE = 0.01
"""A gain this near to 1 is left out."""

DISPLAY_RANGE = (0.5, 2.0)
"""Of the factor of a view transform; others show data, not pictures."""


def display_gain(scene: bpy.types.Scene) -> float:
    """The factor on linear light that shows middle gray as the scene's own view shows it."""
    view = scene.view_settings
    exposure = getattr(scene.cycles, "film_exposure", 1.0) * 2.0**view.exposure
    if not math.isfinite(exposure) or exposure <= 0.0:
        return 1.0
    factor = _shown_gray(scene) / MIDDLE_GRAY
    if not DISPLAY_RANGE[0] <= factor <= DISPLAY_RANGE[1] or abs(factor - 1.0) < NEARLY_ONE:
        factor = 1.0
    gain = exposure * factor
    return 1.0 if abs(gain - 1.0) < NEARLY_ONE else float(gain)


def _shown_gray(scene: bpy.types.Scene) -> float:
    """How the scene's view shows light that its exposure brings to middle gray, linear."""
    image = bpy.data.images.new("LSRM gray", 2, 2, float_buffer=True)
    copy = bpy.data.scenes.new("LSRM gray")
    try:
        image.colorspace_settings.name = "Linear Rec.709"
        gray = np.full((4, 4), MIDDLE_GRAY / 2.0**scene.view_settings.exposure, np.float32)
        gray[:, 3] = 1.0
        image.pixels.foreach_set(gray.ravel())
        _copy_view(scene, copy)
        with tempfile.TemporaryDirectory(prefix="lsrm-gray-") as folder:
            path = Path(folder) / "gray.png"
            image.save_render(str(path), scene=copy)
            return float(srgb_to_linear(read_stored(path)[0, 0, :3]).mean())
    finally:
        bpy.data.scenes.remove(copy)
        bpy.data.images.remove(image)


def _copy_view(source: bpy.types.Scene, target: bpy.types.Scene) -> None:
    """Give a scene the view settings of another one, and PNG as the format of its output."""
    target.display_settings.display_device = source.display_settings.display_device
    for name in ("view_transform", "look", "exposure", "gamma"):
        setattr(target.view_settings, name, getattr(source.view_settings, name))
    target.render.dither_intensity = 0.0
    image = target.render.image_settings
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "16"
