# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The convex carve: the set of voxels inside the hull that fits the votes with the least surface.

A continuous minimum cut, minimized by the primal-dual method of Chambolle and Pock (2011); over
visual hulls and stereo as in Cremers and Kolev, "Multiview Stereo and Silhouette Consistency via
Convex Functionals" (2011): every ray inside a silhouette must meet the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

from ..field.grids import dilated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.progress import Progress
    from .hull_grid import GridRays, HullGrid
    from .prepared_views import StereoViews
    from .votes import Votes


@dataclass(frozen=True)
class CarveConfig:
    """Weights of the carve. Votes are sums of confidences, lengths are in voxels.

    Attributes:
        most_free: greatest weight of votes for free space.
        near_weight: of the votes of nearby surfaces.
        most_near: greatest of these votes.
        behind_weight: of the votes of surfaces in front.
        most_behind: greatest of these votes.
        seen_bias: what a seen voxel costs without votes: it is taken for free. It falls to 0 at one
            vote of a nearby surface, which it would move into the object.
        hidden_bias: of a voxel that no view sees: it is taken for solid.
        surface_weight: of a surface without support.
        supported_weight: of a surface with `support` votes.
        support: see above.
        hull_weight: of a surface up to `hull_reach` from the hull.
        hull_reach: see above.
        filled_cost: of the voxel that a silhouette needs, and of its neighbors.
        filled_votes: weight of the votes where a silhouette is filled.
        filled_blur: standard deviation, in voxels, of the blur of these votes.
        depth_weight: how much less a silhouette needs voxels deep below the hull, per voxel.
        most_depth: from which on deeper counts the same.
        iterations: first ones.
        more_iterations: after every change of the costs.
        silhouette_rounds: in which silhouettes are filled.
        hidden_rounds: in which what no view sees is found again.
        least_piece: loose pieces below this share of the largest are dropped.
    """

    most_free: float = 2.0
    near_weight: float = 0.6
    most_near: float = 2.5
    behind_weight: float = -0.15
    most_behind: float = 2.0
    seen_bias: float = 0.28
    hidden_bias: float = -0.15
    surface_weight: float = 1.0
    supported_weight: float = 0.3
    support: float = 1.2
    hull_weight: float = 0.05
    hull_reach: float = 1.5
    filled_cost: float = -1.5
    filled_votes: float = 3.0
    filled_blur: float = 1.5
    depth_weight: float = 0.3
    most_depth: float = 6.0
    iterations: int = 80
    more_iterations: int = 30
    silhouette_rounds: int = 3
    hidden_rounds: int = 2
    least_piece: float = 0.02


class ConvexCarve:
    """Finds the solid voxels.

    Args:
        grid: of the hull.
        votes: of the views.
        config: weights.
    """

    def __init__(self, grid: HullGrid, votes: Votes, config: CarveConfig) -> None:
        self._grid, self._config = grid, config
        self._evidence = (
            votes.free.clamp_max(config.most_free)
            + config.near_weight * votes.near.clamp(-config.most_near, config.most_near)
            + config.behind_weight * votes.behind.clamp_max(config.most_behind)
        )
        self._seen_bias = config.seen_bias * (1 - votes.support).clamp_min(0.0)
        near_hull = grid.distance.abs() < config.hull_reach * grid.spacing
        weight = torch.full_like(grid.distance, config.surface_weight)
        weight[votes.support >= config.support] = config.supported_weight
        weight[near_hull] = config.hull_weight
        self._cut = MinimumCut(weight, grid.inside)
        self._hidden = torch.zeros_like(grid.inside)
        self._filled = torch.zeros_like(grid.inside)

    def run(self, views: StereoViews, rays: Sequence[GridRays], progress: Progress) -> Tensor:
        """The solid voxels, boolean [z, y, x].

        Args:
            views: of the silhouettes.
            rays: through their object pixels, one per view.
            progress: checked for cancel.
        """
        self._cut.solve(self._cost(), self._config.iterations, progress)
        self._fill_silhouettes(rays, progress)
        for _ in range(self._config.hidden_rounds):
            self._hidden |= ~self._seen(views, rays)
            self._cut.solve(self._cost(), self._config.more_iterations, progress)
            self._fill_silhouettes(rays, progress)
        return _large_pieces(self._cut.solid, self._config.least_piece)

    def _cost(self) -> Tensor:
        """What every voxel inside the hull costs if it is solid."""
        config = self._config
        bias = torch.where(self._hidden, config.hidden_bias, self._seen_bias)
        return torch.where(self._filled, config.filled_cost, self._evidence + bias)

    def _fill_silhouettes(self, rays: Sequence[GridRays], progress: Progress) -> None:
        """Solve again until every ray inside a silhouette meets the object."""
        for _ in range(self._config.silhouette_rounds):
            needed = self._needed(rays, progress)
            if not needed.any():
                return
            self._filled |= needed
            self._cut.solve(self._cost(), self._config.more_iterations, progress)

    def _needed(self, rays: Sequence[GridRays], progress: Progress) -> Tensor:
        """Around the cheapest voxel of every ray that misses the object, boolean [z, y, x]."""
        grid = self._grid
        needed = torch.zeros_like(grid.inside).flatten()
        solid = self._cut.solid
        for along in rays:
            progress.check()
            missed = ~along.first(solid)[1]
            missing = along.choose(missed)
            least, sample = missing.values(self._filling_cost, torch.inf).min(1)
            voxel = missing.index.gather(1, sample[:, None])[:, 0]
            needed[voxel[least.isfinite()].long()] = True
        return dilated(needed.view(grid.distance.shape), 1) & grid.inside

    @cached_property
    def _filling_cost(self) -> Tensor:
        """What it costs to fill a silhouette with a voxel, [z, y, x]; infinite outside the hull."""
        config, grid = self._config, self._grid
        depth = (-grid.distance / grid.spacing).clamp(0, config.most_depth)
        blurred = gaussian_filter(self._evidence.cpu().numpy(), config.filled_blur)
        votes = torch.from_numpy(blurred).to(depth)
        cost = config.filled_votes * votes + config.depth_weight * depth
        return torch.where(grid.inside, cost, torch.inf)

    def _seen(self, views: StereoViews, rays: Sequence[GridRays]) -> Tensor:
        """Empty voxels that at least one view sees, without openings of one voxel."""
        grid = self._grid
        points = grid.points(grid.inside)
        seen = torch.zeros_like(points[:, 0], dtype=torch.bool)
        solid = self._cut.solid
        for view, along in enumerate(rays):
            depth, met = along.first(solid)
            image = torch.zeros_like(views.mask[view])
            image[tuple(views.object_pixels(view).T)] = torch.where(met, depth, torch.inf)
            pixels, own = views.project(view, points)
            seen |= views.look_up(image, pixels, 0.0) > own
        volume = ~grid.inside
        volume[grid.inside] = seen
        return _opened(volume & ~solid)


