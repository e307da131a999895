# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One level of the fit: rows of signed distance and color, moved until the views are explained."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.compositing import ray_sums, ray_weights
from kernels.core.adam import Adam

from ..field.density import density, section_thickness
from ..field.gather import RowBlend
from .training_rays import sample_in_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..shared.progress import Progress
    from .config import Level, RefineConfig
    from .gloss import Gloss
    from .narrow_band import NarrowBand
    from .training_rays import BandSamples, SampledRays, TrainingRays

FULL_COVERAGE = 0.99  # coverage above which a pixel shows nothing but the object
CHECK_EVERY = 30  # steps between two evaluations of the held-out rays
PATIENCE = 2  # evaluations without a gain after which a level ends
WARM_UP = 0.15  # fraction of a level over which the rate of the distance rises
PRIOR_EVERY = 2  # steps from one that sees the priors to the next; their weight makes up for it
FLAT = 1e-12  # added to a squared slope, whose root has no gradient at zero
BETAS = (0.9, 0.99)
DECAY_START = 0.6  # fraction of a level after which all rates fall


@dataclass(frozen=True)
class Rows:
    """What is fitted.

    Attributes:
        distance: signed distance, model units, [rows].
        color: logits, [rows, 3].
    """

    distance: Tensor
    color: Tensor

    def joined(self) -> Tensor:
        """Distance and color side by side, [rows, 4]."""
        return torch.cat([self.distance[:, None], self.color], 1)

    def copy(self) -> Rows:
        """The present state, without gradients."""
        return Rows(self.distance.detach().clone(), self.color.detach().clone())


@dataclass(frozen=True)
class Fitted:
    """The outcome of a level.

    Attributes:
        rows: the best by the held-out rays; the last where there are none.
        held_out_loss: the least, infinite where there are no such rays.
    """

    rows: Rows
    held_out_loss: float


def batches_of_level(
    rays: TrainingRays,
    band: NarrowBand,
    level: Level,
    config: RefineConfig,
    progress: Progress,
    most: int | None = None,
) -> list[SampledRays]:
    """The rays that a level can explain, in random order, sampled, a batch for each step.

    A blurred surface is half opaque some way outside of its zero level set where rays graze it:
    fitted to outlines, it would shrink. The outer bound holds it there in any case.

    Args:
        rays: of which some are left out.
        band: where samples lie.
        level: what it can explain.
        config: the size of a batch, and the seed.
        progress: checked for cancel.
        most: of the rays; all if it is None.
    """
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.randperm(len(rays), generator=generator).to(rays.coverage.device)
    if level.opacity != "neus":
        order = order[rays.coverage[order] >= FULL_COVERAGE]
    rays, size = rays.choose(order[:most]), config.rays_per_step
    return sample_in_batches(rays, band, size, generator, progress)


