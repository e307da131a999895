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
from .encoder import EncoderInputs, MultiViewEncoder
from .routing.routes import Plan
from .routing.tokens import Stream, all_tokens
from .transformer import Reconstruction, ReconstructionTransformer, unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config.model_config import StageConfig
    from .routing.routing_tables import SparseTokens
    from .stage_fusion import PriorFeatures


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
    """What the dense stage hands on."""

    volume: Tensor  # [instances, channels, z, y, x]
    image_features: tuple[Tensor, ...]  # [instances, image tokens, width] each
    volume_feature: Tensor  # [instances, volume tokens, width]


@dataclass(frozen=True)
class SparseResult:
    """What the sparse stage predicts: features of the voxels of the kept tokens."""

    rows: Tensor  # [rows, channels], token after token, all instances
    offsets: Tensor  # [instances + 1] int, rows before each instance
    numbers: Tensor  # [instances, z, y, x] int32, token inside the instance or -1
    upsample: int  # voxels along an edge of a token

    def of(self, instance: int) -> tuple[Tensor, Bricks]:
        """Rows of one instance, a brick of voxels for each of its tokens."""
        first, last = self.offsets[instance : instance + 2].tolist()
        return self.rows[first:last], Bricks(self.numbers[instance], self.upsample)


def run_dense(
    stage: Stage, inputs: EncoderInputs, tell: Callable[[float], None] = unheard
) -> DenseResult:
    """Stage 1: every token is active and sees every other one of its instance.

    Between its blocks `tell` hears how much is done, here and in stage 2.
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
    found: Reconstruction = stage.transformer(volume_index, image, plan, tell=tell)
    return DenseResult(
        _grid(found.voxels, count, resolution, config.upsample),
        tuple(feature.view(count, -1, config.width) for feature in found.image_features),
        found.volume_feature.view(count, -1, config.width),
    )


def run_sparse(
    stage: Stage,
    inputs: EncoderInputs,
    tokens: SparseTokens,
    plan: Plan,
    prior: PriorFeatures | None,
    tell: Callable[[float], None] = unheard,
) -> SparseResult:
    """Stage 2: the informative tokens only, each seeing the blocks of the plan.

    QUIRK 18 (docs/deviations.md): despite the paper's word the features are no residual; they
    replace those of the dense stage.
    """
    image = stage.encoder(inputs, tokens.image)
    found: Reconstruction = stage.transformer(tokens.volume, image, plan, prior, tell)
    upsample, places = stage.config.transformer.upsample, tokens.volume.long()
    order = torch.arange(len(places), device=places.device) - plan.volume.offsets[places[:, 0]]
    size = (tokens.instances, *[stage.config.transformer.volume_resolution] * 3)
    numbers = torch.full(size, -1, dtype=torch.int32, device=places.device)
    numbers[tuple(places.T)] = order.int()
    rows, offsets = found.voxels.flatten(0, 1), plan.volume.offsets * upsample**3
    return SparseResult(rows, offsets, numbers, upsample)


def _grid(voxels: Tensor, instances: int, resolution: int, fine: int) -> Tensor:
    """All tokens' voxels [tokens, fine^3, channels] as a volume [instances, channels, z, y, x]."""
    shape = (instances, *[resolution] * 3, *[fine] * 3, voxels.shape[-1])
    size = resolution * fine
    volume = voxels.reshape(shape).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return volume.reshape(instances, -1, size, size, size)
