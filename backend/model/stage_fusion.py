# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How features of the dense stage enter the sparse transformer, eqs. (14) and (15).

One class per way, all with the methods of `NoFusion`. The argument `image_maps` holds the image
tokens that a transformer collects: the last block's first, then those of the skip links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .config.model_config import TransformerConfig


@dataclass(frozen=True)
class DenseFeatures:
    """Features of the dense stage at the kept tokens, each L2-normalized per token.

    Attributes:
        volume: [volume tokens, width].
        image: [image tokens, maps * width], the image maps of the dense stage side by side.
    """

    volume: Tensor
    image: Tensor


class NoFusion(nn.Module):
    """Nothing is added; the one-sided blocks read the image tokens of the skip links as they are.

    The dense stage uses it; the other ways override what they do differently.
    """

    def before_block(
        self,
        number: int,  # noqa: ARG002
        volume: Tensor,
        image: Tensor,
        features: DenseFeatures | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] as they enter block `number`."""
        return volume, image

    def before_skip(
        self,
        number: int,
        volume: Tensor,
        image_maps: list[Tensor],
        features: DenseFeatures | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] as they enter one-sided block `number`."""
        return volume, image_maps[number + 1]

    def finish(self, volume: Tensor, features: DenseFeatures | None) -> Tensor:  # noqa: ARG002
        """The volume stream [tokens, width] before the final norm."""
        return volume


class LastMapFusion(NoFusion):
    """The first one-sided block reads the last image map too; the dense stage is not read."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.skip_image = nn.ModuleList([nn.Linear(config.width, config.width, bias=False)])

    def before_skip(
        self,
        number: int,
        volume: Tensor,
        image_maps: list[Tensor],
        features: DenseFeatures | None,
    ) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] as they enter one-sided block `number`."""
        volume, image = super().before_skip(number, volume, image_maps, features)
        return volume, image + self.skip_image[0](image_maps[0]) if number == 0 else image


class EveryLayerFusion(NoFusion):
    """Dense features are added before every block, and gated against the result at the end."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, skips = config.width, len(config.skip_links)
        maps = skips + 1  # both stages collect as many image maps
        self.volume = _linears(config.depth, width, width)
        self.image = _linears(config.depth, maps * width, width)
        self.skip_volume = _linears(skips, width, width)
        self.skip_image = _linears(skips, (1 + maps) * width, width)
        self.gate = nn.Linear(width, 2 * width, bias=False)

    def before_block(
        self, number: int, volume: Tensor, image: Tensor, features: DenseFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] as they enter block `number`."""
        dense = _required(features)
        return volume + self.volume[number](dense.volume), image + self.image[number](dense.image)

    def before_skip(
        self,
        number: int,
        volume: Tensor,
        image_maps: list[Tensor],
        features: DenseFeatures | None,
    ) -> tuple[Tensor, Tensor]:
        """Both streams [tokens, width] as they enter one-sided block `number`."""
        dense = _required(features)
        known = torch.cat([image_maps[0], dense.image], -1)
        image = image_maps[number + 1] + self.skip_image[number](known)
        return volume + self.skip_volume[number](dense.volume), image

    def finish(self, volume: Tensor, features: DenseFeatures | None) -> Tensor:
        """The volume stream [tokens, width] before the final norm."""
        new, old = torch.sigmoid(self.gate(volume)).chunk(2, dim=-1)
        return volume * new + _required(features).volume * old


def make_fusion(config: TransformerConfig) -> NoFusion:
    """The fusion of a stage: none for dense attention, else as `fuse_dense` says."""
    if config.attention == "dense":
        return NoFusion()
    return EveryLayerFusion(config) if config.fuse_dense else LastMapFusion(config)


def _linears(count: int, inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList([nn.Linear(inputs, outputs, bias=False) for _ in range(count)])


def _required(features: DenseFeatures | None) -> DenseFeatures:
    if features is None:
        raise ValueError("this stage fuses features of the dense stage, and got none")
    return features
