# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of stereo in their order: prepare, match, vote, carve, judge."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from kernels.core.workers import map_per_core

from ..mesh.cleaning import keep_solid_parts
from ..mesh.isosurface import extract_isosurface
from ..refine.training_rays import pixels_for
from ..shared.errors import NoSurface
from ..views.selection import spread_views
from .cavities import find_cavities
from .convex_carve import CarveConfig, ConvexCarve
from .exposure import exposure_gains
from .hull_grid import GridRays, HullGrid
from .judge import SeenMesh, Verdict
from .patch_match import ITERATIONS, PatchMatch
from .prepared_views import StereoViews
from .votes import MAX_COST, agreeing_views, cast_votes, confidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ..field.field import PointFunction
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .cavities import Cavities
    from .votes import Votes

LOGGER = logging.getLogger(__name__)

MIN_VIEWS = 6
"""With fewer there is nothing left to compare, once a fold is held back."""

MAX_VIEWS = 24
STEREO_SIZE = 160
"""Longest side of a view in pixels in which depths are found."""

MAX_PIXELS = 200_000
"""Of the object in all views together."""

JUDGE_SIZE = 256
"""Longest side of a view in pixels in which shapes are compared."""

JUDGE_RESOLUTION = 128
SEED = 0


@dataclass(frozen=True)
class StereoStart:
    """What stereo comes to.

    Attributes:
        cavities: of the hull, if the judge accepts them.
        note: why there are none.
        error_ratio: mean ratio of the errors in views, with cavities to without; None if there is
            nothing to compare.
    """

    cavities: Cavities | None
    note: str = ""
    error_ratio: float | None = None


def find_stereo_start(
    views: Sequence[View],
    normalization: Normalization,
    hull: PointFunction,
    half_side: float,
    progress: Progress,
    device: torch.device | None = None,
) -> StereoStart:
    """Find the cavities of the visual hull that colors show.

    Args:
        views: all input views.
        normalization: from their world to the model's.
        hull: the signed distance of the visual hull of all views.
        half_side: the model's box is [-half_side, half_side]^3.
        progress: receives fractions of the stage `stereo`.
        device: that computes; the CPU if it is None.
    """
    if len(views) < MIN_VIEWS:
        return StereoStart(None, "too few views")
    device = device or torch.device("cpu")
    views = spread_views(views, MAX_VIEWS)
    judge = _Judge([view.shrunk(JUDGE_SIZE) for view in views], normalization, half_side, device)
    try:
        unchanged = judge.look_at(hull, progress)
        gains = exposure_gains(judge.views, unchanged.mesh, unchanged.geometries)
        progress.report("stereo", 0.1, "preparing the views")
        prepared = StereoViews.from_views(_small(views), normalization, gains, device)
        grid = HullGrid.from_hull(hull, half_side, device)
        cavities = _carve(prepared, grid, progress)
        if cavities is None:
            return StereoStart(None, "no cavities")
        progress.report("stereo", 0.85, "comparing with the hull")
        changed = judge.look_at(cavities.cut_from(hull), progress)
    except NoSurface:
        return StereoStart(None, "no surface")
    verdict = Verdict.compare(changed, unchanged, progress)
    LOGGER.info("stereo: error ratios %s", verdict.ratios.round(3).tolist())
    if verdict.accepted:
        return StereoStart(cavities, "", verdict.mean_ratio)
    return StereoStart(None, "views look no better with it", verdict.mean_ratio)


def _small(views: Sequence[View]) -> list[View]:
    """The views at the size in which depths are found."""
    sizes = pixels_for(views, MAX_PIXELS)
    return [view.shrunk(min(STEREO_SIZE, size)) for view, size in zip(views, sizes, strict=True)]


@dataclass(frozen=True)
class _Judge:
    """The views at the size in which shapes are compared, and where they are looked at."""

    views: Sequence[View]
    normalization: Normalization
    half_side: float
    device: torch.device

    def look_at(self, shape: PointFunction, progress: Progress) -> SeenMesh:
        """The surface of a shape, as all views see it."""
        size, device = (self.half_side, JUDGE_RESOLUTION), self.device
        mesh = keep_solid_parts(extract_isosurface(shape, *size, progress, device))
        return SeenMesh.from_views(mesh, self.views, self.normalization, progress, device)


def _carve(views: StereoViews, grid: HullGrid, progress: Progress) -> Cavities | None:
    """Depth maps, their votes, and the cavities of what fits the votes best."""
    device = views.mask.device
    along = partial(GridRays.from_view, views, grid=grid)
    rays = list(map_per_core(along, range(len(views)), device, progress.check))
    matches = match_views(views, grid, rays, progress)
    progress.report("stereo", 0.5, "carving")
    votes = vote(views, matches, grid, progress)
    solid = ConvexCarve(grid, votes, CarveConfig()).run(views, rays, progress)
    return find_cavities(grid, solid, votes)


def match_views(
    views: StereoViews, grid: HullGrid, rays: Sequence[GridRays], progress: Progress
) -> list[PatchMatch]:
    """PatchMatch in every view; at the end, views try what the others agree on."""
    device = views.mask.device

    def begin(view: int) -> PatchMatch:
        # Its own generator: views are matched in parallel, in any order.
        generator = torch.Generator().manual_seed(SEED + view)
        return PatchMatch(views, view, rays[view].limits(grid), generator)

    matches = list(map_per_core(begin, range(len(views)), device, progress.check))
    for iteration in range(ITERATIONS + 1):
        if iteration == ITERATIONS:
            _exchange(views, matches, progress)
        iterate = partial(_iterate, number=iteration, progress=progress)
        list(map_per_core(iterate, matches, device))
        done = (iteration + 1) / (ITERATIONS + 1)
        progress.report("stereo", 0.1 + 0.4 * done, "matching views")
    return matches


def _iterate(match: PatchMatch, number: int, progress: Progress) -> None:
    match.iterate(number, progress)


def _exchange(views: StereoViews, matches: Sequence[PatchMatch], progress: Progress) -> None:
    """Propose to every view the points that at least two other views agree on."""
    trusted = [trust > 0 for trust in _trust(views, matches)[1]]
    surfaces = [
        tuple(part[good] for part in match.points())
        for match, good in zip(matches, trusted, strict=True)
    ]

    def propose(view: int) -> None:
        others = [surface for number, surface in enumerate(surfaces) if number != view]
        points, normals = (torch.cat(parts) for parts in zip(*others, strict=True))
        matches[view].propose_points(points, normals)

    list(map_per_core(propose, range(len(views)), views.mask.device, progress.check))


def vote(
    views: StereoViews, matches: Sequence[PatchMatch], grid: HullGrid, progress: Progress
) -> Votes:
    """The votes of all views for the voxels of the hull."""
    maps, trust = _trust(views, matches)
    return cast_votes(views, maps, trust, grid, progress)


def _trust(views: StereoViews, matches: Sequence[PatchMatch]) -> tuple[list[Tensor], list[Tensor]]:
    """The depth maps of what matches at all, and the trust in every pixel's depth."""
    maps = [match.depth_map(MAX_COST) for match in matches]

    def trust(view: int) -> Tensor:
        agreeing = agreeing_views(views, maps, view, matches[view].points()[0])
        return confidence(matches[view].cost, agreeing)

    return maps, list(map_per_core(trust, range(len(views)), views.mask.device))
