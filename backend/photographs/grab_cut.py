# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outline of the object in one photograph: OpenCV's GrabCut with color models of all views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .extras import PHOTOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]
    Bytes: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float64]

# The number of Gaussians in a model, which GrabCut prescribes.
GAUSSIANS = 5
# Standard deviation, in 8-bit levels, added to every Gaussian: without it, a shadow that is a
# little darker than the surroundings is certainly not one of them.
SPREAD = 14.0
# Pixels around the part of the photograph that is cut.
MARGIN = 8


def fit_color_model(samples: Bytes) -> Floats:
    """A mixture of Gaussians in the layout of GrabCut: weights, means and covariances, [1, 65].

    Args:
        samples: [n, 3], colors.
    """
    cv2: Any = PHOTOS.load("cv2")

    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    points = samples.astype(np.float32)
    count = min(GAUSSIANS, len(points))
    cv2.setRNGSeed(0)
    labels = cv2.kmeans(points, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)[1].ravel()
    weights, means = np.zeros(GAUSSIANS), np.zeros((GAUSSIANS, 3))
    covariances = np.tile(np.eye(3) * SPREAD**2, (GAUSSIANS, 1, 1))
    for index in range(count):
        own = points[labels == index]
        weights[index] = len(own) / len(points)
        if len(own):
            means[index] = own.mean(axis=0)
            offset = own - means[index]
            covariances[index] += offset.T @ offset / len(own)
    return np.concatenate([weights, means.ravel(), covariances.ravel()])[None]


def cut(
    colors: Bytes, models: tuple[Floats, Floats], sure_inside: Bools, sure_outside: Bools
) -> Bools:
    """The object [height, width] in a photograph.

    Args:
        colors: [height, width, 3].
        models: of the surroundings and of the object, as `fit_color_model` makes them.
        sure_inside: where there is nothing but the object, [height, width].
        sure_outside: where there is no object, [height, width].
    """
    cv2: Any = PHOTOS.load("cv2")

    labels = np.full(sure_inside.shape, cv2.GC_PR_FGD, np.uint8)
    labels[sure_inside] = cv2.GC_FGD
    labels[sure_outside] = cv2.GC_BGD
    window = _window(~sure_outside)
    part = np.ascontiguousarray(labels[window])
    cv2.grabCut(
        np.ascontiguousarray(colors[window]),
        part,
        None,
        *(model.copy() for model in models),
        1,
        cv2.GC_EVAL_FREEZE_MODEL,
    )
    result = np.zeros(sure_inside.shape, bool)
    result[window] = (part == cv2.GC_FGD) | (part == cv2.GC_PR_FGD)
    return result


def _window(open_pixels: Bools) -> tuple[slice, slice]:
    """The part of a photograph with all pixels that are not certain, and a margin."""
    slices = []
    for axis in (1, 0):
        filled = np.flatnonzero(open_pixels.any(axis=axis))
        first, last = (filled[0], filled[-1]) if len(filled) else (0, 0)
        slices.append(slice(max(0, first - MARGIN), last + 1 + MARGIN))
    return slices[0], slices[1]
