# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Votes of the depth maps: which voxels the views look through, and which lie on a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.progress import Progress
    from .hull_grid import HullGrid
    from .prepared_views import StereoViews

AGREEMENT = 0.012
"""Difference of depth, model units, up to which two views see the same point."""

MAX_COST = 1.0
SURE_COST = 0.6
"""Cost up to which a depth is fully trusted, and that up to which it is trusted at all."""

SURE_VIEWS = 3
TRUNCATION = 2.0
"""Voxels in front of and behind a surface in which it votes for its own distance."""

BEHIND = 2.5
"""Depth behind a surface, in truncations, up to which voxels are taken for its inside."""


@dataclass(frozen=True)
class Votes:
    """What the views say of each voxel, weighted by their confidence, all [z, y, x].

    Attributes:
        free: the voxel is in front of the surface.
        near: signed distance to a nearby surface, in truncations, positive in front; the sum.
        support: of `near`: the sum of the confidences.
        behind: the voxel is close behind the surface.
    """

    free: Tensor
    near: Tensor
    support: Tensor
    behind: Tensor


def agreeing_views(views: StereoViews, maps: Sequence[Tensor], view: int, points: Tensor) -> Tensor:
    """How many other views see the points [n, 3] of a view at the depth that is theirs, [n].

    It is 0 for a point outside of any mask.
    """
    agreeing = torch.zeros_like(points[:, 0])
    outside = torch.zeros_like(agreeing, dtype=torch.bool)
    for other, found in enumerate(maps):
        pixels, depth = views.project(other, points)
        outside |= views.look_up(views.mask[other], pixels, 1.0) < 0.5
        if other != view:
            agreeing += (views.look_up(found, pixels, 0.0) - depth).abs() < AGREEMENT
    return torch.where(outside, 0.0, agreeing)


def confidence(cost: Tensor, agreeing: Tensor) -> Tensor:
    """Trust in depths 0..1 [n] from their cost [n] and the number of views that agree [n]."""
    trust = ((MAX_COST - cost) / (MAX_COST - SURE_COST)).clamp(0, 1)
    return trust * agreeing.clamp_max(SURE_VIEWS) / SURE_VIEWS


def cast_votes(
    views: StereoViews,
    maps: Sequence[Tensor],
    trust: Sequence[Tensor],
    grid: HullGrid,
    progress: Progress,
) -> Votes:
    """Collect the votes of all views for the voxels of the hull.

    Args:
        views: the depth maps were found in.
        maps: depth, 0 where it is not known, [height, width] per view.
        trust: in each depth, per pixel of the object, [pixels] per view.
        grid: of the voxels.
        progress: checked for cancel.
    """
    chosen = grid.distance < grid.spacing
    points = grid.points(chosen)
    truncation = TRUNCATION * grid.spacing
    sums = points.new_zeros(4, len(points))
    for view, (found, trusted) in enumerate(zip(maps, trust, strict=True)):
        progress.check()
        image = torch.zeros_like(found)
        image[tuple(views.object_pixels(view).T)] = trusted
        pixels, depth = views.project(view, points)
        weight = views.look_up(image, pixels, 0.0)
        ahead = (views.look_up(found, pixels, 0.0) - depth) / truncation
        near = ahead.abs() <= 1
        sums[0] += weight * (ahead > 1)
        sums[1] += weight * near * ahead
        sums[2] += weight * near
        sums[3] += weight * ((ahead < -1) & (ahead > -BEHIND))
    volumes = points.new_zeros(4, *grid.distance.shape)
    volumes[:, chosen] = sums
    return Votes(*volumes)
