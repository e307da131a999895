# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory that a job of the network needs, estimated before any of it is allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ...field.density import render_step
from ...shared.errors import OutOfMemory
from ..inference import RAYS_PER_CHUNK, SAMPLES_PER_TOKEN
from ..routing.selection import ALPHA_MARGIN, foreground_patches
from ..stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from ..config.model_config import ModelConfig, StageConfig

# Measured on blocks of width 256 and 512: numbers per token and channel at the peak of a block.
_STREAM_COPIES = 20
_FLOAT = 4  # bytes; fields are float32 whatever the stages are
_COPIES_OF_GRID = 8  # points, distances and opacities of the selection grid
_COPIES_OF_SAMPLE = 3 * 32  # numbers per sample while surface points are rendered
# A surface covers about this many tokens per layer, in squares of the volume's side: with it the
# released sizes come to the 300 000 volume tokens that the paper names as its peak.
_SURFACE_SQUARES = 2.5
_UNEVEN = 1.1  # the largest share of a rank over the mean: blocks are whole


SMALLER_NETWORK = "Use fewer views, no network (--checkpoint none), or another device."


@dataclass(frozen=True)
class MemoryNeed:
    """The memory that a job needs.

    Attributes:
        stages: bytes at the peak of each stage on the first device, by its name.
        other_ranks: bytes at the peak of the sparse stage on each further device.
        image_tokens: of the sparse stage.
        volume_tokens: of the sparse stage, expected.
        in_turn: whether ranks attend to each other's keys and values one rank after the other, not
            to those of all at once: less memory for more traffic.
        remedy: what the artist can do if it does not fit.
    """

    stages: Mapping[str, int]
    other_ranks: int = 0
    image_tokens: int = 0
    volume_tokens: int = 0
    in_turn: bool = False
    remedy: str = SMALLER_NETWORK

    @property
    def peak(self) -> int:
        """The largest of the stages, on the first device."""
        return max(self.stages.values())

    def fits(self, available: Sequence[int]) -> bool:
        """Whether each rank, the first one first, has as many bytes as it needs."""
        first, *others = available
        return self.peak <= first and all(self.other_ranks <= each for each in others)

    def check(self, available: Sequence[int], devices: Sequence[str]) -> None:
        """Refuse a job that does not fit.

        Args:
            available: bytes of each rank.
            devices: names of their devices.

        Raises:
            OutOfMemory: with what is needed, what there is, and what would fit.
        """
        needs = [self.peak] + [self.other_ranks] * (len(available) - 1)
        for need, free, device in zip(needs, available, devices, strict=True):
            if need > free:
                stage = max(self.stages, key=lambda name: self.stages[name])
                named = stage if stage.endswith("stage") else f"stage {stage}"
                raise OutOfMemory(
                    f"The {named} needs about {_gigabytes(need)}, {device} has "
                    f"{_gigabytes(free)} available.",
                    self.remedy,
                )


def plan_memory(
    config: ModelConfig,
    masks: Tensor,
    dtype: torch.dtype,
    feature_network: int,
    available: Sequence[int],
) -> MemoryNeed:
    """The need on some ranks; they attend to each other in turn only if all at once does not fit.

    Args:
        config: of the checkpoint.
        masks: see `estimate`.
        dtype: of the weights and streams.
        feature_network: see `estimate`.
        available: bytes of each rank.
    """
    ranks = len(available)
    need = estimate(config, masks, dtype, feature_network, ranks)
    if ranks == 1 or need.fits(available):
        return need
    return estimate(config, masks, dtype, feature_network, ranks, in_turn=True)


