# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of every step: drawn from the seed and the number of the step, so any step can begin.

A process that goes on from a checkpoint reads what it would have read without the interruption,
with any number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, Dataset

from ..shared.errors import LsrmError
from .datasets.damaged import SkipDamaged
from .objects.training_object import TrainingObject, prepare, prepare_held_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from ..model.config.model_config import ModelConfig
    from .datasets.sample import Sample
    from .distribution import TrainingRanks
    from .settings.config import PhaseConfig


MIXER = 1_000_003
"""A prime number, more than there are objects in a step."""


JUDGED = 8
"""Objects whose held-out views are predicted once a phase is done."""


@dataclass(frozen=True)
class Place:
    """An object's place in a training.

    Attributes:
        step: of the phase.
        number: of the object in the step, over all ranks.
    """

    step: int
    number: int


def generator_of(seed: int, place: Place) -> torch.Generator:
    """A source of random numbers of its own for every object of every step."""
    mixed = (seed * MIXER + place.step) * MIXER + place.number
    return torch.Generator().manual_seed(mixed % 2**63)


class StepObjects(Dataset[TrainingObject]):
    """The objects of a phase, by their places.

    Args:
        samples: to draw from.
        model: sizes of the network.
        phase: of the training.
        seed: of the training.
        ranks: that read the samples.
    """

    def __init__(
        self,
        samples: Dataset[Sample],
        model: ModelConfig,
        phase: PhaseConfig,
        seed: int,
        ranks: TrainingRanks,
    ) -> None:
        self._samples = SkipDamaged(samples, ranks.size)
        self._model, self._phase, self._seed = model, phase, seed
        self._ranks = ranks

    def __getitem__(self, place: Place) -> TrainingObject:
        """The object at a place.

        Raises:
            BadDataset: if too many samples are damaged.
        """
        generator = generator_of(self._seed, place)
        sized: Sized = self._samples
        index = int(torch.randint(len(sized), (), generator=generator))
        sample = self._samples[index]
        fewest, most = self._phase.views.inputs
        of_step = generator_of(self._seed, Place(place.step, -1))  # alike for all its objects
        inputs = int(torch.randint(fewest, most + 1, (), generator=of_step))
        return prepare(sample, self._model, self._phase.views, inputs, generator)

    def held_out(self) -> Iterator[TrainingObject]:
        """The first objects with their held-out views as targets.

        Raises:
            BadDataset: if too many samples are damaged.
        """
        sized: Sized = self._samples
        for number in range(min(len(sized), JUDGED)):
            generator = generator_of(self._seed, Place(-1, number))
            yield prepare_held_out(self._samples[number], self._model, self._phase.views, generator)

    def batches(self, first: int, workers: int) -> Iterator[list[TrainingObject]]:
        """The objects of this rank from a step on, a list for each step.

        Args:
            first: step.
            workers: processes that prepare objects; 0 for this one.

        Raises:
            BadDataset: if too many samples are damaged.
        """
        places = _Places(first, self._phase.steps, self._phase.instances, self._ranks)
        for batch in DataLoader(
            _Answers(self), batch_sampler=places, num_workers=workers, collate_fn=list
        ):
            for answer in batch:
                if isinstance(answer, LsrmError):
                    raise answer
            yield batch


@dataclass(frozen=True)
class _Answers(Dataset["TrainingObject | LsrmError"]):
    """The objects of a phase, or the error of one: a worker can answer it, but not raise it."""

    objects: StepObjects

    def __getitem__(self, place: Place) -> TrainingObject | LsrmError:
        try:
            return self.objects[place]
        except LsrmError as error:
            return error


@dataclass(frozen=True)
class _Places:
    """The places of a rank, step by step."""

    first: int
    steps: int
    instances: int
    ranks: TrainingRanks

    def __iter__(self) -> Iterator[list[Place]]:
        begin = self.ranks.rank * self.instances
        for step in range(self.first, self.steps):
            yield [Place(step, begin + number) for number in range(self.instances)]

    def __len__(self) -> int:
        return self.steps - self.first
