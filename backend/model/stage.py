# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One stage of the network: views through encoder and transformer to a feature volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kernels.core.sparse_grid import Bricks

from ..field.decoders import MlpDecoder
from ..parallel.group import ALONE
from ..shared.progress import ignore_progress
from .encoder import EncoderInputs, MultiViewEncoder
from .routing.routes import Plan
from .routing.routing_tables import SparseTokens, empty_plan
from .routing.sharing import share
from .routing.tokens import Stream, all_tokens, instance_offsets
from .stage_fusion import DenseFeatures
from .transformer import Reconstruction, ReconstructionTransformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..parallel.group import Group
    from .config.model_config import ModelConfig, StageConfig


class Stage(nn.Module):
    """Encoder, transformer and the decoder of the features that they predict."""

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        self.config = config
        dense = config.transformer.attention == "dense"
        self.encoder = MultiViewEncoder(config.encoder, always_norm=dense)
        self.transformer = ReconstructionTransformer(config.transformer)
        self.decoder = MlpDecoder(config.decoder)


@dataclass(frozen=True)
class DenseResult:
    """The prediction of the dense stage.

    Attributes:
        volume: [instances, channels, z, y, x].
        image_features: [instances, image tokens, width] each.
        volume_feature: [instances, volume tokens, width].
    """

    volume: Tensor
    image_features: tuple[Tensor, ...]
    volume_feature: Tensor


@dataclass(frozen=True)
class SparseResult:
    """The prediction of the sparse stage: features of the voxels of the kept tokens.

    Attributes:
        rows: [rows, channels], token after token, all instances.
        offsets: [instances + 1] int, rows before each instance.
        numbers: [instances, z, y, x] int32, number of the token inside the instance, or -1.
        upsample: voxels along an edge of a token.
    """

    rows: Tensor
    offsets: Tensor
    numbers: Tensor
    upsample: int

    @classmethod
    def from_rows(cls, rows: Tensor, tokens: SparseTokens, config: StageConfig) -> SparseResult:
        """The result of rows [volume tokens * upsample^3, channels], token after token."""
        upsample, index = config.transformer.upsample, tokens.volume.long()
        offsets = instance_offsets(index, tokens.instances)
        order = torch.arange(len(index), device=index.device) - offsets[index[:, 0]]
        size = (tokens.instances, *[config.transformer.volume_resolution] * 3)
        numbers = torch.full(size, -1, dtype=torch.int32, device=index.device)
        numbers[tuple(index.T)] = order.int()
        return cls(rows, offsets * upsample**3, numbers, upsample)

    def of(self, instance: int) -> tuple[Tensor, Bricks]:
        """Rows of one instance, a brick of voxels for each of its tokens."""
        first, last = self.offsets[instance : instance + 2].tolist()
        return self.rows[first:last], Bricks(self.numbers[instance], self.upsample)


def run_dense(
    stage: Stage, inputs: EncoderInputs, report: Callable[[float], None] = ignore_progress
) -> DenseResult:
    """The dense stage: every token is active and attends to every other one of its instance.

    Args:
        stage: the dense one.
        inputs: the views.
        report: called before each block with the fraction done, in 0..1.
    """
    side, config = stage.config.patches_per_side, stage.config.transformer
    count, resolution = inputs.instances, config.volume_resolution
    device = inputs.images.device
    image_index = all_tokens(count, inputs.views, side, side, device=device)
    volume_index = all_tokens(count, resolution, resolution, resolution, device=device)
    plan = Plan(
        Stream.dense(count, resolution**3, device),
        Stream.dense(count, inputs.views * side * side, device),
        None,
    )
    image = stage.encoder(inputs, image_index)
    found: Reconstruction = stage.transformer(volume_index, image, plan, report=report)
    return DenseResult(
        _grid(found.voxels, count, resolution, config.upsample),
        tuple(feature.view(count, -1, config.width) for feature in found.image_features),
        found.volume_feature.view(count, -1, config.width),
    )


@dataclass(frozen=True)
class SparseBatch:
    """What the sparse stage reads: some instances, or none.

    Attributes:
        inputs: the views.
        tokens: the informative ones.
        plan: of these tokens.
        features: of the dense stage at these tokens, where they are fused.
    """

    inputs: EncoderInputs
    tokens: SparseTokens
    plan: Plan
    features: DenseFeatures | None

    @classmethod
    def empty(cls, config: ModelConfig, like: Tensor) -> SparseBatch:
        """No instances: the batch of a rank that only helps others.

        Args:
            config: that of the other ranks.
            like: a tensor of the device and dtype of the stage.
        """
        stage = config.sparse
        tokens = SparseTokens.none(like.device)
        width = stage.transformer.width
        maps = len(stage.transformer.skip_links) + 1
        features = DenseFeatures(like.new_zeros(0, width), like.new_zeros(0, maps * width))
        inputs = EncoderInputs.none(stage.encoder, stage.image_size, like)
        return cls(inputs, tokens, empty_plan(config, like.device), features)


def run_sparse(
    stage: Stage,
    batch: SparseBatch,
    group: Group = ALONE,
    report: Callable[[float], None] = ignore_progress,
) -> SparseResult:
    """The sparse stage: the informative tokens only, each attending to the blocks of the plan.

    QUIRK 18 (docs/deviations.md): despite the paper's word the features are no residual; they
    replace those of the dense stage.

    Args:
        stage: the sparse one.
        batch: the instances of this rank.
        group: the ranks that share the tokens of all their instances; all of them call this.
        report: called before each block with the fraction done, in 0..1.
    """
    tokens, features = batch.tokens, batch.features
    shares = share(batch.plan, group, stage.config.transformer)
    volume, image = shares.volume.move, shares.image.move
    if features is not None:
        features = DenseFeatures(volume(features.volume), image(features.image))
    encoded = image(stage.encoder(batch.inputs, tokens.image))
    index = volume(tokens.volume)
    found: Reconstruction = stage.transformer(index, encoded, shares.plan, features, report)
    rows = shares.volume.inverse.move(found.voxels).flatten(0, 1)
    return SparseResult.from_rows(rows, tokens, stage.config)


def _grid(voxels: Tensor, instances: int, resolution: int, upsample: int) -> Tensor:
    """Voxels of all tokens, [tokens, upsample^3, channels], to [instances, channels, z, y, x]."""
    shape = (instances, *[resolution] * 3, *[upsample] * 3, voxels.shape[-1])
    size = resolution * upsample
    volume = voxels.reshape(shape).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return volume.reshape(instances, -1, size, size, size)
