# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of two ranks are those of one process with the objects of both."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from backend.shared.progress import Progress
from backend.training import phase_setup
from backend.training.distribution import TrainingRanks, stragglers, whole_tensors
from backend.training.run import Run
from backend.training.settings.config import LogConfig
from backend.training.step_data import StepObjects
from tests.ranks import on_ranks
from tests.sockets import addresses_of
from tests.training_samples import DENSE, SPARSE, Balls, tiny_training

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from backend.training.settings.config import PhaseConfig

CPU = torch.device("cpu")
LOG = LogConfig(metrics=1, pictures=100, checkpoints=100)
STEPS = 2


def of_two(phase: PhaseConfig, ranks: int) -> PhaseConfig:
    """The phase with two objects in a step, on so many ranks."""
    return dataclasses.replace(phase, instances=2 // ranks, steps=STEPS)


def steps(phase: PhaseConfig, folder: Path, _group=None) -> dict[str, NDArray]:
    """The weights after some steps of a phase whose coarse stage is in a folder."""
    phase_setup.open_samples = lambda _: Balls(4)  # in a process of its own
    run = Run(tiny_training(DENSE, phase, log=LOG), folder, CPU, Progress())
    setup = run.setup(phase)
    trainer = setup.trainer()
    objects = StepObjects(setup.samples(), setup.model, phase, 0, setup.ranks)
    for step, batch in enumerate(objects.batches(0, 0)):
        trainer.step(step, batch)
    tensors = whole_tensors(trainer.modules.state_dict().items())
    return {name: each.numpy() for name, each in tensors.items()}


def check_equal(found: dict[str, NDArray], wanted: dict[str, NDArray]) -> None:
    """Sums over ranks have another order, which the optimizer magnifies where gradients vanish."""
    assert set(found) == set(wanted)
    moved = sum(float(np.square(found[name] - wanted[name]).sum()) for name in wanted) ** 0.5
    scale = sum(float(np.square(each).sum()) for each in wanted.values()) ** 0.5
    assert moved <= 1e-5 * scale, moved / scale


@pytest.fixture(scope="module")
def dense_model(tmp_path_factory):
    """The folder of a training whose dense phase is done."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phase_setup, "open_samples", lambda _: Balls(2))
        config = tiny_training(dataclasses.replace(DENSE, steps=1), log=LOG)
        Run(config, folder, CPU, Progress()).all_phases()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "phase",
    [
        dataclasses.replace(DENSE, name="again", start="dense"),
        dataclasses.replace(SPARSE, sequence_ranks=2),
    ],
    ids=["sharded weights", "shared sequences"],
)
def test_two_ranks_take_the_steps_of_one(dense_model, tmp_path, phase, monkeypatch):
    """Weights in shards, decoders averaged, blocks of all objects spread over both ranks."""
    monkeypatch.setattr(phase_setup, "open_samples", phase_setup.open_samples)  # put back later
    alone = dataclasses.replace(of_two(phase, 1), sequence_ranks=1)
    wanted = steps(alone, dense_model)
    for found in on_ranks(2, tmp_path, steps, of_two(phase, 2), dense_model):
        check_equal(found, wanted)


def whole_run(phase: PhaseConfig, folder: Path, _group) -> list[str]:
    """A training from its folder to its checkpoint; returns the addresses of its sockets."""
    phase_setup.open_samples = lambda _: Balls(4)
    Run(tiny_training(phase, log=LOG), folder, CPU, Progress()).all_phases()
    return addresses_of(os.getpid())


@pytest.mark.slow
def test_two_ranks_write_one_training(tmp_path):
    """Checkpoints of shards, one checkpoint for jobs, sockets on loopback alone."""
    phase = dataclasses.replace(DENSE, steps=2)
    for addresses in on_ranks(2, tmp_path, whole_run, phase, tmp_path / "out"):
        assert set(addresses) <= {"127.0.0.1", "::1"}
    assert (tmp_path / "out" / "dense" / "model" / "dense.safetensors").is_file()
    shards = tmp_path / "out" / "dense" / "checkpoints" / "00000002"
    assert len(list(shards.glob("*.distcp"))) == 2


def test_ranks_that_hold_up_the_others_are_found():
    """By their own work, in relation to the median."""
    assert stragglers([1.0, 1.1, 0.9, 2.0]) == {3: pytest.approx(2.0 / 1.05)}
    assert stragglers([1.0]) == {}


def test_sequences_need_ranks_that_divide():
    """One process cannot be shared by two."""
    with pytest.raises(ValueError, match="1 ranks cannot share"):
        TrainingRanks.of_process(CPU, 2)
