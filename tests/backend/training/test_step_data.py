# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any step has the same objects, wherever a process begins and however ranks share them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.shared.errors import BadDataset
from backend.training.distribution import TrainingRanks
from backend.training.log import PhaseLog, read_metrics
from backend.training.step_data import Place, StepObjects, generator_of
from tests.training_samples import DENSE, Balls, tiny_training

CPU = torch.device("cpu")
PHASE = replace(DENSE, steps=3, instances=2)


class Broken(Balls):
    """Balls that cannot be read."""

    def __getitem__(self, index: int):
        raise BadDataset(f"Ball {index} has burst.", "Blow up another one.")


def fingerprints(first: int = 0, phase=PHASE, ranks=None, workers: int = 0) -> list[list[int]]:
    """The seeds of the objects of every step, which nothing else shares."""
    ranks = ranks or TrainingRanks(CPU)
    model = tiny_training(phase).model_of(phase)
    objects = StepObjects(Balls(3), model, phase, 5, ranks)
    return [[each.seed for each in batch] for batch in objects.batches(first, workers)]


def test_a_later_start_gives_the_same_steps():
    """With workers, too."""
    whole = fingerprints()
    assert len({seed for batch in whole for seed in batch}) == 6
    assert fingerprints(first=2) == whole[2:]
    assert fingerprints(first=1, workers=1) == whole[1:]


def test_ranks_share_the_objects_of_a_step():
    """One of two ranks has what one process has second."""
    one = replace(PHASE, instances=1)
    parts = [fingerprints(phase=one, ranks=TrainingRanks(CPU, rank, 2)) for rank in range(2)]
    joined = [first + second for first, second in zip(*parts, strict=True)]
    assert joined == fingerprints()


def test_objects_of_a_step_have_equally_many_views():
    """The number is drawn for the step."""
    phase = replace(PHASE, steps=8)
    objects = StepObjects(
        Balls(3), tiny_training(phase).model_of(phase), phase, 0, TrainingRanks(CPU)
    )
    counts = [{len(each.views.rgb) for each in batch} for batch in objects.batches(0, 0)]
    assert all(len(each) == 1 for each in counts)
    assert {count for each in counts for count in each} == {2, 3}


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_worker_is_itself(workers):
    """What is wrong with a data set is said in the same words, whichever process reads it."""
    model = tiny_training(PHASE).model_of(PHASE)
    objects = StepObjects(Broken(), model, PHASE, 0, TrainingRanks(CPU))
    with pytest.raises(BadDataset, match="1 of 4 samples are damaged") as caught:
        next(objects.batches(0, workers))
    assert "Check the disk" in caught.value.remedy


@pytest.mark.parametrize("other", [Place(1, 2), Place(2, 1), Place(0, -1)])
def test_places_have_random_numbers_of_their_own(other):
    """And the same ones in any process."""
    one = torch.rand(3, generator=generator_of(0, Place(1, 1)))
    assert torch.equal(one, torch.rand(3, generator=generator_of(0, Place(1, 1))))
    assert not torch.equal(one, torch.rand(3, generator=generator_of(0, other)))
    assert not torch.equal(one, torch.rand(3, generator=generator_of(1, Place(1, 1))))


def test_metrics_after_a_checkpoint_are_written_anew(tmp_path):
    """Half a line of a killed process, too."""
    log = PhaseLog(tmp_path, 0)
    for step in range(3):
        log.metrics(step, {"loss": step})
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 3, "lo')
    PhaseLog(tmp_path, 2).metrics(2, {"loss": 7})
    assert [line["loss"] for line in read_metrics(tmp_path)] == [0, 1, 7]