def estimate(
    config: ModelConfig,
    masks: Tensor,
    dtype: torch.dtype,
    feature_network: int = 0,
    ranks: int = 1,
    *,
    in_turn: bool = False,
) -> MemoryNeed:
    """The memory of all stages for these views.

    Args:
        config: of the checkpoint.
        masks: [views, 1, side, side], coverage in 0..1 at the size of the sparse stage: they give
            the image tokens.
        dtype: of the weights and streams.
        feature_network: bytes of the frozen image features' network, which stays loaded.
        ranks: that share the sparse stage.
        in_turn: see `MemoryNeed`.
    """
    size, count = dtype.itemsize, len(masks)
    dense, sparse = config.dense, config.sparse
    kept = foreground_patches(masks[None], sparse.encoder.patch_size)
    image, volume = int(kept.sum()), expected_volume_tokens(config)
    dense_tokens = dense.transformer.volume_resolution**3 + count * dense.patches_per_side**2
    maps = len(dense.transformer.skip_links) + 1
    dense_features = (maps * image + volume) * sparse.transformer.width * size
    voxels = volume * sparse.transformer.upsample**3 * sparse.transformer.output_width
    grid = (SAMPLES_PER_TOKEN * sparse.transformer.volume_resolution) ** 3
    rays = RAYS_PER_CHUNK * dense.samples_per_ray
    whole = _views(sparse, count, size) + dense_features + voxels * (size + _FLOAT)
    share = rank_share(config, image, volume, ranks, in_turn=in_turn) * size
    if ranks > 1:  # what the parent of the workers holds, and what the first worker moves
        whole += dense_features
        share += round(_UNEVEN * (dense_features + voxels * size) / ranks)
    stages = {
        "dense stage": _weights(dense, size)
        + _views(dense, count, size)
        + _STREAM_COPIES * dense_tokens * dense.transformer.width * size,
        "selection": grid * _COPIES_OF_GRID * _FLOAT + dense_features,
        "routing": rays * _COPIES_OF_SAMPLE * _FLOAT + dense_features,
        "sparse stage": _weights(sparse, size) + whole + share,
    }
    stages = {name: need + feature_network for name, need in stages.items()}
    others = _weights(sparse, size) + share if ranks > 1 else 0
    return MemoryNeed(stages, others, image, volume, in_turn)


def rank_share(
    config: ModelConfig, image: int, volume: int, ranks: int, *, in_turn: bool = False
) -> int:
    """Numbers that a rank holds of the streams, and of the keys and values of others.

    Args:
        config: of the checkpoint.
        image: tokens on all ranks.
        volume: tokens on all ranks.
        ranks: how many there are.
        in_turn: see `MemoryNeed`.
    """
    transformer = config.sparse.transformer
    if ranks == 1:
        return _STREAM_COPIES * (image + volume) * transformer.width
    tokens = _UNEVEN * (image + volume) / ranks
    # All at once: what arrives, and its copy in order. In turn: a rank's own, read and on the way.
    held = 3 * _UNEVEN * max(image, volume) / ranks if in_turn else 2 * (image + volume)
    both = 2 * transformer.key_value_width
    return round(_STREAM_COPIES * tokens * transformer.width + held * both)


def expected_volume_tokens(config: ModelConfig) -> int:
    """The number of volume tokens of a usual object: a shell around its surface."""
    resolution = config.sparse.transformer.volume_resolution
    return min(resolution**3, round(_SURFACE_SQUARES * shell_layers(config) * resolution**2))


def shell_layers(config: ModelConfig) -> float:
    """The thickness of that shell, in volume tokens."""
    token = 2 * config.half_side / config.sparse.transformer.volume_resolution
    sharp, step = config.dense.inverse_std, render_step(config.radius, config.dense.samples_per_ray)
    margin = math.log(max(1.0, 0.5 * step * sharp / ALPHA_MARGIN)) / sharp
    return 1 + 2 * config.selection.volume_dilation + 2 * margin / token


def _weights(config: StageConfig, size: int) -> int:
    """Bytes of the weights of a stage."""
    folded = replace(config, transformer=replace(config.transformer, weight_norm=False))
    with torch.device("meta"):
        return size * sum(parameter.numel() for parameter in Stage(folded).parameters())


def _views(config: StageConfig, views: int, size: int) -> int:
    """Bytes of the views as the encoder of a stage reads them."""
    features = views * config.patches_per_side**2 * config.encoder.feature_width
    pixels = views * config.image_size**2 * (6 + config.encoder.ray_channels)
    return (features + pixels) * size


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
