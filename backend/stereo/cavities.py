# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cavities of the carve as a signed distance that cuts them out of the hull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label
from torch import Tensor

from .votes import TRUNCATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..field.field import PointFunction
    from .hull_grid import HullGrid
    from .votes import Votes

LEAST_DEPTH = 2.5
"""Voxels below the hull that a cavity reaches; what is shallower may be noise."""

LEAST_VOXELS = 40
"""Voxels deeper than that."""

GROWN_BACK = 4
"""Voxels from the deep part of a cavity up to which its shallow part belongs to it."""

MOUTH = 2
"""Voxels by which a cavity continues outside of the hull, so that its mouth is open."""

BLUR = 0.8
"""Voxels; standard deviation of the blur from which the surface between voxels is found."""

SURE_SUPPORT = 0.75
"""Sum of votes from which on they alone say where between the voxels a surface lies."""

MAX_SHIFT = 1.0
"""Voxels by which votes move the surface of the carve."""


@dataclass(frozen=True)
class Cavities:
    """Empty space inside the hull.

    Attributes:
        grid: of the hull that it was found in.
        distance: positive in the cavities, [z, y, x].
    """

    grid: HullGrid
    distance: Tensor

    def cut_from(self, hull: PointFunction) -> PointFunction:
        """The signed distance of a hull without the cavities; nowhere below the hull's own."""
        return lambda points: torch.maximum(hull(points), self.grid.sample(self.distance, points))


def find_cavities(grid: HullGrid, solid: Tensor, votes: Votes) -> Cavities | None:
    """The cavities between the hull and the solid voxels (boolean [z, y, x]); None without any."""
    carved = (grid.inside & ~solid).cpu().numpy()
    deep = carved & (grid.distance < -LEAST_DEPTH * grid.spacing).cpu().numpy()
    pieces, count = label(deep)
    kept = np.bincount(pieces.ravel(), minlength=count + 1) >= LEAST_VOXELS
    kept[0] = False
    if not kept.any():
        return None
    empty = binary_dilation(kept[pieces], iterations=GROWN_BACK, mask=carved)
    outside = (~grid.inside).cpu().numpy()
    empty = binary_dilation(empty, iterations=MOUTH, mask=outside | empty)
    distance = torch.from_numpy(_signed_distance(empty)).to(grid.distance)
    voted = TRUNCATION * votes.near / votes.support.clamp_min(1e-6)
    # In a thin wall the votes of the other side count too: they must not open it.
    voted = torch.clamp(voted, distance - MAX_SHIFT, distance + MAX_SHIFT)
    share = (votes.support / SURE_SUPPORT).clamp_max(1.0) * (distance.abs() < 2)
    blended = torch.where(grid.inside, torch.lerp(distance, voted, share), distance)
    return Cavities(grid, blended * grid.spacing)


def _signed_distance(empty: NDArray[np.bool_]) -> NDArray[np.float64]:
    """In voxels, positive in the empty ones; between voxels as if the surface were a plane.

    Blurred with a Gaussian, a half-space is the error function of the distance.
    """
    distance = np.where(
        empty, distance_transform_edt(empty) - 0.5, 0.5 - distance_transform_edt(~empty)
    )
    blurred = torch.from_numpy(gaussian_filter(empty.astype(np.float64), BLUR))
    plane = BLUR * 2**0.5 * torch.erfinv((2 * blurred - 1).clamp(-0.99, 0.99)).numpy()
    result: NDArray[np.float64] = np.where(np.abs(distance) < 1.5, plane, distance)
    return result
