# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""3D-aware block routing: every token has a point, and selects the blocks nearest to it.

Only geometry enters, so the tables are made once per object and serve every layer and all heads
(QUIRK 7, docs/deviations.md). Everything is float32; nothing of size queries x points is kept:
`kernels.nearest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.block_mean import block_mean
from kernels.nearest import Surfaces, nearest, smallest, squared_surface_distance

if TYPE_CHECKING:
    from kernels.core.blocks import Blocks

    from ..config.model_config import ModelConfig, RoutingConfig
    from .release_cameras import Cameras

FAINT = 0.2  # pixels up to this opacity have no surface point to route by
_QUERIES_PER_CHUNK = 1 << 16


@dataclass(frozen=True)
class SurfaceMaps:
    """Surface points and opacity of the coarse field at the input views.

    Attributes:
        points: [instances, views, h, h, 3], world units of the model.
        opacity: [instances, views, h, h].
    """

    points: Tensor
    opacity: Tensor

    @property
    def size(self) -> int:
        """Pixels per side."""
        return self.opacity.shape[-1]


def volume_points(index: Tensor, resolution: int, half_side: float) -> Tensor:
    """The points of volume tokens, [tokens, 3].

    QUIRK 8 (docs/deviations.md): token centers are spread as if they were the corners of the grid.
    """
    return 2 * (index[:, [3, 2, 1]] / (resolution - 1) - 0.5) * half_side


def image_points(index: Tensor, maps: SurfaceMaps, patches: int) -> Tensor:
    """The points of image tokens: the surface point of each patch's most opaque pixel.

    Args:
        index: [tokens, 4] rows (instance, view, row, column).
        maps: rendered at a whole number of pixels per patch.
        patches: patches per side of a view.
    """
    size = maps.size // patches
    opacity = _tiles(maps.opacity, patches)[tuple(index.T)]
    points = _tiles(maps.points, patches)[tuple(index.T)]
    best = opacity.view(-1, size * size).argmax(1)
    return points.view(-1, size * size, 3)[torch.arange(len(best), device=best.device), best]


def nearest_volume_blocks(query: Tensor, points: Tensor, blocks: Blocks, count: int) -> Tensor:
    """The `count` blocks of one instance whose centers are nearest, [queries, count] int32.

    QUIRK 9 (docs/deviations.md): a block's center is the mean of its kept tokens.

    Args:
        query: [queries, 3].
        points: [tokens, 3] of the volume tokens, block after block.
        blocks: of these tokens (one instance).
        count: ids are ascending, then -1 where there are fewer blocks.
    """
    found = nearest(query, block_centers(points, blocks), count)
    return _padded(found.sort(1).values, count)


def block_centers(points: Tensor, blocks: Blocks) -> Tensor:
    """The mean point of each block, [blocks, 3]."""
    return block_mean(points, blocks)


@dataclass(frozen=True)
class ViewBlocks:
    """The image blocks of one view.

    Attributes:
        number: index of the view in its instance.
        index: [blocks, 2], row and column of each block.
        surfaces: the surface points at the pixels of each block.
    """

    number: int
    index: Tensor
    surfaces: Surfaces


@dataclass(frozen=True)
class ImageRouter:
    """Selects image blocks of one instance by the distance of their surface to a query point.

    Attributes:
        views: those with blocks, in order.
        cameras: of the instance.
        map_size: pixels per side of the surface maps.
        blocks_per_side: of a view.
        config: counts.
    """

    views: tuple[ViewBlocks, ...]
    cameras: Cameras
    map_size: int
    blocks_per_side: int
    config: RoutingConfig

    def table(self, query: Tensor) -> Tensor:
        """The image blocks nearest to each query point, [queries, K] int32.

        Of every view the window^2 blocks around the projection are candidates; those whose
        surface comes nearest to the point are selected from the candidates of all views. Ids are in
        view order, inside a view by 2D distance, then -1 where there are fewer.
        """
        found = [self._table(chunk) for chunk in torch.split(query, _QUERIES_PER_CHUNK)]
        return _padded(torch.cat(found), self.config.image_blocks)

    def _table(self, query: Tensor) -> Tensor:
        ids, distances, first = [], [], 0
        for view in self.views:
            near = self.candidates(query, view)
            ids.append(near + first)
            distances.append(squared_surface_distance(query, near, view.surfaces))
            first += view.index.shape[0]
        distance, candidates = torch.cat(distances, 1), torch.cat(ids, 1)
        count = min(self.config.image_blocks, candidates.shape[1])
        # QUIRK 12 (docs/deviations.md): blocks without a surface all lie at the distance `far`.
        # Which of them win is unspecified in the release; here the first ones do.
        return candidates.gather(1, smallest(distance, count).sort(1).values)

    def candidates(self, query: Tensor, view: ViewBlocks) -> Tensor:
        """The blocks of a view nearest to the projections, [queries, candidates] int64.

        There is no test of visibility: points behind the camera have candidates as well.
        """
        centers = view.index.flip(1) + 0.5
        return nearest(self.block_coordinates(query, view), centers, self.config.window**2)

    def block_coordinates(self, query: Tensor, view: ViewBlocks) -> Tensor:
        """Projections (x, y) in blocks of the view, [queries, 2]."""
        pixels_per_block = self.map_size // self.blocks_per_side
        return self.cameras.project(query, view.number, self.map_size) / pixels_per_block

    def surface_distance(self, query: Tensor, view: ViewBlocks, near: Tensor) -> Tensor:
        """Distance of each query to each candidate block's surface, [queries, candidates]."""
        return squared_surface_distance(query, near, view.surfaces).sqrt()


def image_router(
    index: Tensor, maps: SurfaceMaps, cameras: Cameras, config: ModelConfig
) -> ImageRouter:
    """The router of one instance, with the surface points of its image blocks.

    Args:
        index: [tokens, 3] rows (view, row, column) of the instance's image tokens, in block order.
            DEFECT 18 (docs/deviations.md): blocks are derived from the tokens, not from the mask
            a second time.
        maps: of this instance alone, [1, views, ...].
        cameras: of this instance.
        config: sizes and counts.
    """
    side = config.sparse.patches_per_side // config.selection.block_size
    rows = torch.cat([index[:, :1], index[:, 1:] // config.selection.block_size], 1)
    rows = torch.unique_consecutive(rows, dim=0)
    where = (torch.zeros_like(rows[:, 0]), *rows.T)
    opaque = _tiles(maps.opacity, side)[where].flatten(1) > FAINT
    points = _tiles(maps.points, side)[where].flatten(1, 2).mT.contiguous()
    points.masked_fill_(~opaque[:, None], torch.inf)
    views = []
    for view in torch.unique(rows[:, 0]).tolist():
        own = rows[:, 0] == view
        # The distance that stands for "no surface" is twice the object's radius.
        surfaces = Surfaces(points[own], 2 * config.radius)
        views.append(ViewBlocks(view, rows[own, 1:], surfaces))
    return ImageRouter(tuple(views), cameras, maps.size, side, config.routing)


def _tiles(maps: Tensor, side: int) -> Tensor:
    """[b, v, h, h, ...] to [b, v, side, side, pixels, pixels, ...]."""
    size = maps.shape[2] // side
    tiles = maps.reshape(*maps.shape[:2], side, size, side, size, *maps.shape[4:])
    return tiles.transpose(3, 4)


def _padded(table: Tensor, count: int) -> Tensor:
    return F.pad(table, (0, count - table.shape[1]), value=-1).int()
