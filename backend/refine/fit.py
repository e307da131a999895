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

from ..field.density import density, section_thickness
from ..field.gather import RowBlend
from .training_rays import sample_rays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..shared.progress import Progress
    from .config import Level, RefineConfig
    from .gloss import Gloss
    from .narrow_band import NarrowBand
    from .training_rays import BandSamples, RaySamples, TrainingRays

FULL_COVERAGE = 0.99  # coverage above which a pixel shows nothing but the object
CHECK_EVERY = 30  # steps between two evaluations of the held-out rays
PATIENCE = 2  # evaluations without a gain after which a level ends
WARM_UP = 0.15  # fraction of a level over which the rate of the distance rises
FLAT = 1e-12  # added to a squared slope, whose root has no gradient at zero
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
class LevelRays:
    """The rays that a level can explain.

    Attributes:
        rays: the pixels.
        samples: of the rays in the level's band.
    """

    rays: TrainingRays
    samples: RaySamples

    @classmethod
    def of(
        cls, rays: TrainingRays, band: NarrowBand, level: Level, seed: int, progress: Progress
    ) -> LevelRays:
        """Leave out what the level's opacity cannot explain, and sample the others.

        A blurred surface is half opaque some way outside of its zero level set where rays graze
        it: fitted to outlines, it would shrink. The outer bound holds it there in any case.
        """
        if level.opacity != "neus":
            rays = rays.choose(torch.nonzero(rays.coverage >= FULL_COVERAGE)[:, 0])
        samples = sample_rays(rays, band, seed, progress)
        progress.check()
        return cls(rays, samples)

    def __len__(self) -> int:
        """How many rays there are."""
        return len(self.rays)

    def choose(self, index: Tensor) -> Batch:
        """Some of the rays, numbered in the order chosen."""
        return Batch(self.rays.choose(index), self.samples.of(index))

    def all(self) -> Batch:
        """All of the rays."""
        return self.choose(torch.arange(len(self.rays), device=self.rays.coverage.device))


@dataclass(frozen=True)
class Batch:
    """Rays that are rendered together.

    Attributes:
        rays: the pixels.
        along: samples of these rays.
    """

    rays: TrainingRays
    along: BandSamples


@dataclass(frozen=True)
class Fitted:
    """The outcome of a level.

    Attributes:
        rows: the best by the held-out rays; the last where there are none.
        held_out_loss: the least, infinite where there are no such rays.
    """

    rows: Rows
    held_out_loss: float


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
        self._optimizer = torch.optim.Adam(
            [
                {"params": [self.rows.distance], "lr": level.distance_rate},
                {"params": appearance, "lr": level.color_rate},
            ],
            betas=(0.9, 0.99),
            fused=True,
        )

    def run(
        self,
        training: LevelRays,
        held_out: LevelRays | None,
        seconds: float,
        progress: Progress,
        report: Callable[[int], None],
    ) -> Fitted:
        """Fit until the steps are done, the held-out loss rises, or the seconds are over.

        Args:
            training: rays to explain.
            held_out: rays for early stopping.
            seconds: at most.
            progress: checked for cancel.
            report: receives the number of every step.
        """
        begin = time.perf_counter()
        if len(training) == 0:
            return Fitted(self.rows.copy(), math.inf)
        stopping = _EarlyStopping(held_out.all()) if held_out else None
        progress.check()
        for step, chosen in enumerate(self._choices(training)):
            if time.perf_counter() - begin >= seconds:
                break
            fraction = step / self._level.steps
            report(step)
            progress.check()
            self._step(training.choose(chosen), fraction)
            check = step % CHECK_EVERY == CHECK_EVERY - 1
            if stopping and check and self._has_stalled(stopping, fraction):
                break
        if stopping and stopping.best:
            return Fitted(stopping.best, stopping.least)
        return Fitted(self.rows.copy(), math.inf)

    def _choices(self, training: LevelRays) -> Iterator[Tensor]:
        """The numbers of the random rays of every step, [rays per step], on the device.

        Drawn on the CPU, whatever the device, and all at once: no step waits for the next ones.
        """
        generator = torch.Generator().manual_seed(self._config.seed)
        size = (self._level.steps, self._config.rays_per_step)
        drawn = torch.randint(len(training), size, generator=generator)
        yield from drawn.to(self.rows.distance.device)

    def _step(self, batch: Batch, fraction: float) -> None:
        """One step of the optimizer on some rays."""
        self._set_rates(fraction)
        before = self.rows.distance.detach().clone()
        gradients = self._band.gradients(self.rows.distance)
        loss = self._data_loss(batch, fraction, gradients)
        loss = loss + self._prior_loss(gradients)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        with torch.no_grad():
            moved = before + self._band.smoothed(self.rows.distance - before)
            self.rows.distance.copy_(torch.maximum(moved, self._lower_bound))

    def _set_rates(self, fraction: float) -> None:
        """Warm up the rate of the distance; let both rates decay at the end."""
        decay = 0.2 ** (max(0.0, fraction - DECAY_START) / (1 - DECAY_START))
        warm = min(1.0, (fraction + 0.01) / WARM_UP)
        distance, appearance = self._optimizer.param_groups
        distance["lr"] = self._level.distance_rate * decay * warm
        appearance["lr"] = self._level.color_rate * decay

    def _data_loss(self, batch: Batch, fraction: float, gradients: Tensor) -> Tensor:
        """Color (L1, over black) and silhouette (L2) against the views."""
        rays = batch.rays
        color, opacity = self._render(batch, fraction, gradients)
        photometric = (color - rays.colors * rays.coverage[:, None]).abs().mean()
        silhouette = ((opacity - rays.coverage) ** 2).mean()
        loss: Tensor = photometric + self._level.silhouette_weight * silhouette
        return loss

    def _render(self, batch: Batch, fraction: float, gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Color over black [rays, 3] and opacity [rays] of some rays.

        Args:
            batch: the rays.
            fraction: of the level that is done.
            gradients: of the distance at the inner rows, [3, inner].
        """
        along, count = batch.along, len(batch.rays)
        index = self._band.corner_rows(along.cells)
        blend = RowBlend(index, along.weights, len(self.rows.distance))
        distance = blend(self.rows.distance[:, None])[:, 0]
        weights = ray_weights(self._thickness(distance, along, fraction), along.ray, count)
        opacity = ray_sums(weights[:, None], along.ray, count)[:, 0]
        color = torch.sigmoid(blend(self.rows.color))
        if not self._gloss:
            return ray_sums(weights[:, None] * color, along.ray, count), opacity
        normals = blend(self._band.normals(gradients))
        values = torch.cat([color, normals, along.points], 1)
        found = ray_sums(weights[:, None] * values, along.ray, count)
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

    def _prior_loss(self, gradients: Tensor) -> Tensor:
        """A distance grows by one per unit (eikonal), and a surface is smooth.

        Args:
            gradients: of the distance at the inner rows, [3, inner].
        """
        z, y, x = gradients
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

    def _has_stalled(self, stopping: _EarlyStopping, fraction: float) -> bool:
        """Whether the loss of the held-out rays no longer falls."""
        with torch.no_grad():
            gradients = self._band.gradients(self.rows.distance)
            loss = float(self._data_loss(stopping.held_out, fraction, gradients))
        return stopping.record(loss, self.rows)


def prepare_optimizer() -> None:
    """Import what the first optimizer of a process needs.

    That takes a second, in which no cancel is noticed: in a thread of its own it costs nothing.
    """
    torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)


class _EarlyStopping:
    """Keeps the rows with the least loss of the held-out rays."""

    def __init__(self, held_out: Batch) -> None:
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
