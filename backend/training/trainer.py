# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of a phase: predict, render, judge, push the gradient back, step."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .distribution import TrainingRanks, stragglers
from .losses.chunked_rendering import Renderer
from .losses.image_losses import usable_sum
from .losses.picture import color_decibels, comparison
from .parameter_groups import clear_unusable, clip_gradients, make_optimizer, set_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.stage import Stage
    from ..shared.progress import Progress
    from .checkpointing import Checkpoints
    from .log import PhaseLog
    from .losses.chunked_rendering import Rendering
    from .losses.image_losses import ImageLosses
    from .losses.point_head import PointHead
    from .objects.training_object import TrainingObject
    from .predictions import DensePass, Prediction, SparsePass
    from .settings.config import LogConfig, PhaseConfig

LOGGER = logging.getLogger(__name__)


class TrainedModules(nn.Module):
    """What a phase trains: a stage, and in the dense phase the head of points."""

    def __init__(self, stage: Stage, head: PointHead | None) -> None:
        super().__init__()
        self.stage = stage
        self.head = head

    @property
    def parts(self) -> list[nn.Module]:
        """Those whose gradients are limited one by one."""
        own = [self.stage.encoder, self.stage.transformer, self.stage.decoder]
        return own if self.head is None else [*own, self.head]

    @property
    def whole(self) -> list[nn.Parameter]:
        """Parameters that no rank shards."""
        own = [*self.stage.decoder.parameters()]
        return own if self.head is None else [*own, *self.head.parameters()]


@dataclass(frozen=True)
class StepResult:
    """What a step gives.

    Attributes:
        metrics: losses, norms and counts, on average over the objects of this rank.
        seconds: of this rank's own work in front of the shared one.
    """

    metrics: dict[str, float]
    seconds: float


