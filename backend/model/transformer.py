# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconstruction transformer of both stages: volume and image tokens to voxel features.

The dense stage is the sparse one with every token active and another attention (eqs. (4)-(9),
(14), (15)); the few differences of the released weights are marked as quirks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kernels.layer_norm import layer_norm

from ..shared.progress import ignore_progress
from .attention import OneSidedAttention, TwoSidedAttention
from .layers import LayerNorm, Mlp, linear
from .stage_fusion import DenseFeatures, make_fusion

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config.model_config import TransformerConfig
    from .routing.routes import Plan


@dataclass(frozen=True)
class Reconstruction:
    """The output of a transformer.

    Attributes:
        voxels: [volume tokens, upsample^3, channels], the voxels in (z, y, x) order.
        volume_feature: [volume tokens, width], after the last block.
        image_features: [image tokens, width] each: the last block's, then those of the skip links.
    """

    voxels: Tensor
    volume_feature: Tensor
    image_features: tuple[Tensor, ...]


class Block(nn.Module):
    """Attention between the streams, then an MLP on each; one-sided, only the volume changes."""

    def __init__(self, config: TransformerConfig, *, two_sided: bool) -> None:
        super().__init__()
        self.residual_on_norm = config.attention == "sparse"
        self.attention = (TwoSidedAttention if two_sided else OneSidedAttention)(config)
        hidden = int(config.width * config.mlp_ratio)
        self.volume_mlp = Mlp(config.width, hidden, weight_norm=config.weight_norm)
        if two_sided:
            self.image_mlp = Mlp(config.width, hidden, weight_norm=config.weight_norm)

    def forward(self, volume: Tensor, image: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] to the same; a read-only image stream stays as it was."""
        x, y = layer_norm(volume), layer_norm(image)
        learned, image_learned = self.attention(x, y, plan)
        volume = self._update(self.volume_mlp, volume, x, learned)
        if image_learned is not None:
            image = self._update(self.image_mlp, image, y, image_learned)
        return volume, image

    def _update(self, mlp: nn.Module, stream: Tensor, normed: Tensor, learned: Tensor) -> Tensor:
        # QUIRK 13 (docs/deviations.md): the sparse stage goes on from the normed streams.
        if self.residual_on_norm:
            stream = layer_norm(normed, learned)
            update: Tensor = mlp(stream)
        else:
            stream = stream + learned
            update = mlp(layer_norm(stream))
        return stream + update


class AxisPositions(nn.Module):
    """Learned embeddings of the volume tokens, one table per axis.

    Eq. (4) of the paper sums the tables; the released weights concatenate them.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        resolution, width = config.volume_resolution, config.width
        depth = width // 3
        across = (width - depth) // 2
        self.x = _position_table(resolution, across, width)
        self.y = _position_table(resolution, width - depth - across, width)
        self.z = _position_table(resolution, depth, width)

    def forward(self, index: Tensor) -> Tensor:
        """Index rows [tokens, 4] (instance, z, y, x) to [tokens, width]."""
        _, z, y, x = index.long().unbind(1)
        return torch.cat([self.z[0, z], self.y[0, y], self.x[0, x]], -1)


class JointPositions(nn.Module):
    """Learned embeddings of the volume tokens, one table for all of them."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.resolution = config.volume_resolution
        self.joint = _position_table(self.resolution**3, config.width, config.width)

    def forward(self, index: Tensor) -> Tensor:
        """Index rows [tokens, 4] (instance, z, y, x) to [tokens, width]."""
        _, z, y, x = index.long().unbind(1)
        side = self.resolution
        return self.joint[0, (z * side + y) * side + x]


def _position_table(rows: int, channels: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(1, rows, channels) / width**0.5)


class ReconstructionTransformer(nn.Module):
    """Blocks, one-sided blocks that read earlier image tokens again, and the voxel features.

    Attributes:
        checkpointing: whether a backward computes each block once more, instead of the forward
            keeping what it has computed: less memory for a third more time.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False
        self.positions = AxisPositions(config) if config.axis_positions else JointPositions(config)
        self.blocks = nn.ModuleList(Block(config, two_sided=True) for _ in range(config.depth))
        self.skip_blocks = nn.ModuleList(Block(config, two_sided=False) for _ in config.skip_links)
        self.stage_fusion = make_fusion(config)
        self.norm = LayerNorm(config.width)
        # QUIRK 14 (docs/deviations.md): the upsampler has a bias in the sparse stage only.
        self.upsampler = linear(
            config.width,
            config.output_width * config.upsample**3,
            bias=config.attention == "sparse",
            weight_norm=config.weight_norm,
        )

    def forward(
        self,
        index: Tensor,
        image: Tensor,
        plan: Plan,
        features: DenseFeatures | None = None,
        report: Callable[[float], None] = ignore_progress,
    ) -> Reconstruction:
        """Predict the voxels of the volume tokens at `index`.

        Args:
            index: [volume tokens, 4] rows (instance, z, y, x).
            image: [image tokens, width] from the encoder.
            plan: where instances begin and, for sparse attention, which blocks tokens attend to.
            features: of the dense stage at the same tokens, where they are fused.
            report: called before each block with the fraction done, in 0..1.
        """
        count = len(self.blocks) + len(self.skip_blocks)
        volume = self.positions(index).to(image.dtype)
        image_maps: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            report(number / count)
            volume, image = self.stage_fusion.before_block(number, volume, image, features)
            volume, image = self._run(block, volume, image, plan)
            if number in self.config.skip_links:
                image_maps.insert(0, image)
        image_maps.insert(0, image)
        for number, block in enumerate(self.skip_blocks):
            report((len(self.blocks) + number) / count)
            volume, image = self.stage_fusion.before_skip(number, volume, image_maps, features)
            volume, _ = self._run(block, volume, image, plan)
        return Reconstruction(self._voxels(volume, features), volume, tuple(image_maps))

    def _run(
        self, block: nn.Module, volume: Tensor, image: Tensor, plan: Plan
    ) -> tuple[Tensor, Tensor]:
        if self.checkpointing and torch.is_grad_enabled():
            volume, image = checkpoint(block, volume, image, plan, use_reentrant=False)
        else:
            volume, image = block(volume, image, plan)
        return volume, image

    def _voxels(self, volume: Tensor, features: DenseFeatures | None) -> Tensor:
        """Eq. (9): one linear map to the channels of all voxels of a token."""
        vectors = self.upsampler(self.norm(self.stage_fusion.finish(volume, features)))
        channels = self.config.output_width  # the slowest axis of the vector
        voxels: Tensor = vectors.unflatten(1, (channels, -1)).transpose(1, 2)
        return voxels
