# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DINOv3 vision transformer, written from its paper, and the image features made with it.

Oriane Simeoni et al., "DINOv3", arXiv 2508.10104. Parameters carry the names of the original
files, so that the user's own licensed file loads as it is; nothing is downloaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config.model_config import StageConfig

Resample = Literal["bilinear", "area"]

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
_LARGEST_SPARSE_INPUT = 2048


def never_cancel() -> None:
    """Let the work go on, where nothing can cancel it."""


@dataclass(frozen=True)
class DinoV3Config:
    """Sizes of the network; the defaults are those of ViT-H/16+, which LSRM was trained with.

    Attributes:
        width: channels of a token.
        depth: number of blocks.
        heads: attention heads.
        hidden: channels inside of the SwiGLU.
        registers: number of register tokens.
        patch_size: pixels per side of a patch.
        rope_base: base of the rotary periods.
        norm_eps: of the layer norms.
    """

    width: int = 1280
    depth: int = 32
    heads: int = 20
    hidden: int = 5120
    registers: int = 4
    patch_size: int = 16
    rope_base: float = 100.0
    norm_eps: float = 1e-5

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads


class Attention(nn.Module):
    """Self-attention over all tokens; queries and keys of patches are rotated by their position."""

    def __init__(self, config: DinoV3Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = MaskedBiasLinear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)

    def forward(self, tokens: Tensor, rotation: Rotation) -> Tensor:
        """[images, tokens, width] to the same."""
        images, count, width = tokens.shape
        split = self.qkv(tokens).view(images, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(rotation(query), rotation(key), value)
        projected: Tensor = self.proj(mixed.transpose(1, 2).reshape(images, count, width))
        return projected


class MaskedBiasLinear(nn.Linear):
    """The projection to queries, keys and values; its bias is masked, and the keys' part is 0."""

    bias_mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        mask = torch.ones(outputs)
        mask[outputs // 3 : 2 * outputs // 3] = 0.0
        self.register_buffer("bias_mask", mask)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        return F.linear(tokens, self.weight, self.bias * self.bias_mask)


class LayerScale(nn.Module):
    """A learned factor per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., width] to the same."""
        return tokens * self.gamma


class SwiGlu(nn.Module):
    """w3(silu(w1 x) * w2 x)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, hidden)
        self.w2 = nn.Linear(width, hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., width] to the same."""
        result: Tensor = self.w3(F.silu(self.w1(tokens)) * self.w2(tokens))
        return result


class Block(nn.Module):
    """Pre-norm attention and SwiGLU, each scaled per channel."""

    def __init__(self, config: DinoV3Config) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, config.norm_eps)
        self.attn = Attention(config)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, config.norm_eps)
        self.mlp = SwiGlu(config.width, config.hidden)
        self.ls2 = LayerScale(config.width)

    def forward(self, tokens: Tensor, rotation: Rotation) -> Tensor:
        """[images, tokens, width] to the same."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens), rotation))
        result: Tensor = tokens + self.ls2(self.mlp(self.norm2(tokens)))
        return result


@dataclass(frozen=True)
class Rotation:
    """The rotary embedding of patches, applied to queries and keys.

    Attributes:
        cos: [patches, head width].
        sin: [patches, head width].
    """

    cos: Tensor
    sin: Tensor

    def __call__(self, heads: Tensor) -> Tensor:
        """Rotate the patches, the last tokens of [images, heads, tokens, head width]."""
        others = heads.shape[2] - len(self.cos)
        patches = heads[:, :, others:].to(self.cos.dtype)
        first, second = patches.chunk(2, dim=-1)
        rotated = patches * self.cos + torch.cat([-second, first], -1) * self.sin
        return torch.cat([heads[:, :, :others], rotated.to(heads.dtype)], 2)


class RotaryEmbedding(nn.Module):
    """Angles from patch positions: each axis spans -1..1 and owns half of the frequencies."""

    periods: Tensor

    def __init__(self, config: DinoV3Config) -> None:
        super().__init__()
        count = config.head_width // 4
        exponents = torch.arange(count) * (2.0 / (config.head_width // 2))
        self.register_buffer("periods", config.rope_base**exponents)

    def forward(self, rows: int, columns: int) -> Rotation:
        """The rotation of a grid of patches, in raster order."""
        device = self.periods.device
        y = 2.0 * (torch.arange(rows, device=device) + 0.5) / rows - 1.0
        x = 2.0 * (torch.arange(columns, device=device) + 0.5) / columns - 1.0
        positions = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).flatten(0, 1)
        angles = 2.0 * math.pi * positions[:, :, None] / self.periods.float()
        angles = angles.flatten(1).tile(2)
        return Rotation(angles.cos(), angles.sin())


class PatchEmbed(nn.Module):
    """Square patches to tokens."""

    def __init__(self, config: DinoV3Config) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """[images, 3, h, w] to [images, width, rows, columns]."""
        grid: Tensor = self.proj(images)
        return grid


class DinoV3(nn.Module):
    """The network, with the parameter names of the original files."""

    def __init__(self, config: DinoV3Config) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.storage_tokens = nn.Parameter(torch.zeros(1, config.registers, config.width))
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # of its training only
        self.patch_embed = PatchEmbed(config)
        self.rope_embed = RotaryEmbedding(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, config.norm_eps)

    def forward(self, images: Tensor, check: Callable[[], None] = never_cancel) -> Tensor:
        """Patch tokens after the final norm.

        Args:
            images: [images, 3, h, w], normalized by `IMAGE_MEAN` and `IMAGE_STD`.
            check: called before each block; an exception that it raises ends the work.

        Returns:
            [images, rows * columns, width] in raster order.
        """
        grid = self.patch_embed(images)
        special = torch.cat([self.cls_token, self.storage_tokens], 1).expand(len(images), -1, -1)
        tokens = torch.cat([special, grid.flatten(2).transpose(1, 2)], 1)
        rotation = self.rope_embed(*grid.shape[2:])
        for block in self.blocks:
            check()
            tokens = block(tokens, rotation)
        normed: Tensor = self.norm(tokens)
        return normed[:, special.shape[1] :]


@dataclass(frozen=True)
class ImageFeatures:
    """The network as the stages of LSRM use it, each with its own way to enlarge the views.

    Attributes:
        network: frozen.
        check: called before each block; an exception that it raises ends the work.
    """

    network: DinoV3
    check: Callable[[], None] = never_cancel

    def __call__(self, images: Tensor, stage: StageConfig) -> Tensor:
        """Images [views, 3, size, size] in -1..1 to features [views, patches, width]."""
        resample: Resample = "bilinear" if stage.transformer.attention == "dense" else "area"
        size = stage.encoder.patch_size
        return patch_features(self.network, images, size, resample, self.check)


@torch.no_grad()
def patch_features(
    network: DinoV3,
    images: Tensor,
    patch_size: int,
    resample: Resample,
    check: Callable[[], None] = never_cancel,
) -> Tensor:
    """Image features for LSRM's own patches, which are smaller than the network's.

    Views are enlarged until one patch is as large as one of the network's.

    QUIRK 2 (docs/deviations.md): the dense stage enlarges bilinearly, the sparse stage by adaptive
    averaging, which only repeats pixels.

    Args:
        network: frozen; its dtype is that of the features.
        images: [views, 3, size, size] in -1..1.
        patch_size: of LSRM, in pixels.
        resample: "bilinear" for the dense stage, "area" for the sparse one.
        check: called before each block.

    Returns:
        [views, patches, width], in raster order.
    """
    size = images.shape[-1]
    limit = _LARGEST_SPARSE_INPUT if resample == "area" else size
    target = min(size, limit) // patch_size * network.config.patch_size
    mean, std = (images.new_tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    features = []
    for image in images[:, None]:  # one by one: memory for one view, and the same numbers
        colors = 0.5 * (image + 1.0)
        if resample == "area":
            colors = F.adaptive_avg_pool2d(colors, target)
        else:
            colors = F.interpolate(colors, (target, target), mode="bilinear")
        features.append(network(((colors - mean) / std).to(network.cls_token.dtype), check))
    return _regridded(torch.cat(features), size // patch_size)


def _regridded(features: Tensor, side: int) -> Tensor:
    """Features [views, patches, width] on a grid of `side`; only very large views need it."""
    views, patches, width = features.shape
    if patches == side * side:
        return features
    grid = features.transpose(1, 2).reshape(views, width, math.isqrt(patches), -1)
    grid = F.interpolate(grid, (side, side), mode="bilinear")
    return grid.flatten(2).transpose(1, 2)
