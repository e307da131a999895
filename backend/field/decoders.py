# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders: the feature at a point to signed distance and appearance, eqs. (10)-(12).

Two of them: the network's small MLPs, and features that are distance and appearance themselves,
which refinement fits directly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kernels.sparse_field import decode_features

if TYPE_CHECKING:
    from kernels.sparse_field import Network

    from .config import DecoderConfig
    from .volumes import FeatureVolume

_DIAGONAL = 1.732  # of the unit cube, with the digits of the released weights
_SDF_RANGE = 1.5
_CORE_RADIUS = 0.1  # of the half side: an untrained network starts as this small sphere


class Decoder(ABC):
    """Features at points to what a renderer needs."""

    @abstractmethod
    def signed_distance(self, feature: Tensor, points: Tensor) -> Tensor:
        """[points, channels] and [points, 3] to [points] world units, negative inside."""

    @abstractmethod
    def appearance(self, feature: Tensor) -> Tensor:
        """[points, channels] to [points, appearance channels] in 0..1."""

    def sample_distance(self, volume: FeatureVolume, points: Tensor) -> Tensor:
        """The signed distance that a volume's features decode to, [points, 3] to [points]."""
        return self.signed_distance(volume.sample(points), points)

    def sample_appearance(self, volume: FeatureVolume, points: Tensor) -> Tensor:
        """The appearance that a volume's features decode to, [points, 3] to [points, channels]."""
        return self.appearance(volume.sample(points))

    def sample_both(self, volume: FeatureVolume, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distance and appearance, of features that are sampled once."""
        feature = volume.sample(points)
        return self.signed_distance(feature, points), self.appearance(feature)


class MlpDecoder(nn.Module, Decoder):
    """Bias-free MLPs; appearance is rgb, or base color, roughness and metallic, or all of them.

    Features are sampled and decoded in one call, which on a GPU need not write them to memory.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.sdf = _mlp(config, config.sdf_depth, 1)
        if config.prediction != "pbr":
            self.rgb = _mlp(config, config.rgb_depth, 3)
        if config.prediction != "rgb":
            self.base_color = _mlp(config, config.material_depth, 3)
            self.material = _mlp(config, config.material_depth, 2)

    def signed_distance(self, feature: Tensor, points: Tensor) -> Tensor:
        """Eq. (11): an MLP around a small sphere.

        Args:
            feature: [points, channels].
            points: [points, 3] (x, y, z), world units of the model.

        Returns:
            [points] world units, negative inside.
        """
        return self._distance(self.sdf(feature), points)

    def appearance(self, feature: Tensor) -> Tensor:
        """Eq. (12): [points, channels] to [points, 3, 5 or 8] in 0..1, rgb first."""
        return torch.sigmoid(decode_features(feature, self._appearance_networks()))

    def sample_distance(self, volume: FeatureVolume, points: Tensor) -> Tensor:
        """The signed distance that a volume's features decode to, [points, 3] to [points]."""
        return self._distance(volume.decode(points, [_matrices(self.sdf)]), points)

    def sample_appearance(self, volume: FeatureVolume, points: Tensor) -> Tensor:
        """The appearance that a volume's features decode to, [points, 3] to [points, channels]."""
        return torch.sigmoid(volume.decode(points, self._appearance_networks()))

    def sample_both(self, volume: FeatureVolume, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distance and appearance, of features that are sampled once."""
        decoded = volume.decode(points, [_matrices(self.sdf), *self._appearance_networks()])
        return self._distance(decoded[:, :1], points), torch.sigmoid(decoded[:, 1:])

    def _distance(self, decoded: Tensor, points: Tensor) -> Tensor:
        """Eq. (11) from the output [points, 1] of its MLP."""
        reach = self.config.half_side
        offset: Tensor = torch.tanh(decoded[:, 0]) * reach * _DIAGONAL * _SDF_RANGE
        core: Tensor = points.norm(dim=-1) - _CORE_RADIUS * reach
        return offset + core

    def _appearance_networks(self) -> list[Network]:
        """The matrices of the MLPs behind the appearance, rgb first."""
        names = {"rgb": ("rgb",), "pbr": ("base_color", "material")}
        wanted = names.get(self.config.prediction, ("rgb", "base_color", "material"))
        return [_matrices(getattr(self, name)) for name in wanted]


@dataclass(frozen=True)
class DirectDecoder(Decoder):
    """Features that hold [signed distance, appearance logits, ...]: nothing is learned here.

    Attributes:
        appearance_channels: how many logits are read; channels behind them are not.
    """

    appearance_channels: int

    def signed_distance(self, feature: Tensor, _: Tensor) -> Tensor:
        """The first channel, [points]."""
        return feature[:, 0]

    def appearance(self, feature: Tensor) -> Tensor:
        """The next channels through a sigmoid, [points, appearance channels]."""
        return torch.sigmoid(feature[:, 1 : 1 + self.appearance_channels])


def _matrices(mlp: nn.Sequential) -> Network:
    """The weights of an MLP in the order they are applied, [outputs, inputs] each."""
    return [layer.weight for layer in mlp if isinstance(layer, nn.Linear)]


def _mlp(config: DecoderConfig, depth: int, outputs: int) -> nn.Sequential:
    widths = [config.input_width] + [config.width] * depth
    layers: list[nn.Module] = []
    for inputs in widths[:-1]:
        layers += [nn.Linear(inputs, config.width, bias=False), nn.ReLU()]
    layers.append(nn.Linear(widths[-1], outputs, bias=False))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=0.25)
    return nn.Sequential(*layers)
