# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks of photographs before a plain backdrop: what has another color is the object.

The color of the backdrop is that along the border of each picture, and may change smoothly across
it, as light falls off. What has that color and is connected to the border is the backdrop. Inside
of the object the color counts as backdrop only if it is a strong one, as of a green screen: white
labels and black holes are common on objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage

from ..shared.backdrop import LEAST_CHROMA
from ..shared.errors import EmptyMask
from .mask_agreement import check_extent
from .mask_making import OUTLINE_SIZE, STAGE, MadeMasks
from .photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.backdrop import Backdrop, Color
    from ..shared.capture.capture import Frame
    from ..shared.progress import Progress

    Bools: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]

# Of the longer side of a picture: the band along its border that shows the backdrop.
BORDER = 0.02
# In levels of 0..255: how far the colors of one backdrop are apart along the border, and how much
# of the border must be that near to the middle of them.
PLAIN, LEAST_PLAIN = 60.0, 0.9
# The threshold between backdrop and object: so many times what the border differs from a smooth
# color, within limits, in levels.
MARGIN, LEAST_THRESHOLD, MOST_THRESHOLD = 1.5, 14.0, 40.0
NOISE_SHARE = 98.0
ROUNDS = 2
# Within so many pixels of the outline of an object its color is so many thresholds away from the
# backdrop; that of a shadow rises slowly. Masks with more of such an outline are doubtful.
NEAR_OUTLINE, CLEAR, MOST_UNCLEAR = 9, 2.0, 0.1
# More doubtful masks than that are no mishap of single pictures.
MOST_DOUBTFUL = 0.5
# Of the largest part: smaller ones are specks on the backdrop.
SPECK = 0.02
# Of the object: smaller enclosed areas of the backdrop's color are not worth a word.
ENCLOSED = 0.01
# Pixels between which the outline is placed where the color is halfway.
EDGE = 5


@dataclass(frozen=True)
class _Found:
    """The object in one photograph.

    Attributes:
        mask: [height, width].
        unclear: the part of its outline near which its color is that of the backdrop, nearly.
        enclosed: the part of it that has the backdrop's color inside.
        pieces: how many there are.
    """

    mask: Bools
    unclear: float
    enclosed: float
    pieces: int


def backdrop_masks(
    frames: Sequence[Frame], masked: Sequence[bool], backdrop: Backdrop, progress: Progress
) -> MadeMasks:
    """The masks of the frames that have none, by the color of the backdrop.

    Args:
        frames: of a capture.
        masked: whether each has a mask or transparency.
        backdrop: what its color is said to be.
        progress: of the stage `masks`; may cancel.

    Raises:
        EmptyMask: if the border of a picture is not plain or of another color than stated, if the
            object has colors of the backdrop, or if masks show nothing or everything; with the
            likely cause.
        BadImage: if a file is missing, damaged, or of another size than stated.
        Cancelled: if the user cancels the job.
    """
    masks = []
    doubtful: list[str] = []
    enclosed: list[str] = []
    several: list[str] = []
    for index, (frame, known) in enumerate(zip(frames, masked, strict=True)):
        progress.report(STAGE, index / len(frames), frame.name)
        photograph = Photograph.read(frame, OUTLINE_SIZE, masked=known)
        if photograph.mask is not None:
            masks.append(photograph.mask)
            continue
        found = _find(photograph, backdrop)
        masks.append(found.mask)
        if found.unclear > MOST_UNCLEAR:
            doubtful.append(frame.name)
        if found.enclosed > ENCLOSED:
            enclosed.append(frame.name)
        if found.pieces > 1:
            several.append(frame.name)
    check_extent(masks)
    made = tuple(not known for known in masked)
    if len(doubtful) > MOST_DOUBTFUL * sum(made):
        raise EmptyMask(
            f"The object is not set off from the backdrop in {len(doubtful)} of {sum(made)} "
            f"photographs, for example {doubtful[0]}.",
            "Probably its shadow lies on the backdrop, or parts of it have the color of the "
            "backdrop: light the backdrop evenly, use another one, or leave the backdrop out.",
        )
    remarks = _remarks(enclosed, several)
    return MadeMasks(tuple(frames), tuple(masks), made, tuple(doubtful), remarks)


def _remarks(enclosed: Sequence[str], several: Sequence[str]) -> tuple[str, ...]:
    """What may be wrong with masks, by the names of their frames."""
    remarks = []
    if enclosed:
        remarks.append(
            "Areas of the backdrop's color inside of the object count as object in these masks; "
            f"holes among them are filled: {', '.join(enclosed)}."
        )
    if several:
        remarks.append(
            "Several things stand before the backdrop in these masks, and all count as the object: "
            f"{', '.join(several)}."
        )
    return tuple(remarks)


