# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as assets of Blender's asset browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...backend.shared.errors import BadImage
from ...backend.shared.names.result_names import PREVIEW
from .pixels import read_stored
from .results import originals

if TYPE_CHECKING:
    from collections.abc import Iterable

    import bpy

PREVIEW_SIDE = 256
"""Pixels of the picture in the asset browser."""

DESCRIPTION = "Reconstructed by LSRM"


def mark_as_asset(made: bpy.types.Object, tags: Iterable[str]) -> None:
    """Mark a result as an asset, with the picture of the result and tags."""
    made.asset_mark()
    asset = made.asset_data
    asset.description = DESCRIPTION
    for tag in tags:
        asset.tags.new(tag, skip_if_exists=True)
    picture = Path(made.get(originals.RESULT_FOLDER, "")) / PREVIEW
    try:
        _show(made, read_stored(picture))
    except BadImage:  # moved or deleted meanwhile
        made.asset_generate_preview()


def _show(made: bpy.types.Object, pixels: np.ndarray) -> None:
    """Make pixels [height, width, 4], row 0 on top, the preview of an object."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    centers = (np.arange(PREVIEW_SIDE) + 0.5) * side / PREVIEW_SIDE
    rows = ((height - side) / 2 + centers).astype(int)
    columns = ((width - side) / 2 + centers).astype(int)
    square = pixels[rows][:, columns]
    preview = made.preview_ensure()
    preview.image_size = (PREVIEW_SIDE, PREVIEW_SIDE)
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(square[::-1]).ravel())
