# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tokens of the sparse stage to its plan: block layout and the four block tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .routes import Plan, Routes, Tables
from .routing import SurfaceMaps, image_points, image_router, nearest_volume_blocks, volume_points
from .tokens import Stream, blocks_of, instance_offsets, tile_order

if TYPE_CHECKING:
    from ..config.model_config import ModelConfig
    from .release_cameras import Cameras


@dataclass(frozen=True)
class SparseTokens:
    """The tokens that the sparse stage keeps, in block order."""

    image: Tensor  # [tokens, 4] rows (instance, view, row, column)
    volume: Tensor  # [tokens, 4] rows (instance, z, y, x)
    instances: int

    def of(self, instance: int) -> SparseTokens:
        """The tokens of one instance alone, which becomes number 0."""
        parts = []
        for index in (self.image, self.volume):
            rows = index[index[:, 0] == instance]
            parts.append(torch.cat([torch.zeros_like(rows[:, :1]), rows[:, 1:]], 1))
        return SparseTokens(parts[0], parts[1], 1)


def layout(tokens: SparseTokens, block_size: int) -> tuple[Stream, Stream]:
    """Where instances and blocks of the volume stream and of the image stream begin."""
    volume = blocks_of(tokens.volume, block_size, tokens.instances, volume=True)
    image = blocks_of(tokens.image, block_size, tokens.instances, volume=False)
    return (
        Stream(
            instance_offsets(tokens.volume, tokens.instances),
            volume,
            tile_order(tokens.volume, block_size, volume=True),
        ),
        Stream(
            instance_offsets(tokens.image, tokens.instances),
            image,
            tile_order(tokens.image, block_size, volume=False),
        ),
    )


def plan_by_score(tokens: SparseTokens, config: ModelConfig) -> Plan:
    """Select blocks by the attention scores of every layer."""
    volume, image = layout(tokens, config.selection.block_size)
    routes = Routes.by_score(
        volume,
        image,
        volume_blocks=config.routing.volume_blocks,
        image_blocks=config.routing.image_blocks,
    )
    return Plan(volume, image, routes)


def plan_by_geometry(
    tokens: SparseTokens, maps: SurfaceMaps, cameras: tuple[Cameras, ...], config: ModelConfig
) -> Plan:
    """Select blocks by 3D distance, once for all layers.

    Args:
        tokens: of all instances, in block order.
        maps: the surface that stage 1 rendered at the views.
        cameras: per instance.
        config: block size, counts and sizes.
    """
    volume, image = layout(tokens, config.selection.block_size)
    found = []
    for instance in range(tokens.instances):
        own = SurfaceMaps(maps.points[instance, None], maps.opacity[instance, None])
        found.append(_route(tokens.of(instance), own, cameras[instance], config))
    first, second, third, fourth = (torch.cat(parts)[None] for parts in zip(*found, strict=True))
    return Plan(volume, image, Routes.from_tables(volume, image, (first, second, third, fourth)))


def _route(
    tokens: SparseTokens, maps: SurfaceMaps, cameras: Cameras, config: ModelConfig
) -> Tables:
    """The block tables [queries, K] of one instance."""
    transformer, count = config.sparse.transformer, config.routing.volume_blocks
    at_volume = volume_points(tokens.volume, transformer.volume_resolution, config.half_side)
    at_image = image_points(tokens.image, maps, config.sparse.patches_per_side)
    blocks = blocks_of(tokens.volume, config.selection.block_size, 1, volume=True)
    router = image_router(tokens.image[:, 1:], maps, cameras, config)
    return (
        nearest_volume_blocks(at_volume, at_volume, blocks, count),
        router.table(at_volume),
        router.table(at_image),
        nearest_volume_blocks(at_image, at_volume, blocks, count),
    )
