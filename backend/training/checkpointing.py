# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints to go on from, exact to the bit, and the weights as a checkpoint for jobs.

What is random in a step is drawn from the seed and the number of the step, so weights, moments of
the optimizer and the number of steps are all there is to keep. Every rank writes its own shards.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from ..shared.atomic_folder import UNFINISHED_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from .distribution import TrainingRanks

DIGITS = 8
"""Of the number of steps in the name of a folder, so that names are in order."""


class Checkpoints:
    """The checkpoints of a phase, one folder each, named by the steps that are done.

    Args:
        folder: of all of them.
        modules: whose weights are kept.
        optimizer: of these weights.
        ranks: that write and read them together.
    """

    def __init__(
        self,
        folder: Path,
        modules: nn.Module,
        optimizer: torch.optim.Optimizer,
        ranks: TrainingRanks,
    ) -> None:
        self._folder, self._ranks = folder, ranks
        self._modules, self._optimizer = modules, optimizer

    def save(self, step: int, kept: int) -> None:
        """Write a checkpoint after so many steps, and remove all but the newest ones.

        Args:
            step: how many are done.
            kept: how many checkpoints stay.
        """
        finished = self._folder / f"{step:0{DIGITS}}"
        unfinished = finished.with_suffix(UNFINISHED_SUFFIX)
        if self._ranks.is_first:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
        self._ranks.barrier()
        save(self._state(step), checkpoint_id=unfinished, no_dist=self._ranks.size == 1)
        self._ranks.barrier()
        if self._ranks.is_first:
            shutil.rmtree(finished, ignore_errors=True)
            unfinished.rename(finished)
            for old in self._finished()[:-kept]:
                shutil.rmtree(old)

    def restore(self) -> int:
        """Load the newest checkpoint, if there is one; returns the steps that are done."""
        found = self._finished()
        if not found:
            return 0
        state = self._state(0)
        load(state, checkpoint_id=found[-1], no_dist=self._ranks.size == 1)
        set_state_dict(
            self._modules,
            self._optimizer,
            model_state_dict=state["modules"],
            optim_state_dict=state["optimizer"],
        )
        return int(state["step"])

    def _state(self, step: int) -> dict[str, Any]:
        modules, optimizer = get_state_dict(self._modules, self._optimizer)
        return {"modules": modules, "optimizer": optimizer, "step": torch.tensor(step)}

    def _finished(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(each for each in self._folder.iterdir() if each.name.isdecimal())
