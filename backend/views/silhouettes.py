# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed distance maps of silhouettes, with sub-pixel accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from skimage.measure import find_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFINED_BAND = 3.0
"""Pixels from the outline within which the distance is exact; beyond, it is that of pixels."""

OUTLINE_SPACING = 0.05
"""Pixels between the sample points of the outline; half of it is the largest error on it."""


def signed_distance_map(mask: NDArray[np.float32], cut: frozenset[str]) -> NDArray[np.float32]:
    """Signed distance to the outline of a mask, in pixels, at the pixel centers.

    The outline is where the interpolated coverage is 0.5. Beyond a side of the frame that cuts the
    object nothing is known; there the object is assumed to continue.

    Args:
        mask: [height, width], coverage in 0..1.
        cut: sides of the frame that cut the object: left, top, right, bottom.

    Returns:
        [height, width], negative inside the object.
    """
    padded = _pad(mask, cut)
    inside = padded >= 0.5
    distance = np.where(
        inside, -distance_transform_edt(inside) + 0.5, distance_transform_edt(~inside) - 0.5
    ).astype(np.float32)
    outline = _outline_points(padded)
    if len(outline):
        band = np.argwhere(np.abs(distance) < REFINED_BAND)
        exact, _ = cKDTree(outline).query(band)
        rows, columns = band.T
        distance[rows, columns] = np.where(inside[rows, columns], -exact, exact)
    inner: NDArray[np.float32] = distance[1:-1, 1:-1]
    return inner


def _pad(mask: NDArray[np.float32], cut: frozenset[str]) -> NDArray[np.float32]:
    """Surround a mask with one pixel: 1 beyond the cut sides, 0 beyond the others."""
    padded = np.pad(mask, 1)
    borders = {
        "left": (slice(None), slice(0, 1)),
        "right": (slice(None), slice(-1, None)),
        "top": (slice(0, 1), slice(None)),
        "bottom": (slice(-1, None), slice(None)),
    }
    for side in cut:
        padded[borders[side]] = 1.0
    return padded


def _outline_points(mask: NDArray[np.float32]) -> NDArray[np.float64]:
    """Points [n, 2] (row, column) along the contour of coverage 0.5, OUTLINE_SPACING apart."""
    pieces = []
    for contour in find_contours(mask, 0.5):
        steps = np.linalg.norm(np.diff(contour, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        samples = np.arange(0.0, along[-1], OUTLINE_SPACING)
        pieces.append(np.stack([np.interp(samples, along, axis) for axis in contour.T], axis=1))
    return np.concatenate(pieces) if pieces else np.empty((0, 2))
