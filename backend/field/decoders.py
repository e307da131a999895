# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns a feature at a point into signed distance and appearance, eqs. (10)-(12).

Two forms behind one interface: the network's small MLPs, and rows that are distance and
appearance themselves (refinement fits those directly).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from kernels.sparse_field import decode_features

if TYPE_CHECKING:
    from kernels.sparse_field import Network

    from .config import DecoderConfig

_DIAGONAL = 1.732  # of the unit cube, with the digits of the released weights
_SDF_RANGE = 1.5
_CORE_RADIUS = 0.1  # of the half side: an untrained network starts as this small sphere


class Decoder(Protocol):
    """Features of points to what a renderer needs."""

    def signed_distance(self, feature: Tensor, points: Tensor) -> Tensor:
        """[points, channels] and [points, 3] to [points], negative inside."""

    def appearance(self, feature: Tensor) -> Tensor:
        """[points, channels] to [points, appearance channels] in 0..1."""


class MlpDecoder(nn.Module):
    """Bias-free MLPs; appearance is rgb, or base color, roughness and metallic, or all of them."""

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
        return self.distance_of(self.sdf(feature), points)

    def distance_of(self, decoded: Tensor, points: Tensor) -> Tensor:
        """Eq. (11) from what its MLP gave, [points, 1]."""
        reach = self.config.half_side
        offset: Tensor = torch.tanh(decoded[:, 0]) * reach * _DIAGONAL * _SDF_RANGE
        core: Tensor = points.norm(dim=-1) - _CORE_RADIUS * reach
        return offset + core

    def appearance(self, feature: Tensor) -> Tensor:
        """Eq. (12): [points, channels] to [points, 3, 5 or 8] in 0..1, rgb first."""
        return torch.sigmoid(decode_features(feature, self.appearance_networks()))

    def sdf_networks(self) -> list[Network]:
        """The matrices of the MLP behind the signed distance."""
        return [_matrices(self.sdf)]

    def appearance_networks(self) -> list[Network]:
        """The matrices of the MLPs behind the appearance, rgb first."""
        names = {"rgb": ("rgb",), "pbr": ("base_color", "material")}
        wanted = names.get(self.config.prediction, ("rgb", "base_color", "material"))
        return [_matrices(getattr(self, name)) for name in wanted]


@dataclass(frozen=True)
class DirectDecoder:
    """Rows that hold [signed distance, appearance logits, …]: nothing to decode, all to fit."""

    appearance_channels: int  # what lies behind them is not read

    def signed_distance(self, feature: Tensor, _: Tensor) -> Tensor:
        """The first channel, [points]."""
        return feature[:, 0]

    def appearance(self, feature: Tensor) -> Tensor:
        """The next channels through a sigmoid, [points, appearance channels]."""
        return torch.sigmoid(feature[:, 1 : 1 + self.appearance_channels])


def _matrices(mlp: nn.Sequential) -> Network:
    """The weights of an MLP, from the feature on, [outputs, inputs] each."""
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
