# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a phase needs before its first step: weights, data, the network's pass, losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import ConcatDataset

from ..model.dinov3 import ImageFeatures
from ..model.stage import Stage
from ..model.weights.dinov3_files import load_dinov3
from ..shared.checkpoint_folders import find_dinov3
from .datasets.plain_captures import PlainCaptures
from .datasets.rigs import RigDataset
from .datasets.shards import StoredDataset
from .losses.image_losses import ImageLosses
from .losses.perceptual import load_perceptual
from .losses.point_head import PointHead
from .phase_weights import start_from
from .predictions import DensePass, SparsePass
from .synthetic.dataset import SyntheticDataset, SyntheticSettings
from .trainer import TrainedModules, Trainer

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from ..model.config.model_config import ModelConfig
    from ..model.weights.checkpoint import Checkpoint
    from .datasets.sample import Sample
    from .distribution import TrainingRanks
    from .settings.config import DataConfig, PhaseConfig, TrainingConfig


@dataclass(frozen=True)
class PhaseSetup:
    """Everything that a phase is made of.

    Attributes:
        config: of the whole training.
        phase: of these.
        model: sizes of both stages in the phase.
        ranks: that train together.
        start: the checkpoint whose weights it starts with; None for random ones.
        coarse: for the sparse stage, the checkpoint with the frozen dense one.
    """

    config: TrainingConfig
    phase: PhaseConfig
    model: ModelConfig
    ranks: TrainingRanks
    start: Checkpoint | None
    coarse: Checkpoint | None

    def trainer(self) -> Trainer:
        """The trainer, its weights on the device of this rank, in shards if there are several.

        Raises:
            CheckpointMissing: if the image features have no weights on this computer.
            CheckpointMismatch: if weights are damaged or of other sizes.
        """
        phase, device = self.phase, self.ranks.device
        torch.manual_seed(self.config.seed)
        stage = Stage(getattr(self.model, phase.stage))
        if self.start is not None:
            start_from(stage, self.start, phase.stage)
        stage.to(device).transformer.checkpointing = phase.checkpointing
        if phase.compile:
            compile_blocks(stage)
        judged = phase.stage == "dense" and phase.losses.surface_point
        head = PointHead(stage.config).to(device) if judged else None
        self.ranks.shard(stage, bfloat16=self._bfloat16)
        perceptual = load_perceptual(self.config.perceptual_weights, device)
        losses = ImageLosses(phase.losses, stage.config.decoder.prediction, perceptual)
        modules = TrainedModules(stage, head)
        network = self._network(modules)
        return Trainer(modules, network, losses, phase, self.ranks)

    def samples(self) -> Dataset[Sample]:
        """The data set of the phase."""
        return open_samples(self.config.data_of(self.phase))

    @property
    def _bfloat16(self) -> bool:
        return self.phase.precision == "bfloat16"

    def _network(self, modules: TrainedModules) -> DensePass | SparsePass:
        """The pass of the stage that is trained."""
        phase, device = self.phase, self.ranks.device
        features = image_features(self.model, device)
        like = torch.empty(0, device=device)
        common = modules.stage, self.model, features, like, self._bfloat16
        if self.coarse is None:
            return DensePass(*common, modules.head, phase.losses.surface_point)
        on_gpu = device.type == "cuda"
        dtype = torch.bfloat16 if self._bfloat16 and on_gpu else torch.float32
        frozen = self.coarse.load_stage("dense", device, dtype)
        group = self.ranks.sequence
        return SparsePass(*common, frozen, group, phase.occupancy, phase.max_volume_tokens)


def open_samples(config: DataConfig) -> Dataset[Sample]:
    """The data set that a configuration names; of several folders, one after the other.

    Raises:
        BadDataset: if a folder holds none.
    """
    if config.kind == "synthetic":
        settings = SyntheticSettings(config.views, config.size, config.objects, config.seed)
        return SyntheticDataset(settings)
    folders = [Path(folder) for folder in config.folders]
    if config.kind == "captures":
        return PlainCaptures(folders, config.size)
    kind = StoredDataset if config.kind == "stored" else RigDataset
    return ConcatDataset([kind(folder) for folder in folders])


def image_features(model: ModelConfig, device: torch.device) -> ImageFeatures | None:
    """The frozen image features, where a model reads them.

    Raises:
        CheckpointMissing: if their weights are not on this computer.
    """
    if model.image_features == "none":
        return None
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    width = model.dense.encoder.feature_width or None
    return ImageFeatures(load_dinov3(find_dinov3(), width).to(device, dtype))


def compile_blocks(stage: Stage) -> None:
    """Compile the parts of blocks that are plain arithmetic; attention has kernels of its own."""
    transformer: Any = stage.transformer
    for block in (*transformer.blocks, *transformer.skip_blocks):
        for name in ("volume_mlp", "image_mlp"):
            if hasattr(block, name):
                getattr(block, name).compile(dynamic=True)
