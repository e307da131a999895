# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks of photographs that have none: colors and a common shape explain each other.

The cameras look at the object, so its colors are those around the point where they meet, and the
colors at the borders of the frames are those of the surroundings. What most photographs show in
the colors of the object is carved into a shape; its projection gives better colors, and these a
better shape. Then the outline is cut in every photograph, between what the shape leaves open, and
the shape carved from the outlines again. At last every outline is cut at a larger size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage

from .color_evidence import ColorEvidence, ColorSamples
from .grab_cut import cut
from .mask_agreement import check_colors, check_extent, doubtful_masks, no_object
from .object_region import ObjectRegion
from .photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.capture.capture import BoundingSphere, Frame
    from ..shared.progress import Progress

    Bools: TypeAlias = NDArray[np.bool_]
    Floats: TypeAlias = NDArray[np.float64]
    Floats32: TypeAlias = NDArray[np.float32]

STAGE = "masks"
# Longest side in pixels: while colors and shape are looked for, and of the outlines at last.
WORKING_SIZE, OUTLINE_SIZE = 256, 1024
# More photographs do not make the shape better, only slower.
MOST_FOR_SHAPE = 48
VOXELS, FINE_VOXELS = 44, 80
# Fraction of the photographs of a voxel that may be against it, in each round.
COLOR_TOLERANCES = (0.3, 0.2, 0.12, 0.1)
OUTLINE_TOLERANCES = (0.12, 0.1)
# Of the region: within the one the object is seen, beyond the other its surroundings.
SEED_RADIUS, AWAY_RADIUS = 0.35, 0.8
# Of the frame: its border is seen as surroundings in the beginning.
BORDER = 0.04
# Around an outline nothing is certain, in units of the square root of its area: where the shape
# comes from colors, from outlines at the working size, and at their final size.
COLOR_SLACK, OUTLINE_SLACK, FINAL_SLACK = 0.06, 0.025, 0.015
# However thick the band of uncertainty, this part of the object is certain.
SURE_PART = 50
# Colors of the object are taken where the shape is thick, relative to its thickest part.
THICK = 0.4
# Evidence of a pixel by which its color counts as one of the object elsewhere, too.
CLEAR_ODDS = 1.5


@dataclass(frozen=True)
class MadeMasks:
    """Masks of all photographs.

    Attributes:
        frames: of the photographs, in their order.
        masks: [height, width] of each, where the object is; up to OUTLINE_SIZE large.
        made: whether each was made; the others were known.
        doubtful: names of the frames whose masks do not fit the common shape, or the backdrop.
        remarks: on what may be wrong with them, for the user.
    """

    frames: tuple[Frame, ...]
    masks: tuple[Bools, ...]
    made: tuple[bool, ...]
    doubtful: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def make_masks(
    frames: Sequence[Frame],
    masked: Sequence[bool],
    sphere: BoundingSphere | None,
    progress: Progress,
) -> MadeMasks:
    """Make the masks of the frames that have none.

    Args:
        frames: of a capture.
        masked: whether each has a mask or transparency.
        sphere: around the object, if the capture has one.
        progress: of the stage `masks`; may cancel.

    Raises:
        EmptyMask: if no object stands out, or the masks disagree; with what helps.
        EnvironmentBroken: if OpenCV is not installed.
        BadImage: if a file is missing, damaged, or of another size than stated.
        Cancelled: if the user cancels the job.
    """
    photographs = []
    for index, (frame, known) in enumerate(zip(frames, masked, strict=True)):
        progress.report(STAGE, 0.15 * index / len(frames), f"reading {frame.name}")
        photographs.append(Photograph.read(frame, WORKING_SIZE, masked=known))
    region = ObjectRegion.around_object(photographs, sphere, VOXELS)
    evidence = ColorEvidence(photographs)
    masks, shapes = _find_object(photographs, evidence, region, progress)
    check_extent(masks)
    weights = [certain(mask, OUTLINE_SLACK) for mask in masks]
    missing = _unexplained(photographs, region, masks, evidence.odds(weights))
    check_colors(evidence.repeated(weights), missing)
    doubtful = doubtful_masks([frame.name for frame in frames], masks, shapes, missing)
    outlines = []
    for index, (photograph, mask) in enumerate(zip(photographs, masks, strict=True)):
        progress.report(STAGE, 0.6 + 0.4 * index / len(frames), f"outline of {frames[index].name}")
        outlines.append(mask if photograph.mask is not None else _outline(photograph.frame, mask))
    made = tuple(not known for known in masked)
    return MadeMasks(tuple(frames), tuple(outlines), made, doubtful)


