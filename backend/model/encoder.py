# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The multi-view encoder: patches of the views with rays and features to tokens, eq. (3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import LayerNorm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config.model_config import EncoderConfig


@dataclass(frozen=True)
class EncoderInputs:
    """The views as a stage reads them; images in -1..1.

    Attributes:
        images: [instances, views, 3, size, size], on white.
        rays: [instances, views, 6, size, size], direction and moment; or [instances, views, 2,
            size, size], uv.
        background: [instances, views, 3, size, size], unmasked.
        features: [instances, views * patches, feature width], of the frozen network.
    """

    images: Tensor
    rays: Tensor
    background: Tensor | None = None
    features: Tensor | None = None

    @classmethod
    def none(cls, config: EncoderConfig, size: int, like: Tensor) -> EncoderInputs:
        """The views of no instance, at so many pixels per side.

        Args:
            config: of the encoder that reads them.
            size: pixels per side.
            like: a tensor of their device and dtype.
        """
        pictures = like.new_zeros(0, 1, 3, size, size)
        patches = (size // config.patch_size) ** 2
        return cls(
            pictures,
            like.new_zeros(0, 1, config.ray_channels, size, size),
            pictures if config.background else None,
            like.new_zeros(0, patches, config.feature_width) if config.feature_width else None,
        )

    @classmethod
    def joined(cls, parts: Sequence[EncoderInputs]) -> EncoderInputs:
        """The views of some instances with equally many views, one instance after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        joined: list[Any] = [None if each[0] is None else torch.cat(each) for each in columns]
        return cls(*joined)

    @property
    def instances(self) -> int:
        """Number of objects."""
        return self.images.shape[0]

    @property
    def views(self) -> int:
        """Views per object."""
        return self.images.shape[1]


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its size, computed at the wanted patches only."""

    def __init__(self, channels: int, width: int, size: int) -> None:
        super().__init__()
        bound = (channels * size * size) ** -0.5
        self.weight = nn.Parameter(torch.empty(width, channels, size, size))
        self.bias = nn.Parameter(torch.empty(width))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, images: Tensor, index: Tensor) -> Tensor:
        """Images [instances, views, channels, h, w] at rows [tokens, 4] to [tokens, width]."""
        size = self.weight.shape[-1]
        rows, columns = images.shape[-2] // size, images.shape[-1] // size
        patches = images.reshape(*images.shape[:3], rows, size, columns, size)
        instance, view, row, column = index.unbind(1)
        chosen = patches[instance, view, :, row, :, column].flatten(1)
        return F.linear(chosen, self.weight.flatten(1), self.bias)


class MultiViewEncoder(nn.Module):
    """Image tokens of the wanted patches: all of them (dense stage) or the informative ones."""

    def __init__(self, config: EncoderConfig, *, always_norm: bool) -> None:
        super().__init__()
        self.config, self.always_norm = config, always_norm
        width, size = config.width, config.patch_size
        self.patches = PatchEmbedding(3 + config.ray_channels, width, size)
        if config.background:
            self.background = PatchEmbedding(3, width, size)
            nn.init.zeros_(self.background.weight)
            nn.init.zeros_(self.background.bias)
        if config.rays == "uv":
            self.view_embedding = nn.Parameter(torch.zeros(2, width))
        if config.feature_width:
            self.fusion = nn.Linear(config.feature_width + width, width, bias=False)
        self.norm = LayerNorm(width)

    def forward(self, inputs: EncoderInputs, index: Tensor) -> Tensor:
        """The tokens [tokens, width] of the patches at `index` (instance, view, row, column).

        Raises:
            ValueError: if the inputs lack a background or features that the encoder reads.
        """
        tokens: Tensor = self.patches(torch.cat([inputs.images, inputs.rays], 2), index)
        if self.config.background:
            background = _required(inputs.background, "a background")
            tokens = tokens + self.background(background, index)
        if self.config.rays == "uv":
            tokens = tokens + self.view_embedding[(index[:, 1] > 0).long()]
        if self.config.feature_width:
            features = _required(inputs.features, "image features")
            side = inputs.images.shape[-1] // self.config.patch_size
            chosen = _at(features, index, inputs.views, side).to(tokens.dtype)
            tokens = self.fusion(torch.cat([chosen, tokens], -1))  # the feature comes first
        # QUIRK 3 (docs/deviations.md): without features the sparse stage does not norm its image
        # tokens.
        if self.always_norm or self.config.feature_width:
            tokens = self.norm(tokens)
        return tokens


def _at(features: Tensor, index: Tensor, views: int, side: int) -> Tensor:
    """Rows of [instances, views * side^2, channels] at index rows [tokens, 4]."""
    instance, view, row, column = index.unbind(1)
    grid = features.view(features.shape[0], views, side, side, features.shape[2])
    return grid[instance, view, row, column]


def _required(tensor: Tensor | None, name: str) -> Tensor:
    if tensor is None:
        raise ValueError(f"this encoder reads {name}, and got none")
    return tensor
