# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a signed distance to triangles, evaluated only near the surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch.nn import functional as F

from ..field.grids import evaluate, grid_points
from ..shared.errors import NoSurface
from .triangle_mesh import TriangleMesh

if TYPE_CHECKING:
    from ..field.field import PointFunction
    from ..shared.progress import Progress

REFINEMENT = 4
"""Fine cells per coarse cell along one axis."""

BAND = 1.25
"""Coarse cells from the level set within which fine values are evaluated: a node of a cell that the
surface crosses is at most sqrt(3)/2 away; the rest covers the error of the interpolation."""

POINTS_PER_CHUNK = 1 << 18


def extract_isosurface(
    signed_distance: PointFunction,
    half_extent: float,
    resolution: int,
    progress: Progress,
    device: torch.device | None = None,
) -> TriangleMesh:
    """The zero level set inside the cube `[-half_extent, half_extent]^3`.

    A coarse grid is evaluated everywhere, the fine one only where the surface can be according to
    the coarse values; elsewhere the interpolated coarse values keep the sign.

    Args:
        signed_distance: maps points [n, 3] (x, y, z) to [n], negative inside, of slope about 1.
        half_extent: half the side of the cube.
        resolution: fine cells along one axis, rounded up to a multiple of the refinement.
        progress: checked for cancel.
        device: of the points; the CPU if it is None. Marching cubes runs on the CPU.

    Raises:
        NoSurface: if the level set does not cross the cube.
    """
    coarse_cells = -(-resolution // REFINEMENT)
    nodes = grid_points(half_extent, coarse_cells + 1, "xyz", device)
    coarse = evaluate(signed_distance, nodes).reshape((coarse_cells + 1,) * 3)
    fine_cells = coarse_cells * REFINEMENT
    fine = F.interpolate(
        coarse[None, None], size=(fine_cells + 1,) * 3, mode="trilinear", align_corners=True
    )[0, 0].contiguous()
    coarse_step = 2 * half_extent / coarse_cells
    band = fine.abs() < BAND * coarse_step
    axis = torch.linspace(-half_extent, half_extent, fine_cells + 1, device=device)
    indices = band.nonzero()
    for start in range(0, len(indices), POINTS_PER_CHUNK):
        chunk = indices[start : start + POINTS_PER_CHUNK]
        fine[tuple(chunk.T)] = signed_distance(axis[chunk])
        progress.check()
    return isosurface_of_grid(fine.cpu().numpy(), half_extent)


def isosurface_of_grid(
    grid: np.ndarray[tuple[int, int, int], np.dtype[np.float32]], half_extent: float
) -> TriangleMesh:
    """Marching cubes on nodes [x, y, z] with both ends; beyond the cube is outside.

    Raises:
        NoSurface: if the level set does not cross the cube.
    """
    closed = np.pad(grid, 1, constant_values=float(np.abs(grid).max()))
    if closed.min() >= 0 or grid.max() <= 0:
        raise NoSurface(
            "The reconstruction has no surface inside its volume.",
            "Check the masks: the object must be white and everything else black.",
        )
    spacing = 2 * half_extent / (grid.shape[0] - 1)
    vertices, faces, _, _ = marching_cubes(closed, 0.0, mask=_crossed_cells(closed))
    return TriangleMesh(
        vertices=(vertices.astype(np.float64) - 1) * spacing - half_extent,
        faces=faces.astype(np.int64),
    )


def _crossed_cells(
    grid: np.ndarray[tuple[int, int, int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]:
    """Which cells of a grid the level set crosses, stored at each cell's last node.

    Found from the signs, not from the band: where the distance jumps, at the limit of what the
    views see, the surface leaves the band.
    """
    some, every = grid <= 0, grid < 0
    for axis in range(3):
        before = (slice(None),) * axis
        low, high = (*before, slice(None, -1)), (*before, slice(1, None))
        some = some[low] | some[high]
        every = every[low] & every[high]
    return np.pad(some & ~every, ((1, 0),) * 3)