def _find_object(
    photographs: Sequence[Photograph],
    evidence: ColorEvidence,
    region: ObjectRegion,
    progress: Progress,
) -> tuple[list[Bools], list[Bools]]:
    """Where the object is in each photograph, at the working size, and where its shape is."""
    shape, drawn = _carve_by_colors(photographs, evidence, region, progress)
    weights = drawn.weights(drawn.pictures)
    masks = _cut_all(photographs, drawn, evidence.odds(weights), weights)
    for step, tolerance in enumerate(OUTLINE_TOLERANCES):
        progress.report(STAGE, 0.4 + 0.1 * step, "outlines")
        region, near = drawn.region.finer(FINE_VOXELS, shape)
        outside = [~mask for mask in masks]
        shape = _carved(region, near, photographs, outside, tolerance)
        drawn = _Drawn.from_shape(region, shape, photographs, OUTLINE_SLACK)
        weights = drawn.weights(masks)
        masks = _cut_all(photographs, drawn, evidence.odds(weights), weights)
    return masks, drawn.pictures


@dataclass(frozen=True)
class _Drawn:
    """A shape in the photographs.

    Attributes:
        region: of the voxels.
        pictures: [height, width] of each photograph, where it shows the shape.
        thickness: [height, width] of each, of the shape there.
        slack: width of the uncertain band around these, in square roots of their area.
    """

    region: ObjectRegion
    pictures: list[Bools]
    thickness: list[Floats]
    slack: float

    @classmethod
    def from_shape(
        cls, region: ObjectRegion, shape: Bools, photographs: Sequence[Photograph], slack: float
    ) -> _Drawn:
        """Draw a shape [n] of voxels; known masks take its place."""
        pictures = [
            region.drawn(shape, each) if each.mask is None else each.mask for each in photographs
        ]
        thickness = [region.thickness(shape, each) for each in photographs]
        return cls(region, pictures, thickness, slack)

    def weights(self, masks: Sequence[Bools]) -> list[Floats32]:
        """What masks say for certain, as `certain`; of the object where the shape is thick."""
        weights = []
        for mask, thickness in zip(masks, self.thickness, strict=True):
            weight = certain(mask, self.slack)
            weight[(weight == 1) & (thickness < THICK)] = np.nan
            weights.append(weight)
        return weights


def _carve_by_colors(
    photographs: Sequence[Photograph],
    evidence: ColorEvidence,
    region: ObjectRegion,
    progress: Progress,
) -> tuple[Bools, _Drawn]:
    """A shape of the colors around the point that the frames are centered on.

    Raises:
        EmptyMask: if no such shape stands out.
    """
    weights = [_seed(photograph, region) for photograph in photographs]
    for step, tolerance in enumerate(COLOR_TOLERANCES):
        progress.report(STAGE, 0.15 + 0.05 * step, "colors")
        # Only where a whole voxel is outside, so that thin parts stay.
        outside = [
            region.whole_voxels(odds < 0.0 if each.mask is None else ~each.mask, each)
            for each, odds in zip(photographs, evidence.odds(weights), strict=True)
        ]
        shape = _carved(region, region.everywhere, photographs, outside, tolerance)
        drawn = _Drawn.from_shape(region, shape, photographs, COLOR_SLACK)
        weights = drawn.weights(drawn.pictures)
        region = region.shrunk_to(shape)
    return shape, drawn


