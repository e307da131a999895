# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet of the views as an icon, which is cheap to draw."""

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
NAME = "contact sheet"

_previews: list[Any] = []


def load(path: Path) -> None:
    """Read a contact sheet; it replaces an earlier one."""
    unload()
    try:
        pixels = read_stored(path)
    except BadImage as error:  # a check without a picture is better than none
        LOGGER.warning("%s", error)
        return
    _previews.append(bpy.utils.previews.new())
    preview = _previews[0].new(NAME)
    height, width = pixels.shape[:2]
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(np.ravel(pixels[::-1]))


def icon() -> int:
    """The icon of the contact sheet; 0 if there is none."""
    return int(_previews[0][NAME].icon_id) if _previews else 0


def unload() -> None:
    """Remove the contact sheet."""
    while _previews:
        bpy.utils.previews.remove(_previews.pop())
