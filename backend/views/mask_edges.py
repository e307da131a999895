# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks that are made smaller, or soft at their edge, by pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..shared.errors import EmptyMask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.capture.capture import MaskEdge

    Coverage = NDArray[np.float32]

LEAST_LEFT = 0.5
"""Of the area of a mask; thin parts of an object are gone before as much is."""


def with_edge(mask: Coverage, edge: MaskEdge, name: str) -> Coverage:
    """A mask [height, width] in 0..1 with another edge.

    Its outline moves inwards, and coverage rises across it over so many pixels as are feathered,
    half of them on each side. Nothing moves at the border of the frame: the object continues there.

    Args:
        mask: white on the object, at the size on disk.
        edge: how far and how soft.
        name: of the view, for error messages.

    Raises:
        EmptyMask: if hardly anything would be left.
    """
    inside = mask >= 0.5
    if edge.is_unchanged or inside.all() or not inside.any():
        return mask
    depth = _depth(inside) - edge.erode
    left = float((depth > 0.0).sum() / inside.sum())
    if left < LEAST_LEFT:
        raise EmptyMask(
            f"Eroded by {edge.erode} pixels, {100 * left:.0f} % is left of the mask of view "
            f"{name}.",
            "Probably the object is thin or small in the picture: erode its masks by fewer pixels.",
        )
    softened: Coverage = (depth / max(edge.feather, 1) + 0.5).clip(0.0, 1.0).astype(np.float32)
    return softened


def _depth(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distances [height, width] to the outline in pixels, negative outside."""
    deep: NDArray[np.float64] = ndimage.distance_transform_edt(inside)
    far: NDArray[np.float64] = ndimage.distance_transform_edt(~inside)
    # From the center of a pixel to that of the nearest one beyond the outline, less the half pixel
    # by which the outline is nearer.
    return np.where(inside, deep - 0.5, 0.5 - far)
