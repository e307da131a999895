# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network for the tests of the bench: both stages, hardly any width."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.kernels.network import small_size

if TYPE_CHECKING:
    from backend.model.config.model_config import ModelConfig


def tiny_network(volume_resolution: int = 8) -> ModelConfig:
    """The bench's small network made smaller.

    Args:
        volume_resolution: tokens per side of the sparse stage.
    """
    narrow = {"width": 32, "depth": 1, "query_heads": 4, "skip_links": (0,), "upsample": 2}
    config = small_size()
    dense, sparse = (
        replace(
            stage,
            image_size=64,
            samples_per_ray=48,
            encoder=replace(stage.encoder, width=32),
            transformer=replace(stage.transformer, volume_resolution=side, **narrow),
        )
        for stage, side in ((config.dense, 8), (config.sparse, volume_resolution))
    )
    return replace(config, dense=dense, sparse=sparse)
