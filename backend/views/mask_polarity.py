# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether masks are white on the object or on its surroundings, decided by all views together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import meeting_point, pinhole_ray, project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Floats
    from .views import View

    Bools = NDArray[np.bool_]

# A median mask that covers so much of the frame's border is white on the surroundings; one that
# covers less than the other fraction is white on the object. Between them the hulls are compared.
SURELY_INVERTED = 0.75
SURELY_UPRIGHT = 0.15
# The hull of the right masks covers more of them than that of their inverse, by so much at least.
CLEAR_DIFFERENCE = 0.1
GRID = 40
# Views may lack a point of the object by a fault of their mask.
TOLERATED_VIEWS = 0.05
# Along a side of the frame, for the comparison of a mask with its hull.
CELLS = 24

INVERTED_NOTE = (
    "The masks are white on the surroundings, by the border of the frame and the common shape of "
    "all views; they are used inverted."
)


def upright_masks(views: Sequence[View]) -> tuple[list[View], str]:
    """The views with masks that are white on the object, and a note if they were not.

    Only masks of files are inverted, and all or none of them: a single view cannot decide. Those
    that are named as inverted are upright already.
    """
    from_files = [view for view in views if _may_be_inverted(view)]
    if not from_files or not _are_inverted(from_files):
        return list(views), ""
    inverted = [_inverted(view) if _may_be_inverted(view) else view for view in views]
    return inverted, INVERTED_NOTE


def border_coverage(mask: NDArray[np.float32]) -> float:
    """The mean coverage along the four sides of the frame."""
    sides = (mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1])
    return float(np.concatenate(sides).mean())


def _may_be_inverted(view: View) -> bool:
    """Whether a view has a mask file whose name does not say what it shows."""
    frame = view.frame
    return frame is not None and frame.mask_path is not None and not frame.mask_inverted


def _inverted(view: View) -> View:
    frame = replace(view.frame, mask_inverted=True) if view.frame else None
    return replace(view, mask=1.0 - view.mask, frame=frame)


def _are_inverted(views: Sequence[View]) -> bool:
    """The decision: by the border of the frame, and by the hulls where that is not clear."""
    border = float(np.median([border_coverage(view.mask) for view in views]))
    shown = float(np.median([view.mask.mean() for view in views]))
    if border < SURELY_UPRIGHT or shown > 0.999:
        return False
    masks = [view.mask >= 0.5 for view in views]
    upright = hull_coverage(views, masks)
    inverse = hull_coverage(views, [~mask for mask in masks])
    if border > SURELY_INVERTED:
        return upright < inverse + CLEAR_DIFFERENCE
    return inverse > upright + CLEAR_DIFFERENCE


def hull_coverage(views: Sequence[View], masks: Sequence[Bools]) -> float:
    """How much of the median mask the common hull of all masks covers, 0..1, on a coarse grid.

    Args:
        views: with the cameras.
        masks: [height, width] of each.
    """
    points = _grid_around_object(views)
    positions = [_cells_of(view, points) for view in views]
    visible, missed = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    for mask, (rows, columns, in_frame) in zip(masks, positions, strict=True):
        visible += in_frame
        missed[in_frame] += ~mask[rows[in_frame], columns[in_frame]]
    hull = (visible >= min(2, len(views))) & (missed <= TOLERATED_VIEWS * len(views))
    covered = []
    for mask, (rows, columns, in_frame) in zip(masks, positions, strict=True):
        shown = in_frame & hull
        cells, filled = _reduced(mask), np.zeros((CELLS + 2, CELLS + 2), bool)
        height, width = mask.shape
        row, column = rows[shown] * CELLS // height + 1, columns[shown] * CELLS // width + 1
        for down in (-1, 0, 1):
            filled[row + down, column] = filled[row, column + down] = True
        covered.append((cells & filled[1:-1, 1:-1]).sum() / max(cells.sum(), 1))
    return float(np.median(covered))


def _grid_around_object(views: Sequence[View]) -> Floats:
    """Points [n, 3] of a cube around the point that all cameras look at, as large as the frames."""
    origins = np.stack([view.camera_to_world[:3, 3] for view in views])
    axes = np.stack([_axis_of_frame(view) for view in views])
    center = meeting_point(origins, axes)
    sides = [
        np.linalg.norm(view.camera_to_world[:3, 3] - center)
        * (max(view.intrinsics.width, view.intrinsics.height) / 2 / view.intrinsics.fx)
        for view in views
    ]
    steps = np.linspace(-1.0, 1.0, GRID) * float(np.median(sides))
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points: Floats = grid + center
    return points


def _axis_of_frame(view: View) -> Floats:
    """The direction [3] through the center of the frame, in the world."""
    lens = view.intrinsics
    x, y = pinhole_ray(lens.width / 2, lens.height / 2, lens)
    axis: Floats = view.camera_to_world[:3, :3] @ (x, y, -1.0)
    return axis


def _cells_of(view: View, points: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Bools]:
    """Row and column [n] of the pixel that shows each point, and whether the frame has it [n]."""
    lens = view.intrinsics
    pixels, depths = project(points, lens, view.camera_to_world)
    column, row = np.nan_to_num(pixels).clip(-1.0, max(lens.width, lens.height)).T
    in_frame = (depths > 0) & (row >= 0) & (row < lens.height) & (column >= 0)
    in_frame &= column < lens.width
    return row.astype(np.intp), column.astype(np.intp), in_frame


def _reduced(mask: Bools) -> Bools:
    """The cells [CELLS, CELLS] of the frame whose center is in the mask."""
    height, width = mask.shape
    rows = (np.arange(CELLS) * 2 + 1) * height // (2 * CELLS)
    columns = (np.arange(CELLS) * 2 + 1) * width // (2 * CELLS)
    cells: Bools = mask[rows[:, None], columns]
    return cells
