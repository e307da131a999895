# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights from one phase to the next, and from a phase to a checkpoint for jobs.

Both stages are alike, so the sparse one starts with the weights of the dense one; materials start
with the head of colors. What has no counterpart keeps its random start.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.weights.checkpoint import empty_stage, shapes_of, write_checkpoint
from ..model.weights.tensor_files import fold_numbers, read_safetensors
from ..model.weights.weight_norm import folded, unfolded
from .parameter_groups import POSITIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from ..model.config.model_config import ModelConfig, StageConfig
    from ..model.weights.checkpoint import Checkpoint
    from .settings.config import StageName

LOGGER = logging.getLogger(__name__)

HEADS_OF_MATERIALS = ("decoder.base_color.", "decoder.material.")
HEAD_OF_COLORS = "decoder.rgb."


@torch.no_grad()
def start_from(stage: nn.Module, checkpoint: Checkpoint, name: StageName) -> list[str]:
    """Give a stage the weights of a checkpoint, as far as they fit.

    Args:
        stage: that is trained.
        checkpoint: of another phase, or of a job.
        name: of the stage; without a file of its own, those of the dense stage are taken.

    Returns:
        Names of the parameters that keep their random start.

    Raises:
        CheckpointMismatch: if the file is damaged.
    """
    path = checkpoint.folder / f"{name}.safetensors"
    if not path.is_file():
        path = checkpoint.folder / "dense.safetensors"
    known = folded(dict(read_safetensors([path])))
    fresh = []
    for target, parameter in stage.named_parameters():
        found = _counterpart(target, known)
        if found is not None and POSITIONS in target:
            found = resized_positions(found, parameter.shape[1])
        if found is not None and found.shape == parameter.shape:
            parameter.copy_(found)
        else:
            fresh.append(target)
    if fresh:
        LOGGER.info("%s has no weights for %s", path, ", ".join(fold_numbers(fresh)))
    return fresh


def _counterpart(name: str, known: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor that a parameter starts with."""
    found = unfolded(name, known)
    for head in HEADS_OF_MATERIALS:
        if found is None and name.startswith(head):
            found = known.get(HEAD_OF_COLORS + name.removeprefix(head))
    return found


def resized_positions(table: Tensor, rows: int) -> Tensor:
    """A table of positions [1, rows, channels] for another resolution: linear between its rows."""
    if table.shape[1] == rows:
        return table
    return F.interpolate(table.transpose(1, 2), rows, mode="linear").transpose(1, 2)


def export(
    folder: Path,
    model: ModelConfig,
    name: StageName,
    tensors: Mapping[str, Tensor],
    coarse: Checkpoint | None,
) -> None:
    """Write the weights of a stage as a checkpoint, with those of the dense stage before it.

    Args:
        folder: of the checkpoint; new.
        model: sizes of both stages.
        name: of the stage.
        tensors: its whole state, weight norm not folded.
        coarse: for the sparse stage, the checkpoint of the dense one.

    Raises:
        OutputNotWritable: if the folder cannot be written.
        DiskFull: if it does not fit on the disk.
    """
    config = getattr(model, name)
    plain = replace(config, transformer=replace(config.transformer, weight_norm=False))
    changes: dict[str, Any] = {name: plain}
    stages = {name: _ordered(folded(tensors), plain)}
    if coarse is not None:
        dense = dict(read_safetensors([coarse.folder / "dense.safetensors"]))
        stages = {"dense": _ordered(dense, model.dense), **stages}
    write_checkpoint(folder, replace(model, **changes), stages)


def _ordered(tensors: Mapping[str, Tensor], config: StageConfig) -> list[tuple[str, Tensor]]:
    """The tensors of a stage in the order of the model."""
    return [(name, tensors[name]) for name in shapes_of(empty_stage(config))]
