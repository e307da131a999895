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

REMEDY = (
    "Photograph the object before a background of another color and whole in the frame, give masks "
    "of your own, or name a segmentation model with --mask-model."
)


def check_agreement(
    names: Sequence[str], masks: Sequence[Bools], shapes: Sequence[Bools], repeated: float
) -> tuple[str, ...]:
    """The names of the masks that are doubtful.

    Args:
        names: of the frames.
        masks: [height, width] of each.
        shapes: [height, width] of each, where it would show the common shape of all masks.
        repeated: of `ColorEvidence`, for the masks.

    Raises:
        EmptyMask: if the masks show nothing or everything, or disagree with each other.
    """
    check_extent(masks)
    if repeated < LEAST_REPEATED:
        raise no_object()
    agreement = [
        (mask & shape).sum() / max((mask | shape).sum(), 1)
        for mask, shape in zip(masks, shapes, strict=True)
    ]
    doubtful = [name for name, each in zip(names, agreement, strict=True) if each < GOOD_AGREEMENT]
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
