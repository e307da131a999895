# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surface of a network's field, extracted as the published results were.

The field counts as empty where its dense volume is empty, which removes floaters; closed cavities
are filled. The release evaluates the dense volume in 512^3 cells. Here a cell is evaluated only if
the mesh can depend on it, and the mesh is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage, sparse
from torch import Tensor

from ..field.density import step_alpha
from ..field.grids import distances_by_plane, evaluate
from ..field.ray_sampling import Occupancy
from .isosurface import isosurface_of_grid
from .triangle_mesh import TriangleMesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..field.field import TwoLevelField, VolumeField
    from ..field.volumes import DenseVolume
    from ..shared.progress import Progress

EMPTY = 1.0
"""The signed distance of what is not occupied."""

FAINT = 1e-4
"""Opacity of one step above which a cell is occupied, unless the mean of all is smaller still."""

REACH = 4
"""Cells around occupied ones that may hold the surface as well."""

LAYERS_PER_CHUNK = 16
"""Layers of cells evaluated together."""


@dataclass(frozen=True)
class SurfaceSettings:
    """How the surface is found.

    Attributes:
        half_side: the box is [-half_side, half_side]^3, model units.
        step: of the finest renderer, model units; the opacity of one step decides what is occupied.
        resolution: grid points along one side of the box, both ends included.
        cells: of the occupancy along one side.
        seed: of the one random point in each cell; the result depends on it (QUIRK 17,
            docs/deviations.md).
        smoothing: passes over the mesh.
    """

    half_side: float
    step: float
    resolution: int = 256
    cells: int = 512
    seed: int = 0
    smoothing: int = 10


def extract_network_surface(
    field: TwoLevelField,
    rotation: NDArray[np.float64],
    settings: SurfaceSettings,
    progress: Progress,
) -> TriangleMesh:
    """The mesh of a field of two levels, in the normalized frame.

    Args:
        field: in the model's frame.
        rotation: [3, 3], x_normalized = rotation @ x_model.
        settings: sizes and seed.
        progress: receives fractions of the stage `mesh` up to 0.4, checked for cancel.

    Raises:
        NoSurface: if there is none.
    """
    grid = sample_distances(field, settings, progress)
    grid = without_floaters(grid, field.coarse, settings, progress)
    solid = fill_cavities(grid.permute(2, 1, 0).cpu().numpy())
    mesh = smooth(isosurface_of_grid(solid, settings.half_side), settings.smoothing)
    return TriangleMesh(mesh.vertices @ rotation.T, mesh.faces)


@torch.no_grad()
def sample_distances(field: TwoLevelField, settings: SurfaceSettings, progress: Progress) -> Tensor:
    """The field's signed distances on the grid, [z, y, x], on the field's device."""
    device = field.coarse.volume.features.device
    planes: list[Tensor] = []
    for points, distance in distances_by_plane(
        field.coarse, settings.half_side, settings.resolution, device
    ):
        progress.report("mesh", 0.2 * len(planes) / settings.resolution, "sampling the field")
        kept = field.in_sparse_volume(points)
        distance[kept] = evaluate(field.sparse.signed_distance, points[kept])
        planes.append(distance.view(settings.resolution, -1))
    return torch.stack(planes)


def without_floaters(
    grid: Tensor, coarse: VolumeField[DenseVolume], settings: SurfaceSettings, progress: Progress
) -> Tensor:
    """The grid with `EMPTY` where the dense volume is empty within `REACH` cells.

    Only values that the surface touches are replaced: those below zero, and those beside them. All
    others are positive either way.
    """
    inside = grid <= 0
    touched = Occupancy(inside, settings.half_side).dilated(1).cells
    points = _GridPoints(torch.nonzero(touched), settings)
    search = OccupancySearch(coarse, settings, progress)
    search.sample(points.cells_of(inside[touched]))
    doubtful = ~points.near(search.occupied)
    around = Occupancy(points.cells_of(doubtful), settings.half_side).dilated(REACH)
    search.sample(around.cells)
    search.check_threshold()
    filtered = grid.clone()
    filtered[touched] = torch.where(points.near(search.occupied), grid[touched], EMPTY)
    return filtered


@dataclass(frozen=True)
class _GridPoints:
    """Some points of the grid, located in the cells of the occupancy.

    Attributes:
        index: [points, 3] of the grid (z, y, x).
        settings: sizes of both grids.
    """

    index: Tensor
    settings: SurfaceSettings

    def _cell(self) -> tuple[Tensor, ...]:
        """The cell (z, y, x) that each point lies in, [points] each."""
        half_side, cells = self.settings.half_side, self.settings.cells
        resolution, device = self.settings.resolution, self.index.device
        line = torch.linspace(-half_side, half_side, resolution, device=device)
        cell = ((line + half_side) / (2 * half_side) * cells).long().clamp(0, cells - 1)
        return cell[self.index].unbind(1)

    def cells_of(self, chosen: Tensor) -> Tensor:
        """The cells [z, y, x] bool of the chosen points [points] bool."""
        cells = chosen.new_zeros([self.settings.cells] * 3)
        cells[tuple(axis[chosen] for axis in self._cell())] = True
        return cells

    def near(self, occupied: Tensor) -> Tensor:
        """Which points have an occupied cell within `REACH`, [points] bool."""
        grown = Occupancy(occupied, self.settings.half_side).dilated(REACH)
        return grown.cells[self._cell()]