def _find(photograph: Photograph, backdrop: Backdrop) -> _Found:
    """The object in a photograph.

    Raises:
        EmptyMask: if there is no plain backdrop of that color.
    """
    colors = photograph.colors.astype(np.float64)
    border = _border(photograph.shape)
    middle = _checked_color(colors[border], backdrop, photograph.frame.name)
    known = border & (_distance(colors, middle) <= PLAIN)
    for _ in range(ROUNDS):
        smooth = _smooth_color(colors, known)
        distance = _distance(colors, smooth)
        noise = float(np.percentile(distance[border & known], NOISE_SHARE))
        threshold = float(np.clip(MARGIN * noise, LEAST_THRESHOLD, MOST_THRESHOLD))
        known = _connected(distance < threshold, border)
    alike = (distance < threshold) & ~known
    if _chroma(middle) >= LEAST_CHROMA:
        known, alike = known | alike, np.zeros_like(alike)
    mask, pieces = _without_specks(_sharpened(~known, distance))
    unclear = _outline(mask) & (ndimage.maximum_filter(distance, NEAR_OUTLINE) < CLEAR * threshold)
    return _Found(
        mask,
        float(unclear.sum() / max(_outline(mask).sum(), 1)),
        float((mask & alike).sum() / max(mask.sum(), 1)),
        pieces,
    )


def _border(shape: tuple[int, int]) -> Bools:
    """The band [height, width] along the border of a picture."""
    band = max(2, round(BORDER * max(shape)))
    border = np.ones(shape, bool)
    border[band:-band, band:-band] = False
    return border


def _checked_color(border: Floats, backdrop: Backdrop, name: str) -> Color:
    """The color in the middle of those [n, 3] along the border of a picture.

    Raises:
        EmptyMask: if it is not plain, or not the color that is stated.
    """
    red, green, blue = (float(value) for value in np.median(border, axis=0))
    color = (red, green, blue)
    plain = float((_distance(border, color) <= PLAIN).mean())
    if plain < LEAST_PLAIN:
        raise EmptyMask(
            f"The border of photograph {name} is not plain: {100 * plain:.0f} % of it has one "
            "color.",
            "Probably the object or its stand is cut by the frame, the backdrop ends within it, or "
            "is patterned or lit unevenly: take the object whole before a larger backdrop, or "
            "leave the backdrop out.",
        )
    if not backdrop.can_be(color):
        shown = "#" + bytes(round(value) for value in color).hex()
        raise EmptyMask(
            f"The border of photograph {name} has the color {shown}, which is not {backdrop.text}.",
            "Probably the backdrop is called by the wrong color, or the picture is exposed wrongly "
            "or shows something else at its border: use auto, or the color that is there.",
        )
    return color


def _smooth_color(colors: Floats, known: Bools) -> Floats:
    """The color [height, width, 3] of a backdrop everywhere, from where it is known.

    A quadratic function of the position for each channel, by least squares.
    """
    height, width = known.shape
    y, x = np.linspace(-1.0, 1.0, height)[:, None], np.linspace(-1.0, 1.0, width)[None]
    terms = [np.broadcast_to(term, known.shape) for term in (1.0, x, y, x * x, x * y, y * y)]
    basis = np.stack([term[known] for term in terms], axis=1)
    weights = np.linalg.lstsq(basis, colors[known], rcond=None)[0]
    smooth: Floats = sum(term[..., None] * row for term, row in zip(terms, weights, strict=True))
    return smooth


def _distance(colors: Floats, other: Floats | Color) -> Floats:
    """The distance [...] of colors [..., 3] from others, in levels."""
    distance: Floats = np.linalg.norm(colors - np.asarray(other), axis=-1)
    return distance


def _chroma(color: Color) -> float:
    return max(color) - min(color)


def _connected(area: Bools, border: Bools) -> Bools:
    """The parts of an area that reach into the border."""
    labels, _ = ndimage.label(area)
    reached = np.unique(labels[border & area])
    connected: Bools = np.isin(labels, reached[reached > 0])
    return connected


def _sharpened(mask: Bools, distance: Floats) -> Bools:
    """A mask without those pixels at its outline that show more of the backdrop than of it."""
    halfway = 0.5 * ndimage.maximum_filter(distance, EDGE)
    sharpened: Bools = mask & ~(_outline(mask) & (distance < halfway))
    return sharpened


def _outline(mask: Bools) -> Bools:
    """The pixels of a mask at its outline."""
    outline: Bools = mask & ndimage.binary_dilation(~mask)
    return outline


def _without_specks(mask: Bools) -> tuple[Bools, int]:
    """A mask without parts that are small beside its largest one; how many parts are left."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask, count
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = sizes >= SPECK * sizes.max()
    kept: Bools = large[labels] & mask
    return kept, int(large.sum())