class LevelFit:
    """Fits the rows of one band, and the gloss of the surface where there is any.

    Args:
        band: where the rows lie.
        rows: how they start.
        lower_bound: signed distance that no row may fall below, [rows]: the outer bound's.
        level: settings of this level.
        config: settings of all levels.
        gloss: of the surface, fitted in place.
    """

    def __init__(
        self,
        band: NarrowBand,
        rows: Rows,
        lower_bound: Tensor,
        level: Level,
        config: RefineConfig,
        gloss: Gloss | None = None,
    ) -> None:
        self._band, self._level, self._config, self._gloss = band, level, config, gloss
        self._lower_bound = lower_bound
        self.rows = Rows(
            rows.distance.clone().requires_grad_(), rows.color.clone().requires_grad_()
        )
        appearance = [self.rows.color, gloss.logits] if gloss else [self.rows.color]
        self._distance_adam = Adam([self.rows.distance], BETAS, fused=True)
        self._appearance_adam = Adam(appearance, BETAS, fused=True)

    def run(
        self,
        training: Sequence[SampledRays],
        held_out: Sequence[SampledRays],
        seconds: float,
        progress: Progress,
        report: Callable[[int], None],
    ) -> Fitted:
        """Fit until the steps are done, the held-out loss rises, or the seconds are over.

        Args:
            training: rays to explain, one batch after the other, again and again.
            held_out: rays for early stopping; there may be none.
            seconds: at most.
            progress: checked for cancel.
            report: receives the number of every step.
        """
        begin = time.perf_counter()
        if not training:
            return Fitted(self.rows.copy(), math.inf)
        stopping = _EarlyStopping(held_out) if held_out else None
        progress.check()
        for step in range(self._level.steps):
            if time.perf_counter() - begin >= seconds:
                break
            report(step)
            progress.check()
            self._step(step, training[step % len(training)])
            check = step % CHECK_EVERY == CHECK_EVERY - 1
            if stopping and check and self._has_stalled(stopping, step):
                break
        if stopping and stopping.best:
            return Fitted(stopping.best, stopping.least)
        return Fitted(self.rows.copy(), math.inf)

    def _step(self, step: int, batch: SampledRays) -> None:
        """One step of the optimizer on some rays."""
        fraction = step / self._level.steps
        before = self.rows.distance.detach().clone()
        loss = self._data_loss(batch, fraction)
        if step % PRIOR_EVERY == 0:
            loss = loss + PRIOR_EVERY * self._prior_loss()
        loss.backward()
        self._move(fraction)
        with torch.no_grad():
            moved = before + self._band.smoothed(self.rows.distance - before)
            self.rows.distance.copy_(torch.maximum(moved, self._lower_bound))

    def _move(self, fraction: float) -> None:
        """Move distance and appearance; the rates warm up and decay."""
        decay = 0.2 ** (max(0.0, fraction - DECAY_START) / (1 - DECAY_START))
        warm = min(1.0, (fraction + 0.01) / WARM_UP)
        self._distance_adam.step(self._level.distance_rate * decay * warm)
        self._appearance_adam.step(self._level.color_rate * decay)

    def _data_loss(self, batch: SampledRays, fraction: float) -> Tensor:
        """Color (L1, over black) and silhouette (L2) against the views."""
        rays = batch.rays
        color, opacity = self._render(batch, fraction)
        photometric = (color - rays.colors * rays.coverage[:, None]).abs().mean()
        silhouette = ((opacity - rays.coverage) ** 2).mean()
        loss: Tensor = photometric + self._level.silhouette_weight * silhouette
        return loss

    def _render(self, batch: SampledRays, fraction: float) -> tuple[Tensor, Tensor]:
        """Color over black [rays, 3] and opacity [rays] of some rays.

        Args:
            batch: the rays.
            fraction: of the level that is done.
        """
        along, packing = batch.samples, (batch.samples.ray, batch.offsets)
        blend = RowBlend(along.corners, along.weights, len(self.rows.distance))
        distance = blend(self.rows.distance[:, None])[:, 0]
        weights = ray_weights(self._thickness(distance, along, fraction), *packing)
        opacity = ray_sums(weights[:, None], *packing)[:, 0]
        color = torch.sigmoid(blend(self.rows.color))
        if not self._gloss:
            return ray_sums(weights[:, None] * color, *packing), opacity
        normals = blend(self._band.normals(self._band.gradients(self.rows.distance)))
        values = torch.cat([color, normals, along.points], 1)
        found = ray_sums(weights[:, None] * values, *packing)
        found = found / opacity.clamp(min=1e-4)[:, None]
        normals = F.normalize(found[:, 3:6], dim=1, eps=1e-6)
        color = self._gloss.added_to(found[:, :3], found[:, 6:], normals, batch.rays.directions)
        return color * opacity[:, None], opacity

    def _thickness(self, distance: Tensor, along: BandSamples, fraction: float) -> Tensor:
        """Optical thickness of samples, blurred or exact at the silhouette."""
        first, last = self._level.inverse_std
        inverse_std = first * (last / first) ** fraction
        if self._level.opacity == "volsdf":
            return density(distance, inverse_std) * self._band.spacing
        return section_thickness(distance, along.follows, inverse_std)

    def _prior_loss(self) -> Tensor:
        """A distance grows by one per unit (eikonal), and a surface is smooth."""
        z, y, x = self._band.gradients(self.rows.distance)
        slope = (z * z + y * y + x * x + FLAT).sqrt()
        eikonal = ((slope - 1) ** 2).mean()
        smoothness = (self._band.laplacian(self.rows.distance) ** 2).mean()
        weight = self._level.smoothness_weight
        if self._gloss:
            weight *= self._config.glossy_smoothness
        loss: Tensor = self._config.eikonal_weight * eikonal + weight * smoothness
        if self._gloss:
            loss = loss + self._config.reflectance_weight * self._gloss.mean_reflectance()
        return loss

    def _has_stalled(self, stopping: _EarlyStopping, step: int) -> bool:
        """Whether the loss of the held-out rays no longer falls."""
        fraction = step / self._level.steps
        with torch.no_grad():
            losses = [
                len(batch) * float(self._data_loss(batch, fraction)) for batch in stopping.held_out
            ]
        loss = sum(losses) / sum(map(len, stopping.held_out))
        return stopping.record(loss, self.rows)


class _EarlyStopping:
    """Keeps the rows with the least loss of the held-out rays."""

    def __init__(self, held_out: Sequence[SampledRays]) -> None:
        self.held_out = held_out
        self.best: Rows | None = None
        self.least, self._patience = math.inf, PATIENCE

    def record(self, loss: float, rows: Rows) -> bool:
        """Record a loss; true when it has not fallen `PATIENCE` times in a row."""
        if loss < self.least:
            self.least, self._patience, self.best = loss, PATIENCE, rows.copy()
        else:
            self._patience -= 1
        return self._patience == 0
