# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement: from the hull, or any start, to a field that explains the views."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch

from ..field.decoders import DirectDecoder
from ..field.field import VolumeField
from ..field.grids import grid_points
from ..shared.errors import NoSurface
from ..views.selection import evenly
from ..views.visual_hull import VisualHull
from .fit import Fitted, LevelFit, Rows, batches_of_level
from .fit_clock import FitClock, PlannedRun
from .gloss import Gloss, LightLobes
from .narrow_band import NarrowBand, carved, resampled, sample_grid
from .nearest_vertex import nearest_vertex
from .novel_view_error import NovelViewMetric
from .outer_bound import outer_bound
from .training_rays import SampledRays, TrainingRays, pixels_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..field.field import PointFunction
    from ..field.volumes import SparseVolume
    from ..materials.environment_map import EnvironmentMap
    from ..mesh.live_preview import LivePreview
    from ..mesh.triangle_mesh import TriangleMesh
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .config import Level, RefineConfig

    Carve: TypeAlias = Callable[[PointFunction], PointFunction]

LOGGER = logging.getLogger(__name__)

VIEWS_PER_HELD_OUT = 4  # at most one view in so many is held out
HELD_OUT_RAYS = 12_288  # by which levels are stopped; three batches are as sure as all of them


class Refinement:
    """Fits a field to views, coarse to fine.

    All levels but the last leave a few views out; if the fitted shape does not explain these better
    than the start does, the start is kept. The last level is fitted to all views.

    Args:
        views: all input views.
        normalization: from their world to the model's.
        half_side: the model's box is [-half_side, half_side]^3.
        config: levels, weights and seed.
        light: of the views, in the axes of their world, if it is known.
        device: that fits; the CPU if it is None.
    """

    def __init__(
        self,
        views: Sequence[View],
        normalization: Normalization,
        half_side: float,
        config: RefineConfig,
        light: EnvironmentMap | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._config, self._half_side = config, half_side
        self._device = device or torch.device("cpu")
        self._lobes = LightLobes.from_environment(light, self._device) if light else None
        self._views, self._normalization = views, normalization
        training, held_out = split_views(views, config)
        self._metric = NovelViewMetric(training, held_out, normalization, half_side, self._device)
        sizes = pixels_for(views, config.max_rays)
        small = [view.shrunk(size) for view, size in zip(views, sizes, strict=True)]
        training, held_out = split_views(small, config)
        self._training = self._rays(training)
        self._held_out = self._rays(held_out) if held_out else None

    def run(
        self,
        start: PointFunction | None,
        progress: Progress,
        carve: Carve | None = None,
        preview: LivePreview | None = None,
    ) -> VolumeField[SparseVolume] | None:
        """Fit the field.

        Args:
            start: signed distance to begin with; without it, the hull.
            progress: receives fractions of the stage `refine`.
            carve: cuts known cavities from the signed distance of the hull. The first level is left
                out then: it is too coarse for thin walls.
            preview: shows the start, if cavities are cut from it, and every level.

        Returns:
            The field, or nothing if the start explains the held-out views better, if there are too
            few views to hold any out, or if a surface is too thin to be fitted.
        """
        if self._config.held_out and self._held_out is None:
            return None
        try:
            field = self._fit(start, progress, carve, preview)
            if field:
                self._metric.surface_of(field.signed_distance, progress)
        except NoSurface:
            LOGGER.info("refine: no surface at the resolution of the comparison")
            return None
        return field

    def _fit(
        self,
        start: PointFunction | None,
        progress: Progress,
        carve: Carve | None,
        preview: LivePreview | None,
    ) -> VolumeField[SparseVolume] | None:
        """All levels; nothing if the held-out views prefer the start."""
        levels = self._config.levels[1:] if carve else self._config.levels
        clock = FitClock(self._config.seconds, self._planned(levels), progress)
        # A hull or colors made from all views would contain the views they are compared with.
        views = self._metric.color_views
        hull, surface, bound = self._bound_of(views, progress)
        if carve and not start:
            start = carve(hull)
        if start:
            surface = self._metric.surface_of(start, progress)
        start = start or hull
        progress.check()
        first = levels[0].resolution
        points = grid_points(self._half_side, first, "zyx", self._device)
        grid = sample_grid(start, points, first)
        color_at: PointFunction = self._colors_of(surface, progress)
        if preview and carve:
            preview.show_grid(grid, color_at)
        field: VolumeField[SparseVolume] | None = None
        gloss: Gloss | None = None
        for number, level in enumerate(levels):
            training, held_out = self._training, self._held_out
            if number == len(levels) - 1 and held_out is not None:
                if field and not self._gained(field, start, progress):
                    return None
                training, held_out = training.joined(held_out), None
                bound = self._bound_of(self._views, progress)[2]
            progress.check()
            grid = carved(resampled(grid, level.resolution), bound, level.band, self._half_side)
            progress.check()
            band = NarrowBand.around(grid, level.band, self._half_side)
            progress.check()
            rows = Rows(band.row_distance(), torch.logit(color_at(band.points).clamp(0.02, 0.98)))
            make = partial(LevelFit, band, rows, bound(band.points), level, self._config)
            sampled = partial(batches_of_level, band=band, level=level, config=self._config)
            seen = sampled(training, progress=progress)
            kept = []
            if held_out:
                kept = sampled(held_out, progress=progress, most=HELD_OUT_RAYS)
            run = _Run(make, seen, kept, clock, progress)
            if number == 0:
                rows, gloss = self._first_rows(run)
            else:
                rows = run.fitted(gloss).rows
            LOGGER.info("refine: level %d, %d rows", number + 1, len(rows.distance))
            grid = band.filled(rows.distance)
            field = VolumeField(band.volume(rows.joined()), DirectDecoder(3), level.inverse_std[1])
            color_at = field.appearance
            if preview:
                preview.show_grid(grid, color_at)
        return field

    def _planned(self, levels: Sequence[Level]) -> list[PlannedRun]:
        """The runs of some levels: the first one twice, if the surface may be glossy."""
        *earlier, last = levels
        runs = [PlannedRun(level.steps, self._held_out is not None) for level in earlier]
        glossy = runs[:1] if self._lobes and self._held_out else []
        return [*glossy, *runs, PlannedRun(last.steps, may_stop=False)]

    def _first_rows(self, run: _Run) -> tuple[Rows, Gloss | None]:
        """The rows of the first level, and the gloss if held-out rays are better explained by it.

        A fit without held-out rays goes without gloss.
        """
        matt = run.fitted(None)
        if not self._lobes or not run.held_out:
            return matt.rows, None
        gloss = Gloss.matt(self._lobes, self._half_side)
        glossy = run.fitted(gloss)
        losses = (matt.held_out_loss, glossy.held_out_loss)
        LOGGER.info("refine: held-out loss %.5f without gloss, %.5f with it", *losses)
        better = glossy.held_out_loss < matt.held_out_loss
        return (glossy.rows, gloss) if better else (matt.rows, None)

    def _gained(
        self, field: VolumeField[SparseVolume], start: PointFunction, progress: Progress
    ) -> bool:
        """Whether the field has the smaller error in the held-out views."""
        before = self._metric.squared_error(start, progress)
        after = self._metric.squared_error(field.signed_distance, progress)
        LOGGER.info("refine: held-out squared error %.5f at the start, now %.5f", before, after)
        return after < before

    def _bound_of(
        self, views: Sequence[View], progress: Progress
    ) -> tuple[PointFunction, TriangleMesh, PointFunction]:
        """The signed distance of the hull of some views, its surface, and its outer bound."""
        progress.check()
        normalization, device = self._normalization, self._device
        hull = VisualHull.from_views(views, normalization, device, progress).signed_distance
        surface = self._metric.surface_of(hull, progress)
        progress.check()
        return hull, surface, outer_bound(hull, surface, views, normalization, device)

    def _colors_of(self, mesh: TriangleMesh, progress: Progress) -> PointFunction:
        """The color of the nearest vertex of a mesh, from the views that are not held out."""
        colors = self._metric.colors_of(mesh, progress)
        nearest = nearest_vertex(mesh, self._device)
        return lambda points: colors[nearest(points)]

    def _rays(self, views: Sequence[View]) -> TrainingRays:
        """The rays of some views."""
        halo = self._config.halo
        return TrainingRays.from_views(views, self._normalization, halo, self._device)


@dataclass(frozen=True)
class _Run:
    """A level that can be fitted with and without gloss.

    Attributes:
        make: a fit of the level from its start.
        training: rays to explain.
        held_out: rays for early stopping.
        clock: gives the seconds and reports them.
        progress: checked for cancel.
    """

    make: Callable[[Gloss | None], LevelFit]
    training: Sequence[SampledRays]
    held_out: Sequence[SampledRays]
    clock: FitClock
    progress: Progress

    def fitted(self, gloss: Gloss | None) -> Fitted:
        """Fit the level from its start."""
        seconds = self.clock.begin_run()
        report = self.clock.report
        return self.make(gloss).run(self.training, self.held_out, seconds, self.progress, report)


def split_views(views: Sequence[View], config: RefineConfig) -> tuple[list[View], list[View]]:
    """Views to fit, and views to hold out, evenly taken from all."""
    count = min(config.held_out, len(views) // VIEWS_PER_HELD_OUT)
    held_out = evenly(len(views), count)
    return (
        [view for number, view in enumerate(views) if number not in held_out],
        [view for number, view in enumerate(views) if number in held_out],
    )
