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
    from collections.abc import Mapping

    from ..config.model_config import ModelConfig, StageConfig
    from ..preprocess import ViewTensors

# Measured on blocks of width 256 and 512: numbers per token and channel at the peak of a block.
_STREAM_COPIES = 20
_FLOAT = 4  # bytes; fields are float32 whatever the stages are
_COPIES_OF_GRID = 8  # points, distances and opacities of the selection grid
_COPIES_OF_SAMPLE = 3 * 32  # numbers per sample while surface points are rendered
# A surface covers about this many tokens per layer, in squares of the volume's side: with it the
# released sizes come to the 300 000 volume tokens that the paper names as its peak.
_SURFACE_SQUARES = 2.5


@dataclass(frozen=True)
class MemoryNeed:
    """The memory that a job needs.

    Attributes:
        stages: bytes at the peak of each stage, by its name.
        image_tokens: of the sparse stage.
        volume_tokens: of the sparse stage, expected.
    """

    stages: Mapping[str, int]
    image_tokens: int
    volume_tokens: int

    @property
    def peak(self) -> int:
        """The largest of the stages."""
        return max(self.stages.values())

    def check(self, available: int, device: str) -> None:
        """Refuse a job that does not fit.

        Raises:
            OutOfMemory: with what is needed, what there is, and what would fit.
        """
        if self.peak <= available:
            return
        stage = max(self.stages, key=lambda name: self.stages[name])
        raise OutOfMemory(
            f"The {stage} needs about {_gigabytes(self.peak)}, {device} has "
            f"{_gigabytes(available)} available.",
            "Use fewer views, a smaller checkpoint (mini), --checkpoint none, or another device.",
        )


def estimate(
    config: ModelConfig, views: ViewTensors, dtype: torch.dtype, feature_network: int = 0
) -> MemoryNeed:
    """The memory of all stages for these views.

    Args:
        config: of the checkpoint.
        views: at the size of the sparse stage; their masks give the image tokens.
        dtype: of the weights and streams.
        feature_network: bytes of the frozen image features' network, which stays loaded.
    """
    size, count = dtype.itemsize, len(views.mask)
    dense, sparse = config.dense, config.sparse
    kept = foreground_patches(views.mask[None], sparse.encoder.patch_size)
    image, volume = int(kept.sum()), expected_volume_tokens(config)
    dense_tokens = dense.transformer.volume_resolution**3 + count * dense.patches_per_side**2
    maps = len(dense.transformer.skip_links) + 1
    dense_features = (maps * image + volume) * sparse.transformer.width * size
    voxels = volume * sparse.transformer.upsample**3 * sparse.transformer.output_width
    grid = (SAMPLES_PER_TOKEN * sparse.transformer.volume_resolution) ** 3
    rays = RAYS_PER_CHUNK * dense.samples_per_ray
    stages = {
        "dense stage": _stage(dense, dense_tokens, count, size),
        "selection": grid * _COPIES_OF_GRID * _FLOAT + dense_features,
        "routing": rays * _COPIES_OF_SAMPLE * _FLOAT + dense_features,
        "sparse stage": _stage(sparse, image + volume, count, size)
        + dense_features
        + voxels * (size + _FLOAT),
    }
    stages = {name: need + feature_network for name, need in stages.items()}
    return MemoryNeed(stages, image, volume)


def expected_volume_tokens(config: ModelConfig) -> int:
    """The number of volume tokens of a usual object: a shell around its surface."""
    resolution = config.sparse.transformer.volume_resolution
    token = 2 * config.half_side / resolution
    sharp, step = config.dense.inverse_std, render_step(config.radius, config.dense.samples_per_ray)
    margin = math.log(max(1.0, 0.5 * step * sharp / ALPHA_MARGIN)) / sharp
    layers = 1 + 2 * config.selection.volume_dilation + 2 * margin / token
    return min(resolution**3, round(_SURFACE_SQUARES * layers * resolution**2))


def _stage(config: StageConfig, tokens: int, views: int, size: int) -> int:
    folded = replace(config, transformer=replace(config.transformer, weight_norm=False))
    with torch.device("meta"):
        weights = sum(parameter.numel() for parameter in Stage(folded).parameters())
    features = views * config.patches_per_side**2 * config.encoder.feature_width
    pixels = views * config.image_size**2 * (6 + config.encoder.ray_channels)
    streams = _STREAM_COPIES * tokens * config.transformer.width
    return (weights + streams + features + pixels) * size


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
