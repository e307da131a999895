# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether made masks stand: they agree on one shape, and show an object that is not everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..shared.errors import EmptyMask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]

# Intersection over union of a mask with the common shape of all.
GOOD_AGREEMENT, LEAST_AGREEMENT = 0.7, 0.75
# Fraction of the masks that may be below the good one.
MOST_DOUBTFUL = 0.25
# Of the frame: the median mask covers more than the one of its pixels, less than the other of
# its border.
LEAST_AREA, MOST_BORDER = 0.002, 0.5

# How well the colors of other photographs tell object and surroundings of one apart.
LEAST_REPEATED = 0.8
# What the median mask may leave out of that, and what makes a single mask doubtful.
MOST_MISSING, DOUBTFUL_MISSING = 0.1, 0.2

REMEDY = (
    "Photograph the object before a background of another color and whole in the frame, give masks "
    "of your own, or name a segmentation model with --mask-model."
)


def check_colors(repeated: float, unexplained: Sequence[float]) -> None:
    """Check that masks are what the colors say.

    Args:
        repeated: how well the colors of other photographs tell what one shows, 0..1.
        unexplained: for each photograph, what has the colors of the object near it and is left
            out, relative to the mask.

    Raises:
        EmptyMask: if the colors say nothing, or the masks leave out much of the object.
    """
    if repeated < LEAST_REPEATED:
        raise no_object()
    missing = float(np.median(unexplained))
    if missing > MOST_MISSING:
        raise EmptyMask(
            "The object does not stand out as a whole: the masks that were made leave out about "
            f"{100 * missing:.0f} % of it.",
            REMEDY,
        )


def doubtful_masks(
    names: Sequence[str],
    masks: Sequence[Bools],
    shapes: Sequence[Bools],
    unexplained: Sequence[float],
) -> tuple[str, ...]:
    """The names of the masks that are doubtful.

    Args:
        names: of the frames.
        masks: [height, width] of each.
        shapes: [height, width] of each, where it would show the common shape of all masks.
        unexplained: as in `check_colors`.

    Raises:
        EmptyMask: if the masks disagree with each other.
    """
    agreement = [
        float((mask & shape).sum() / max((mask | shape).sum(), 1))
        for mask, shape in zip(masks, shapes, strict=True)
    ]
    doubtful = [
        name
        for name, each, missing in zip(names, agreement, unexplained, strict=True)
        if each < GOOD_AGREEMENT or missing > DOUBTFUL_MISSING
    ]
    if np.mean(agreement) < LEAST_AGREEMENT or len(doubtful) > MOST_DOUBTFUL * len(names):
        raise EmptyMask(
            f"The masks that were made of {len(names)} photographs do not agree on one object "
            f"({100 * float(np.mean(agreement)):.0f} % in common).",
            REMEDY,
        )
    return tuple(doubtful)


def no_object() -> EmptyMask:
    """The error where colors show no object."""
    return EmptyMask("No object stands out from the surroundings by its colors.", REMEDY)


def check_extent(masks: Sequence[Bools]) -> None:
    """Check that masks [height, width] show an object and leave some of the surroundings.

    Raises:
        EmptyMask: if they show nothing or everything.
    """
    area = float(np.median([mask.mean() for mask in masks]))
    border = float(np.median([_border(mask) for mask in masks]))
    if area < LEAST_AREA:
        raise EmptyMask(f"The masks that were made cover {100 * area:.1f} % of the frames.", REMEDY)
    if border > MOST_BORDER:
        raise EmptyMask(
            "No background is left: the masks that were made cover "
            f"{100 * border:.0f} % of the frame's border.",
            REMEDY,
        )


def _border(mask: Bools) -> float:
    """The part of the frame's border that a mask covers."""
    sides = (mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1])
    return float(np.concatenate(sides).mean())
