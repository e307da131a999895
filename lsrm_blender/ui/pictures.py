# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in the panel, such as contact sheets: as icons, which are cheap to draw."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import bpy.utils.previews
import numpy as np

from ...backend.shared.errors import BadImage
from ..scene.pixels import read_stored

if TYPE_CHECKING:
    from pathlib import Path

LOGGER = logging.getLogger(__name__)
POINTS_PER_UNIT = 20.0
"""Of Blender's interface at scale 1."""

MARGIN = 3.5
"""Of a picture in the sidebar, in interface units."""

SMALLEST, LARGEST = 6.0, 24.0
"""Side of a picture, in interface units."""

_previews: dict[str, Any] = {}
"""Collections of one picture each: nothing but a whole collection can be removed."""


def load(name: str, path: Path) -> None:
    """Read a picture, which should be small; it replaces an earlier one of that name."""
    unload(name)
    try:
        pixels = read_stored(path)
    except BadImage as error:  # an outcome without a picture is better than none
        LOGGER.warning("%s", error)
        return
    _previews[name] = bpy.utils.previews.new()
    preview = _previews[name].new(name)
    height, width = pixels.shape[:2]
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(np.ravel(pixels[::-1]))


def icon(name: str) -> int:
    """The icon of a picture; 0 if there is none."""
    return int(_previews[name][name].icon_id) if name in _previews else 0


def unload(name: str) -> None:
    """Remove a picture."""
    if name in _previews:
        bpy.utils.previews.remove(_previews.pop(name))


def draw_picture(layout: bpy.types.UILayout, context: bpy.types.Context, name: str) -> None:
    """Draw a picture as wide as the region, if there is one."""
    if shown := icon(name):
        unit = POINTS_PER_UNIT * (context.preferences.system.ui_scale or 1.0)
        width = context.region.width / unit - MARGIN
        layout.template_icon(shown, scale=min(max(width, SMALLEST), LARGEST))
