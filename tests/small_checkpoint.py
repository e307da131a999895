# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint of the preset `tiny`, made narrow, with random weights: quick on a CPU."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

from backend.model.config.presets import preset
from backend.model.stage import Stage
from backend.model.weights.checkpoint import write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def write_small_checkpoint(
    folder: Path, *, prediction: str = "rgb", feature_width: int = 0, volume_side: int = 16
) -> Path:
    """Write the checkpoint, and return its folder.

    Args:
        folder: of the checkpoint.
        prediction: of its decoders.
        feature_width: of the image features that it reads; 0 for none.
        volume_side: tokens along a side of the volume of the sparse stage.
    """
    torch.manual_seed(0)
    base = preset("tiny")

    def small(stage, resolution):
        sizes = {"width": 32, "depth": 1, "query_heads": 4, "skip_links": (0,), "upsample": 2}
        return dataclasses.replace(
            stage,
            image_size=64,
            encoder=dataclasses.replace(stage.encoder, width=32, feature_width=feature_width),
            transformer=dataclasses.replace(
                stage.transformer, volume_resolution=resolution, **sizes
            ),
            decoder=dataclasses.replace(stage.decoder, prediction=prediction),
            samples_per_ray=48,
        )

    config = dataclasses.replace(
        base,
        dense=small(base.dense, 8),
        sparse=small(base.sparse, volume_side),
        image_features="dinov3" if feature_width else "none",
    )
    stages = {name: Stage(getattr(config, name)).state_dict() for name in ("dense", "sparse")}
    write_checkpoint(folder, config, {name: iter(s.items()) for name, s in stages.items()})
    return folder