class MinimumCut:
    """Minimizes the integral of weight |grad u| + cost u over 0 <= u <= 1, u = 0 outside a region.

    It works on a list of cells: those of the region, and those before one of them along an axis,
    whose gradient reaches into it. In all others u and its gradient are 0.

    Args:
        weight: of the surface, [z, y, x].
        region: that u may fill, and does at first, boolean [z, y, x].
    """

    STEP = 1 / 12**0.5

    def __init__(self, weight: Tensor, region: Tensor) -> None:
        self._shape = region.shape
        self._cells = torch.nonzero((region | _before_any(region)).flatten())[:, 0]
        self._inside = region.flatten()[self._cells]
        self._after, self._before = self._neighbors()
        self._weight = weight.flatten()[self._cells]
        self._u = self._inside.to(weight)
        self._extrapolated = self._u.clone()
        self._dual = self._u.new_zeros(3, len(self._cells))

    @property
    def solid(self) -> Tensor:
        """Where u is above one half, boolean [z, y, x]."""
        solid = torch.zeros(self._shape.numel(), dtype=torch.bool, device=self._u.device)
        solid[self._cells] = self._u > 0.5
        return solid.view(self._shape)

    def solve(self, cost: Tensor, iterations: int, progress: Progress) -> None:
        """Some iterations from the present state, with a cost [z, y, x]."""
        cost = torch.where(self._inside, cost.flatten()[self._cells], torch.inf)
        scaled = self.STEP * cost
        for _ in range(iterations):
            progress.check()
            self._raise_dual()
            before = self._u
            self._u = (before + self.STEP * self._divergence() - scaled).clamp_(0, 1)
            torch.sub(2 * self._u, before, out=self._extrapolated)

    def _raise_dual(self) -> None:
        """One ascent of the dual, kept within the weight."""
        ahead = _or_zero(self._extrapolated, self._after)
        self._dual.add_(ahead.sub_(self._extrapolated), alpha=self.STEP)
        norm = self._dual.square().sum(0).sqrt_()
        self._dual *= self._weight / torch.maximum(norm, self._weight)

    def _divergence(self) -> Tensor:
        """The divergence of the dual, [cells]."""
        result = self._dual.sum(0)
        for part, before in zip(self._dual, self._before, strict=True):
            result.sub_(_or_zero(part, before))
        return result

    def _neighbors(self) -> tuple[Tensor, Tensor]:
        """Which cells of the list come after and before each one along z, y and x, [3, cells].

        It is their number where there is none in the list, and a cell itself after the last one of
        the grid, across whose end there is no gradient.
        """
        count = len(self._cells)
        number = self._cells.new_full((self._shape.numel(),), count)
        number[self._cells] = torch.arange(count, device=number.device)
        number = number.view(self._shape)
        after, before = [], []
        for axis, length in enumerate(self._shape):
            first, last = number.narrow(axis, 0, 1), number.narrow(axis, length - 1, 1)
            rest, others = number.narrow(axis, 1, length - 1), number.narrow(axis, 0, length - 1)
            after.append(torch.cat([rest, last], axis).flatten()[self._cells])
            before.append(
                torch.cat([torch.full_like(first, count), others], axis).flatten()[self._cells]
            )
        return torch.stack(after), torch.stack(before)


def _or_zero(values: Tensor, index: Tensor) -> Tensor:
    """Values [n] at an index in any shape; 0 where it is n."""
    padded = torch.cat([values, values.new_zeros(1)])
    return padded.index_select(0, index.flatten()).view(index.shape)


def _before_any(voxels: Tensor) -> Tensor:
    """Boolean [z, y, x]: the voxels that come just before one of those along an axis."""
    before = torch.zeros_like(voxels)
    for axis in range(3):
        length = voxels.shape[axis] - 1
        before.narrow(axis, 0, length).logical_or_(voxels.narrow(axis, 1, length))
    return before


def _opened(voxels: Tensor) -> Tensor:
    """Boolean [z, y, x] without what is thinner than three voxels."""
    return dilated(~dilated(~voxels, 1), 1)


def _large_pieces(solid: Tensor, least: float) -> Tensor:
    """Without pieces of fewer voxels than a share of the largest."""
    pieces, count = label(solid.cpu().numpy())
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = sizes >= max(1, least * sizes.max())
    return torch.from_numpy(kept[pieces]).to(solid.device)
