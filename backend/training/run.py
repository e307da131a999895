# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole training: its phases in order, each from where it was left.

The folder of a training has one folder per phase, with `metrics.jsonl`, `pictures/`, `checkpoints/`
to go on from and, once it is done, `model/`: a checkpoint that `reconstruct --checkpoint` reads.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.weights.checkpoint import Checkpoint, open_checkpoint
from ..shared.atomic_folder import write_file_atomically
from ..shared.errors import BadRequest
from .checkpointing import Checkpoints
from .distribution import TrainingRanks, whole_tensors
from .log import PhaseLog
from .phase_setup import PhaseSetup
from .phase_weights import export
from .step_data import StepObjects
from .trainer import PhaseOutput

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from ..shared.progress import Progress
    from .settings.config import PhaseConfig, TrainingConfig

SETTINGS = "training.json"
CHECKPOINTS = "checkpoints"
MODEL = "model"


def last_checkpoint(config: TrainingConfig, output: Path) -> Path:
    """The folder of the checkpoint that a training in a folder ends with."""
    return output / config.phases[-1].name / MODEL


@dataclass(frozen=True)
class Run:
    """A training on this rank.

    Attributes:
        config: of all phases.
        output: folder of the training.
        device: of this rank.
        progress: receives the fraction of each phase, and is checked for a cancel.
    """

    config: TrainingConfig
    output: Path
    device: torch.device
    progress: Progress

    def all_phases(self) -> Path:
        """Train every phase that is not done; returns the folder of the last checkpoint.

        Raises:
            BadRequest: if the folder holds a training with other settings.
            LsrmError: if data, weights or the folder cannot be used.
        """
        ranks = TrainingRanks.of_process(self.device)
        if ranks.is_first:
            self._check_settings()
        ranks.barrier()
        for phase in self.config.phases:
            if not (self.output / phase.name / MODEL).exists():
                self._train(self.setup(phase))
            ranks.barrier()
        return last_checkpoint(self.config, self.output)

    def setup(self, phase: PhaseConfig) -> PhaseSetup:
        """What a phase is made of, once those before it are done.

        Raises:
            CheckpointMissing: if weights that it starts from are not there.
        """
        ranks = TrainingRanks.of_process(self.device, phase.sequence_ranks)
        start = self._checkpoint(phase.start) if phase.start else None
        coarse = self._checkpoint(phase.coarse) if phase.coarse else None
        model = self.config.model_of(phase)
        if coarse is not None:
            model = dataclasses.replace(model, dense=coarse.config.dense)
        return PhaseSetup(self.config, phase, model, ranks, start, coarse)

    def _train(self, setup: PhaseSetup) -> None:
        """Train a phase to its end, and write its checkpoint."""
        phase, ranks, seed = setup.phase, setup.ranks, self.config.seed
        folder = self.output / phase.name
        trainer = setup.trainer()
        checkpoints = Checkpoints(folder / CHECKPOINTS, trainer.modules, trainer.optimizer, ranks)
        first = checkpoints.restore()
        log = PhaseLog(folder, first) if ranks.is_first else None
        output = PhaseOutput(self.config.log, log, checkpoints, ranks)
        objects = StepObjects(setup.samples(), setup.model, phase, seed, ranks)
        batches = objects.batches(first, self.config.data_of(phase).workers)
        trainer.run(batches, first, output, self.progress)
        if phase.views.held_out:
            decibels = trainer.novel_views(objects.held_out())
            if log is not None:
                log.novel_views(decibels)
        tensors = whole_tensors(trainer.modules.stage.state_dict().items())
        if log is not None:
            log.close()
            export(folder / MODEL, setup.model, phase.stage, tensors, setup.coarse)

    def _checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of a phase of this training, or another one by its name or folder."""
        own = {phase.name for phase in self.config.phases}
        return open_checkpoint(str(self.output / name / MODEL) if name in own else name)

    def _check_settings(self) -> None:
        """Write the settings beside what is trained, or compare with those that are there.

        Raises:
            BadRequest: if they differ.
        """
        path = self.output / SETTINGS
        settings = json.dumps(dataclasses.asdict(self.config), indent=2, sort_keys=True) + "\n"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file_atomically(path, settings.encode())
        elif path.read_text("utf-8") != settings:
            raise BadRequest(
                f"{self.output} holds a training with other settings.",
                f"Give another folder; the settings of this one are in {SETTINGS}.",
            )
