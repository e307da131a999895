# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packed token streams: index rows, their block order, and offsets.

A token is an index row (instance, view, row, column) or (instance, z, y, x). A stream is the tokens
of all instances, one instance after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.core.segments import offsets_of_owners, offsets_of_sizes

if TYPE_CHECKING:
    from ...parallel.spread import Spread


def all_tokens(*sizes: int, device: torch.device | None = None) -> Tensor:
    """The index rows of a full grid in raster order, [product of sizes, 4] int64."""
    axes = [torch.arange(size, device=device) for size in sizes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


def instance_offsets(index: Tensor, instances: int) -> Tensor:
    """Tokens before each instance, [instances + 1] int64, for rows sorted by instance.

    DEFECT 11 (docs/deviations.md): an instance without tokens keeps its entry.
    """
    return offsets_of_owners(index[:, 0], instances)


def block_order(index: Tensor, block_size: int, *, volume: bool) -> Tensor:
    """The permutation from raster order to block order, [tokens] int64.

    Order: instance, (view,) block, position inside the block; blocks and positions in raster order.

    Args:
        index: [tokens, 4] int index rows, in raster order.
        block_size: tokens per side of a block.
        volume: blocks span the last three axes, otherwise the last two.
    """
    keys = [*_block_keys(index, block_size, volume=volume)]
    keys += [column % block_size for column in index.T[1 if volume else 2 :]]
    return _lexicographic(keys)


def tile_order(index: Tensor, block_size: int, *, volume: bool) -> Tensor:
    """The permutation that walks every block along a Z-order curve, [tokens] int64.

    Neighbors along it lie in small cubes or squares: attention that takes several queries at once
    then reads fewer blocks for them.

    Args:
        index: [tokens, 4] int index rows, in block order.
        block_size: tokens per side of a block.
        volume: blocks span the last three axes, otherwise the last two.
    """
    coordinates = [column % block_size for column in index.T[1 if volume else 2 :]]
    curve = torch.zeros_like(coordinates[0])
    for bit in reversed(range((block_size - 1).bit_length())):
        for coordinate in coordinates:
            curve = 2 * curve + (coordinate >> bit & 1)
    return _lexicographic([*_block_keys(index, block_size, volume=volume), curve])


def blocks_of(index: Tensor, block_size: int, instances: int, *, volume: bool) -> Blocks:
    """The blocks of tokens that are in block order already.

    QUIRK 6 (docs/deviations.md): blocks are counted from the rows themselves; the counts of the
    release are right only where a block has as many patches per side as a patch has pixels.
    """
    keys = torch.stack(_block_keys(index, block_size, volume=volume), 1)
    rows, sizes = torch.unique_consecutive(keys, dim=0, return_counts=True)
    return Blocks(offsets_of_sizes(sizes).int(), instance_offsets(rows, instances).int())


def _block_keys(index: Tensor, block_size: int, *, volume: bool) -> list[Tensor]:
    first = 1 if volume else 2
    blocks = [column // block_size for column in index.T[first:]]
    return [*index.T[:first], *blocks]


def _lexicographic(keys: list[Tensor]) -> Tensor:
    combined = torch.zeros_like(keys[0], dtype=torch.int64)
    for key in keys:
        combined = combined * (int(key.max()) + 1 if key.numel() else 1) + key
    return torch.argsort(combined, stable=True)


@dataclass(frozen=True)
class Spreads:
    """How ranks share a stream, over all instances of all ranks.

    Attributes:
        tokens: which rank computes each token.
        blocks: which rank computes each block.
    """

    tokens: Spread
    blocks: Spread


@dataclass(frozen=True)
class Stream:
    """Offsets and blocks of one token stream.

    Attributes:
        offsets: [instances + 1] int, tokens before each instance.
        blocks: None for dense attention, where tokens attend to all tokens of their instance.
        order: [tokens] int64, the order in which queries are cut into tiles, see `tile_order`.
        spreads: if ranks share the stream, how; the tokens and blocks above are those of this rank.
    """

    offsets: Tensor
    blocks: Blocks | None
    order: Tensor | None = None
    spreads: Spreads | None = None

    @classmethod
    def dense(cls, instances: int, tokens: int, device: torch.device | None = None) -> Stream:
        """Equally long instances without blocks."""
        return cls(torch.arange(instances + 1, device=device) * tokens, None)

    @cached_property
    def window(self) -> RoutingPlan:
        """The routing plan of tokens that attend to their own block."""
        return RoutingPlan(self.offsets, blocks_in(self), order=self.order)


def blocks_in(stream: Stream) -> Blocks:
    """The blocks of a stream that is attended sparsely.

    Raises:
        ValueError: if it has none.
    """
    if stream.blocks is None:
        raise ValueError("sparse attention needs a stream that is laid out in blocks")
    return stream.blocks
