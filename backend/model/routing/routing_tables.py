# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tokens of the sparse stage to its plan: block layout and the four block tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .routes import BlockTables, Plan, Routes
from .routing import SurfaceMaps, image_points, image_router, nearest_volume_blocks, volume_points
from .tokens import Stream, blocks_of, instance_offsets, tile_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config.model_config import ModelConfig
    from .release_cameras import Cameras


@dataclass(frozen=True)
class SparseTokens:
    """The tokens that the sparse stage keeps, in block order.

    Attributes:
        image: [tokens, 4] rows (instance, view, row, column).
        volume: [tokens, 4] rows (instance, z, y, x).
        instances: number of objects.
    """

    image: Tensor
    volume: Tensor
    instances: int

    @classmethod
    def none(cls, device: torch.device) -> SparseTokens:
        """No tokens of no instance."""
        nothing = torch.zeros(0, 4, dtype=torch.int64, device=device)
        return cls(nothing, nothing, 0)

    @classmethod
    def joined(cls, parts: Sequence[SparseTokens]) -> SparseTokens:
        """The tokens of some instances, each given alone."""

        def numbered(rows: Tensor, number: int) -> Tensor:
            return torch.cat([torch.full_like(rows[:, :1], number), rows[:, 1:]], 1)

        return cls(
            torch.cat([numbered(part.image, number) for number, part in enumerate(parts)]),
            torch.cat([numbered(part.volume, number) for number, part in enumerate(parts)]),
            len(parts),
        )

    def of(self, instance: int) -> SparseTokens:
        """The tokens of one instance alone, renumbered to 0."""
        parts = []
        for index in (self.image, self.volume):
            rows = index[index[:, 0] == instance]
            parts.append(torch.cat([torch.zeros_like(rows[:, :1]), rows[:, 1:]], 1))
        return SparseTokens(parts[0], parts[1], 1)


def layout(tokens: SparseTokens, block_size: int) -> tuple[Stream, Stream]:
    """The volume stream and the image stream, laid out in blocks."""

    def stream(index: Tensor, *, volume: bool) -> Stream:
        return Stream(
            instance_offsets(index, tokens.instances),
            blocks_of(index, block_size, tokens.instances, volume=volume),
            tile_order(index, block_size, volume=volume),
        )

    return stream(tokens.volume, volume=True), stream(tokens.image, volume=False)


def empty_plan(config: ModelConfig, device: torch.device) -> Plan:
    """The plan of no instance, whose tables are as wide as those of instances."""
    tokens = SparseTokens.none(device)
    if not config.routing.geometric:
        return plan_by_score(tokens, config)
    volume, image = layout(tokens, config.selection.block_size)
    of_volume, of_image = (
        torch.zeros(1, 0, count, dtype=torch.int32, device=device)
        for count in (config.routing.volume_blocks, config.routing.image_blocks)
    )
    tables = BlockTables(of_volume, of_image, of_image, of_volume)
    return Plan(volume, image, Routes.from_tables(volume, image, tables))


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
        maps: surface points of the coarse field at the views.
        cameras: per instance.
        config: block size, counts and sizes.
    """
    volume, image = layout(tokens, config.selection.block_size)
    tables = []
    for instance in range(tokens.instances):
        own = SurfaceMaps(maps.points[instance, None], maps.opacity[instance, None])
        tables.append(_tables(tokens.of(instance), own, cameras[instance], config))
    return Plan(volume, image, Routes.from_tables(volume, image, BlockTables.joined(tables)))


def _tables(
    tokens: SparseTokens, maps: SurfaceMaps, cameras: Cameras, config: ModelConfig
) -> BlockTables:
    """The block tables of one instance."""
    transformer, count = config.sparse.transformer, config.routing.volume_blocks
    at_volume = volume_points(tokens.volume, transformer.volume_resolution, config.half_side)
    at_image = image_points(tokens.image, maps, config.sparse.patches_per_side)
    blocks = blocks_of(tokens.volume, config.selection.block_size, 1, volume=True)
    router = image_router(tokens.image[:, 1:], maps, cameras, config)
    return BlockTables(
        volume_to_volume=nearest_volume_blocks(at_volume, at_volume, blocks, count)[None],
        volume_to_image=router.table(at_volume)[None],
        image_to_image=router.table(at_image)[None],
        image_to_volume=nearest_volume_blocks(at_image, at_volume, blocks, count)[None],
    )