class Trainer:
    """Trains one stage.

    Args:
        modules: to train.
        network: the pass that makes a prediction.
        losses: that judge it.
        phase: settings.
        ranks: that train together.
    """

    def __init__(
        self,
        modules: TrainedModules,
        network: DensePass | SparsePass,
        losses: ImageLosses,
        phase: PhaseConfig,
        ranks: TrainingRanks,
    ) -> None:
        self.modules, self.phase = modules, phase
        self._network, self._losses, self._ranks = network, losses, ranks
        self.optimizer = make_optimizer(modules.named_parameters())

    def run(
        self,
        batches: Iterator[list[TrainingObject]],
        first: int,
        output: PhaseOutput,
        progress: Progress,
    ) -> None:
        """Take all steps from `first` on.

        Args:
            batches: the objects of this rank, step by step.
            first: step.
            output: what is written.
            progress: receives the fraction, and is checked for a cancel.
        """
        for step, objects in enumerate(batches, first):
            progress.report(self.phase.name, step / self.phase.steps)
            result = self.step(step, objects)
            output.after_step(self, step, objects, result)
        progress.report(self.phase.name, 1.0)

    def novel_views(self, objects: Iterable[TrainingObject]) -> float | None:
        """The mean PSNR of the targets of some objects after the last step, in decibels.

        Args:
            objects: whose targets are held-out views; all ranks give the same ones.

        Returns:
            Of the color that is predicted; None where the true one is not known.
        """
        last, prediction = self.phase.steps - 1, self.modules.stage.config.decoder.prediction
        found = [color_decibels(self.show(last, one), one.truth, prediction) for one in objects]
        views = [each for decibels in found for each in decibels]
        return sum(views) / len(views) if views else None

    def step(self, step: int, objects: list[TrainingObject]) -> StepResult:
        """One step of the optimizer."""
        begin = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        prediction = self.predict(step, objects)
        metrics = self._push_gradients(step, prediction, objects)
        seconds = time.perf_counter() - begin
        prediction.backward()
        metrics["unusable_gradients"] = float(clear_unusable(self.modules.parameters()))
        self._ranks.average_gradients(self.modules.whole)
        norms = clip_gradients(self.modules.parts)
        rate = self.phase.rate.at(step, self.phase.steps)
        set_rate(self.optimizer, rate)
        self.optimizer.step()
        metrics |= {f"norm/{name}": norm for name, norm in norms.items()}
        metrics |= {name: float(count) for name, count in prediction.counts.items()}
        metrics["rate"] = rate
        return StepResult(metrics, seconds)

    def predict(self, step: int, objects: list[TrainingObject]) -> Prediction:
        """What the network makes of some objects, with the sharpness of a step."""
        return self._network.predict(objects, self.phase.inverse_std_at(step))

    @torch.no_grad()
    def show(self, step: int, one: TrainingObject) -> Rendering:
        """What the targets of an object look like in the field that is predicted in a step."""
        prediction = self.predict(step, [one])
        renderer = replace(self.renderer(step, prediction, 0), normal_width=None)
        return renderer.render(prediction.fields[0], one.rays.to(prediction.leaves[0]))

    def renderer(self, step: int, prediction: Prediction, number: int) -> Renderer:
        """How the views of an object are rendered in a step."""
        sampler = prediction.samplers[number]
        judged = step >= self.phase.steps - self.phase.normal_steps
        width = 4 * sampler.half_side / self._samples if judged else None
        return Renderer(sampler, self.phase.rays_per_chunk, width)

    @property
    def _samples(self) -> int:
        return self.modules.stage.config.samples_per_ray

    def _push_gradients(
        self, step: int, prediction: Prediction, objects: list[TrainingObject]
    ) -> dict[str, float]:
        """Render and judge all objects; the gradient of the mean loss is then in the leaves."""
        sums: dict[str, float] = {}
        share = 1.0 / len(objects)
        unusable = 0
        for number, (field, each) in enumerate(zip(prediction.fields, objects, strict=True)):
            renderer = self.renderer(step, prediction, number)
            rays, truth = each.rays.to(prediction.leaves[number]), each.truth
            found = renderer.render(field, rays)
            terms, gradient = self._losses.gradient(found, truth.to(found.opacity))
            renderer.push_gradient(field, rays, [share * grad for grad in gradient])
            total, usable = usable_sum(terms)
            unusable += not usable
            judged = {name: float(term) for name, term in terms.items()}
            for name, value in {**judged, "loss": total}.items():
                sums[f"loss/{name}"] = sums.get(f"loss/{name}", 0.0) + share * value
        for name, term in list(prediction.terms.items()):
            prediction.terms[name] = torch.nan_to_num(term, 0.0, 0.0, 0.0)
            unusable += not bool(torch.isfinite(term))
            sums[f"loss/{name}"] = float(prediction.terms[name].detach())
            sums["loss/loss"] += sums[f"loss/{name}"]
        sums["unusable_losses"] = float(unusable)
        return sums


@dataclass(frozen=True)
class PhaseOutput:
    """What is written while a phase runs.

    Attributes:
        config: how often.
        log: of metrics and pictures; None on ranks that write none.
        checkpoints: to go on from.
        ranks: that train together.
    """

    config: LogConfig
    log: PhaseLog | None
    checkpoints: Checkpoints
    ranks: TrainingRanks

    def after_step(
        self, trainer: Trainer, step: int, objects: list[TrainingObject], result: StepResult
    ) -> None:
        """Write what is due after a step; all ranks call it."""
        done, last = step + 1, step + 1 == trainer.phase.steps
        if last or step % self.config.metrics == 0:
            self._metrics(step, result)
        if last or step % self.config.pictures == 0:
            picture = self._picture(trainer, step, objects)
            if self.log is not None:
                self.log.picture(step, picture)
        if last or done % self.config.checkpoints == 0:
            self.checkpoints.save(done, self.config.kept)

    def _metrics(self, step: int, result: StepResult) -> None:
        """Metrics, on average over all ranks, and ranks that hold up the others."""
        means = self.ranks.mean(result.metrics)
        times = self.ranks.all(result.seconds)
        means["seconds"], means["slowest_seconds"] = result.seconds, max(times)
        for rank, ratio in stragglers(times).items():
            LOGGER.warning("Step %d: rank %d takes %.1f times as long.", step, rank, ratio)
        if self.log is not None:
            self.log.metrics(step, means)

    def _picture(self, trainer: Trainer, step: int, objects: list[TrainingObject]) -> Tensor:
        """The targets of the first object beside what the field shows."""
        found = trainer.show(step, objects[0])
        return comparison(found, objects[0].truth, trainer.modules.stage.config.decoder.prediction)
