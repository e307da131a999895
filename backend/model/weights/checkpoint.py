# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint: a folder of `config.json`, `dense.safetensors` and `sparse.safetensors`.

Loading is strict: every tensor is matched, every difference is listed. The stages are separate
files, so that one can be released before the other is needed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from ...field.decoders import MlpDecoder
from ...shared.atomic_folder import AtomicFolder, is_empty_folder
from ...shared.checkpoint_folders import CONFIG, find_checkpoint
from ...shared.errors import CheckpointMismatch, DiskFull, OutputNotWritable
from ..config.model_config import ModelConfig, StageConfig
from ..stage import Stage
from .fingerprint import fingerprint_of
from .tensor_files import (
    Differences,
    load_strictly,
    read_safetensors,
    safetensors_shapes,
    write_safetensors,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

StageName = Literal["dense", "sparse"]
STAGES: tuple[StageName, ...] = ("dense", "sparse")
_REMEDY = "Convert or download the checkpoint again."


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        folder: it lies in.
        config: of both stages.
    """

    folder: Path
    config: ModelConfig

    def stage_config(self, name: StageName) -> StageConfig:
        """The sizes of a stage."""
        stage: StageConfig = getattr(self.config, name)
        return stage

    def load_stage(
        self,
        name: StageName,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Stage:
        """Build a stage with its weights, frozen, tensor by tensor.

        Raises:
            CheckpointMismatch: listing every difference between file and model.
        """
        path = self._file(name)
        self._check_stage(name)
        tensors = {n: tensor.to(device, dtype) for n, tensor in read_safetensors([path])}
        stage = empty_stage(self.stage_config(name))
        load_strictly(stage, tensors, path, _REMEDY)
        return stage.eval().requires_grad_(requires_grad=False)

    def load_decoder(self, name: StageName, device: torch.device) -> MlpDecoder:
        """The decoder of a stage alone, in float32, frozen.

        Raises:
            CheckpointMismatch: listing every difference between file and model.
        """
        path, prefix = self._file(name), "decoder."
        with torch.device("meta"):
            decoder = MlpDecoder(self.stage_config(name).decoder)
        tensors = {
            n.removeprefix(prefix): tensor.to(device, torch.float32)
            for n, tensor in read_safetensors([path], prefix)
        }
        load_strictly(decoder, tensors, path, _REMEDY)
        return decoder.eval().requires_grad_(requires_grad=False)

    def check(self) -> None:
        """Compare names and shapes of both files with the model, reading no tensor.

        Raises:
            CheckpointMismatch: listing every difference.
        """
        for name in STAGES:
            self._check_stage(name)

    def fingerprint(self) -> str:
        """A hash of the content, for reports."""
        return fingerprint_of(self.folder, (CONFIG, *(self._file(name).name for name in STAGES)))

    def _check_stage(self, name: StageName) -> None:
        found = safetensors_shapes(self._file(name))
        wanted = shapes_of(empty_stage(self.stage_config(name)))
        Differences.between(found, wanted).check(self._file(name), _REMEDY)

    def _file(self, name: StageName) -> Path:
        return self.folder / f"{name}.safetensors"


def open_checkpoint(name: str) -> Checkpoint:
    """A checkpoint by its name or folder.

    Raises:
        CheckpointMissing: if it is not on this computer.
        CheckpointMismatch: if its `config.json` is not one of LSRM.
    """
    folder = find_checkpoint(name)
    try:
        config = ModelConfig.from_dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise CheckpointMismatch(f"{folder / CONFIG} cannot be used: {error}.", _REMEDY) from error
    return Checkpoint(folder, config)


def empty_stage(config: StageConfig) -> Stage:
    """A stage without memory: names and shapes only."""
    with torch.device("meta"):
        return Stage(config)


def shapes_of(stage: Stage) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all parameters of a stage, in order."""
    return {name: tuple(tensor.shape) for name, tensor in stage.state_dict().items()}


class CheckpointFolder(AtomicFolder):
    """A new folder for a checkpoint of known size; an existing one is never replaced."""

    def __init__(self, destination: Path, size: int) -> None:
        super().__init__(destination)
        self._size = size

    def check_destination(self) -> None:
        """Refuse to replace anything, or to start where the disk has too little space.

        Raises:
            OutputNotWritable: if the destination exists and is not empty.
            DiskFull: if the checkpoint does not fit.
        """
        destination = self.destination
        if destination.exists() and not is_empty_folder(destination):
            raise OutputNotWritable(
                f"{destination} exists already.", "Remove it, or choose a new folder."
            )
        free = shutil.disk_usage(destination.parent).free
        if free < self._size:
            raise DiskFull(
                f"The checkpoint takes {self._size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free.",
                "Free some space, or choose a folder on another disk.",
            )


def write_checkpoint(
    folder: Path,
    config: ModelConfig,
    stages: Mapping[StageName, Iterable[tuple[str, Tensor]]],
    notices: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Checkpoint:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: new, or empty.
        config: of both stages.
        stages: for each the tensors, in the order of `shapes_of`; one at a time.
        notices: names and content of text files that go with it, such as a license.
        dtype: the tensors are stored in.

    Raises:
        OutputNotWritable: if the folder is not empty or cannot be created.
        DiskFull: before anything is written, if there is no room.
    """
    shapes = {name: shapes_of(empty_stage(getattr(config, name))) for name in stages}
    size = sum(torch.Size(s).numel() for stage in shapes.values() for s in stage.values())
    with CheckpointFolder(folder, size * dtype.itemsize) as written:
        (written / CONFIG).write_text(json.dumps(config.to_dict(), indent=2) + "\n", "utf-8")
        for name, text in (notices or {}).items():
            (written / name).write_text(text, encoding="utf-8")
        for name, tensors in stages.items():
            write_safetensors(written / f"{name}.safetensors", shapes[name], tensors, dtype)
    return Checkpoint(folder, config)