class OccupancySearch:
    """Finds, cell by cell, where one step of a ray through the dense volume is not clear.

    Attributes:
        occupied: cells [z, y, x] bool that are sampled and not clear, on the volume's device.
        sampled: cells [z, y, x] bool that are sampled.
    """

    def __init__(
        self, coarse: VolumeField[DenseVolume], settings: SurfaceSettings, progress: Progress
    ) -> None:
        self._coarse, self._settings, self._progress = coarse, settings, progress
        features = coarse.volume.features
        self.occupied = features.new_zeros([settings.cells] * 3, dtype=torch.bool)
        self.sampled = torch.zeros_like(self.occupied)
        self._total = 0.0  # opacity of all sampled cells

    def sample(self, wanted: Tensor, threshold: float = FAINT) -> None:
        """Sample the wanted cells [z, y, x] bool that are not sampled yet, each at one point.

        The point of a cell depends on the seed and the cell alone: it is drawn on the CPU, whatever
        the device.
        """
        cells, random = self._settings.cells, torch.Generator()
        for first in range(0, cells, LAYERS_PER_CHUNK):
            self._progress.report("mesh", 0.2 + 0.2 * first / cells, "looking for the object")
            slab = slice(first, first + LAYERS_PER_CHUNK)
            new = wanted[slab] & ~self.sampled[slab]
            if not new.any():
                continue
            random.manual_seed(self._settings.seed * cells + first)
            jitter = torch.rand(*new.shape, 3, generator=random)[new.cpu()].to(new.device)
            cell = torch.nonzero(new)
            corner = cell.flip(1) + cell.new_tensor([0, 0, first])
            alpha = self._alpha((corner + jitter) / cells)
            self.occupied[slab][new] = alpha > threshold
            self.sampled[slab] |= new
            self._total += float(alpha.double().sum())

    def check_threshold(self) -> None:
        """Check that `FAINT` is the right threshold, and sample again with the right one if not.

        The threshold is the mean of all cells where that is smaller. The cells sampled so far may
        prove that it is not; only a nearly empty volume must be sampled everywhere.
        """
        if self._mean() >= FAINT:
            return
        self.sample(Occupancy(self.occupied, self._settings.half_side).dilated(REACH).cells)
        if self._mean() >= FAINT:
            return
        everything = torch.ones_like(self.sampled)
        self.sample(everything)
        if self._mean() < FAINT:
            threshold = self._mean()
            self.sampled[:] = False
            self.sample(everything, threshold)

    def _mean(self) -> float:
        """A lower bound of the mean opacity over all cells."""
        return self._total / self._settings.cells**3

    def _alpha(self, position: Tensor) -> Tensor:
        """Opacity of one step at positions [n, 3] (x, y, z) in 0..1 of the box."""
        points = (2 * position - 1) * self._settings.half_side
        distance = evaluate(self._coarse.signed_distance, points)
        return step_alpha(distance, self._coarse.inverse_std, self._settings.step)


def fill_cavities(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make solid what is outside of the surface and cannot be reached from a corner of the box.

    Args:
        grid: signed distances on a cube; reached means through positive face neighbors.
    """
    regions, count = ndimage.label(grid > 0)
    reached = np.zeros(count + 1, dtype=bool)
    reached[regions[:: len(grid) - 1, :: len(grid) - 1, :: len(grid) - 1]] = True
    reached[0] = True  # what is not positive
    return np.where(reached[regions], grid, -np.abs(grid))


def smooth(mesh: TriangleMesh, passes: int) -> TriangleMesh:
    """Move every vertex to the mean of the middles of its edges, so many times."""
    count = len(mesh.vertices)
    ends = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges = np.unique(ends[:, 0] * count + ends[:, 1])
    one_way = sparse.coo_matrix(
        (np.ones(len(edges)), (edges // count, edges % count)), shape=(count, count)
    ).tocsr()
    neighbors = one_way + one_way.T
    degree = np.maximum(np.asarray(neighbors.sum(axis=1)).reshape(-1, 1), 1)
    vertices = mesh.vertices
    for _ in range(passes):
        vertices = 0.5 * (vertices + neighbors @ vertices / degree)
    return replace(mesh, vertices=vertices)