def _carved(
    region: ObjectRegion,
    within: Bools,
    photographs: Sequence[Photograph],
    outside: Sequence[Bools],
    tolerance: float,
) -> Bools:
    """The shape [n] that the photographs, or enough of them, leave.

    Raises:
        EmptyMask: if they leave nothing.
    """
    step = -(-len(photographs) // MOST_FOR_SHAPE)
    shape = region.carved(within, photographs[::step], outside[::step], tolerance)
    if not shape.any():
        raise no_object()
    return shape


def _seed(photograph: Photograph, region: ObjectRegion) -> Floats32:
    """What is known before any color: 1 around the center, 0 far from it, NaN between."""
    if photograph.mask is not None:
        return certain(photograph.mask, OUTLINE_SLACK)
    height, width = photograph.shape
    u, v, depth = photograph.project(region.center[None])
    radius = photograph.lens.fx * region.half_side / max(float(depth[0]), 1e-9)
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    distance = np.hypot(rows - v[0], columns - u[0]) / radius
    weight = np.full((height, width), np.nan, np.float32)
    weight[distance < SEED_RADIUS] = 1.0
    weight[~(distance <= AWAY_RADIUS)] = 0.0
    band = max(2, round(BORDER * max(height, width)))
    weight[:band] = weight[-band:] = weight[:, :band] = weight[:, -band:] = 0.0
    return weight


def _unexplained(
    photographs: Sequence[Photograph],
    region: ObjectRegion,
    masks: Sequence[Bools],
    odds: Sequence[Floats32],
) -> list[float]:
    """What has the colors of the object near it and is left out, relative to each mask."""
    parts = []
    for photograph, mask, each in zip(photographs, masks, odds, strict=True):
        near = _seed(photograph, region) != 0
        outside = certain(mask, OUTLINE_SLACK) == 0
        parts.append(float(((each > 1.0) & outside & near).sum() / max(mask.sum(), 1)))
    return parts


def certain(mask: Bools, slack: float) -> Floats32:
    """What a mask says for certain: 1 inside, 0 outside, NaN near its outline.

    Args:
        mask: [height, width].
        slack: width of the uncertain band, in square roots of the area of the mask.
    """
    weight = np.full(mask.shape, np.nan, np.float32)
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    band = max(2.0, slack * float(np.sqrt(mask.sum())))
    # The object may continue beyond the frame.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    weight[depth > min(band, float(np.percentile(depth[mask], SURE_PART)))] = 1.0
    weight[ndimage.distance_transform_edt(~mask) > band] = 0.0
    return weight


def _cut_all(
    photographs: Sequence[Photograph],
    drawn: _Drawn,
    odds: Sequence[Floats32],
    weights: Sequence[Floats32],
) -> list[Bools]:
    """The object in each photograph, near the shape that is drawn there."""
    known = [
        np.where(np.isnan(weight) & picture & (each > CLEAR_ODDS), np.float32(1.0), weight)
        for weight, picture, each in zip(weights, drawn.pictures, odds, strict=True)
    ]
    samples = ColorSamples(photographs, known)
    masks = []
    for index, photograph in enumerate(photographs):
        if photograph.mask is not None:
            masks.append(photograph.mask)
            continue
        picture = drawn.pictures[index]
        inner = certain(picture, 2.0 * drawn.slack) == 1
        outer = certain(picture, drawn.slack) == 0
        if not picture.any() or outer.all():
            masks.append(picture)
            continue
        sure = inner & (odds[index] > 0.5)
        masks.append(cut(photograph.colors, samples.models(index), sure, outer))
    return masks


def _outline(frame: Frame, mask: Bools) -> Bools:
    """A mask at the final size: its outline is cut again between neighboring pixels."""
    photograph = Photograph.read(frame, OUTLINE_SIZE, masked=False)
    height, width = photograph.shape
    enlarged = enlarge(mask, height, width)
    if not enlarged.any() or mask.shape == enlarged.shape:
        return enlarged
    weight = certain(enlarged, FINAL_SLACK)
    samples = ColorSamples([replace(photograph, mask=None)], [weight])
    return cut(photograph.colors, samples.models(0), weight == 1, weight == 0)


def enlarge(mask: Bools, height: int, width: int) -> Bools:
    """A mask [rows, columns] at a larger size, with a smooth outline."""
    rows, columns = mask.shape
    if (rows, columns) == (height, width):
        return mask
    row = (np.arange(height) + 0.5) * rows / height - 0.5
    column = (np.arange(width) + 0.5) * columns / width - 0.5
    smooth = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
    low_row, low_column = np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)
    up, right = (row - low_row)[:, None], (column - low_column)[None].astype(np.float32)
    padded = np.pad(smooth, 1, mode="edge")
    top = padded[low_row + 1] * (1 - up) + padded[low_row + 2] * up
    enlarged: Bools = (top[:, low_column + 1] * (1 - right) + top[:, low_column + 2] * right) >= 0.5
    return enlarged
