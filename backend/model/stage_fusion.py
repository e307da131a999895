# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How stage-1 features enter the transformer of stage 2, eqs. (14) and (15): one object per way.

`image_maps` are image tokens collected on the way: the last block's first, then those of the skip
links. The dense stage has no stage before it and uses `NoPrior`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .config.model_config import TransformerConfig


@dataclass(frozen=True)
class PriorFeatures:
    """Stage-1 features of the kept tokens, each L2-normalized per token."""

    volume: Tensor  # [volume tokens, width]
    image: Tensor  # [image tokens, maps * width], the maps of stage 1 side by side


class NoPrior(nn.Module):
    """Nothing is added; the one-sided blocks read the skip links as they are.

    Also the interface: the other ways override what they do differently.
    """

    def before_block(
        self,
        number: int,  # noqa: ARG002
        volume: Tensor,
        image: Tensor,
        prior: PriorFeatures | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Both streams as they enter block `number`."""
        return volume, image

    def before_skip(
        self,
        number: int,
        volume: Tensor,
        image_maps: list[Tensor],
        prior: PriorFeatures | None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """Both streams as they enter one-sided block `number`."""
        return volume, image_maps[number + 1]

    def finish(self, volume: Tensor, prior: PriorFeatures | None) -> Tensor:  # noqa: ARG002
        """The volume stream before the final norm."""
        return volume


class LastMapPrior(NoPrior):
    """Stage-1 features are ignored; the first one-sided block reads the last image map too."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.skip_image = nn.ModuleList([nn.Linear(config.width, config.width, bias=False)])

    def before_skip(
        self, number: int, volume: Tensor, image_maps: list[Tensor], prior: PriorFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Both streams as they enter one-sided block `number`."""
        volume, image = super().before_skip(number, volume, image_maps, prior)
        return volume, image + self.skip_image[0](image_maps[0]) if number == 0 else image


class EveryLayerPrior(NoPrior):
    """Stage-1 features are added before every block, and gated against the result at the end."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, skips = config.width, len(config.skip_links)
        maps = skips + 1  # stage 1 hands over as many image maps as this stage collects
        self.volume = _linears(config.depth, width, width)
        self.image = _linears(config.depth, maps * width, width)
        self.skip_volume = _linears(skips, width, width)
        self.skip_image = _linears(skips, (1 + maps) * width, width)
        self.gate = nn.Linear(width, 2 * width, bias=False)

    def before_block(
        self, number: int, volume: Tensor, image: Tensor, prior: PriorFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Both streams as they enter block `number`."""
        prior = _given(prior)
        return volume + self.volume[number](prior.volume), image + self.image[number](prior.image)

    def before_skip(
        self, number: int, volume: Tensor, image_maps: list[Tensor], prior: PriorFeatures | None
    ) -> tuple[Tensor, Tensor]:
        """Both streams as they enter one-sided block `number`."""
        prior = _given(prior)
        known = torch.cat([image_maps[0], prior.image], -1)
        image = image_maps[number + 1] + self.skip_image[number](known)
        return volume + self.skip_volume[number](prior.volume), image

    def finish(self, volume: Tensor, prior: PriorFeatures | None) -> Tensor:
        """The volume stream before the final norm."""
        new, old = torch.sigmoid(self.gate(volume)).chunk(2, dim=-1)
        return volume * new + _given(prior).volume * old


def make_prior(config: TransformerConfig) -> NoPrior:
    """The object for a stage: none for dense attention, else as `fuse_prior` says."""
    if config.attention == "dense":
        return NoPrior()
    return EveryLayerPrior(config) if config.fuse_prior else LastMapPrior(config)


def _linears(count: int, inputs: int, outputs: int) -> nn.ModuleList:
    return nn.ModuleList([nn.Linear(inputs, outputs, bias=False) for _ in range(count)])


def _given(prior: PriorFeatures | None) -> PriorFeatures:
    if prior is None:
        raise ValueError("this stage fuses the features of the stage before; none were given")
    return prior
