# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan shared by ranks, section 3.5: whole blocks, local queries, the blocks of all as keys.

The instances of all ranks, rank after rank, make up one list of volume blocks and one of image
blocks. Every block has a home, the rank with its instance, and is assigned to a rank that computes
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.core.segments import (
    offsets_of_owners,
    offsets_of_sizes,
    owners_of_offsets,
    owners_of_sizes,
)

from ...parallel.assignment import BlockWork
from ...parallel.collectives import gather_lists
from ...parallel.cost_model import COSTS, LayerSize, layer_work
from ...parallel.exchange import Exchange
from ...parallel.spread import Spread
from .routes import Plan, Routes
from .tokens import Spreads, Stream, blocks_in

if TYPE_CHECKING:
    from torch import Tensor

    from ...parallel.group import Group
    from ..config.model_config import TransformerConfig
    from .routes import Route


@dataclass(frozen=True)
class Shares:
    """What one rank computes, and the way of tokens from their home to it.

    Attributes:
        plan: of the tokens that this rank computes, in the order of the global lists.
        volume: the way of volume tokens.
        image: the way of image tokens.
    """

    plan: Plan
    volume: Exchange
    image: Exchange


def share(plan: Plan, group: Group, config: TransformerConfig) -> Shares:
    """Assign the blocks of all ranks to ranks; every rank of the group calls it.

    Args:
        plan: of the instances of this rank, of which there may be none.
        group: of one rank or several.
        config: of the layers, which decides how much of their cost lies in tokens.

    Raises:
        ValueError: if the plan is none of the sparse stage, or if the block tables of the ranks
            have different widths.
    """
    if group.size == 1:
        return Shares(plan, Exchange.identity(), Exchange.identity())
    if plan.routes is None:
        raise ValueError("ranks share the sparse stage only")
    _check_tables(plan.routes, group)
    all_volume, all_image = (
        _GlobalBlocks.of(plan.volume, group),
        _GlobalBlocks.of(plan.image, group),
    )
    costs = [torch.cat(parts) for parts in gather_lists(_costs(plan, layer_size(config)), group)]
    works = zip((all_volume.sizes, all_image.sizes), costs, strict=True)
    of_volume, of_image = group.assign([BlockWork(*each) for each in works])
    volume = all_volume.way(of_volume, group)
    image = all_image.way(of_image, group)
    shared_volume = all_volume.shared(plan.volume, volume, of_volume)
    shared_image = all_image.shared(plan.image, image, of_image)

    def moved(route: Route, way: Exchange, queries: Stream, keys: tuple[Blocks, Tensor]) -> Route:
        return route.shared(queries, *keys, way.move(route.chosen))

    volume_keys, image_keys = (all_volume.blocks, of_volume), (all_image.blocks, of_image)

    routes = Routes(
        moved(plan.routes.volume_to_volume, volume, shared_volume, volume_keys),
        moved(plan.routes.volume_to_image, volume, shared_volume, image_keys),
        moved(plan.routes.image_to_image, image, shared_image, image_keys),
        moved(plan.routes.image_to_volume, image, shared_image, volume_keys),
    )
    return Shares(Plan(shared_volume, shared_image, routes, group), volume, image)


@dataclass(frozen=True)
class _GlobalBlocks:
    """The blocks of one stream, of all instances of all ranks.

    Attributes:
        blocks: in one list.
        home: which rank has each block.
    """

    blocks: Blocks
    home: Spread

    @classmethod
    def of(cls, stream: Stream, group: Group) -> _GlobalBlocks:
        """The stream of every rank, one after the other."""
        own = blocks_in(stream)
        lists = own.token_offsets.diff().long(), own.instance_offsets.diff().long()
        sizes, counts = gather_lists(lists, group)
        blocks = Blocks(
            offsets_of_sizes(torch.cat(sizes)).int(), offsets_of_sizes(torch.cat(counts)).int()
        )
        of_ranks = torch.tensor([len(each) for each in sizes], device=own.token_offsets.device)
        return cls(blocks, Spread(owners_of_sizes(of_ranks), group.size))

    @property
    def sizes(self) -> Tensor:
        """Tokens of each block, [blocks] int64."""
        return self.blocks.token_offsets.diff().long()

    def way(self, ranks: Tensor, group: Group) -> Exchange:
        """The way of tokens from home to the rank of their block, [blocks] int."""
        after = Spread(ranks.long(), group.size)
        return Exchange(self.home.split(self.sizes), after.split(self.sizes), group)

    def shared(self, own: Stream, way: Exchange, ranks: Tensor) -> Stream:
        """What this rank computes of the stream.

        Args:
            own: the stream of the instances at home.
            way: of the tokens.
            ranks: of each block, [blocks] int.
        """
        spread = Spread(ranks.long(), way.group.size)
        mine = spread.on(way.group.rank)
        instance = owners_of_offsets(self.blocks.instance_offsets)[mine]
        instances = len(self.blocks.instance_offsets) - 1
        blocks = Blocks(
            offsets_of_sizes(self.sizes[mine]).int(), offsets_of_owners(instance, instances).int()
        )
        offsets = blocks.token_offsets.long()[blocks.instance_offsets.long()]
        order = _shared_order(own, way)
        return Stream(offsets, blocks, order, Spreads(way.after, spread))


def _shared_order(own: Stream, way: Exchange) -> Tensor | None:
    """The order in which shared tokens are cut into tiles: that of their streams at home."""
    tokens = way.before.on(way.group.rank)
    position = torch.arange(len(tokens), device=tokens.device)
    if own.order is not None:
        position = torch.argsort(own.order)
    # Rank after rank, as the list is: positions of tokens with another home come before or behind.
    first = int(tokens[0]) if len(tokens) else 0
    return torch.argsort(way.move(position + first))


def layer_size(config: TransformerConfig) -> LayerSize:
    """What decides the cost of a layer."""
    hidden = int(config.width * config.mlp_ratio)
    return LayerSize(config.width, config.key_value_width, config.query_heads, hidden)


def _costs(plan: Plan, size: LayerSize) -> list[Tensor]:
    """The modelled cost of each block of the volume and of the images, [blocks] float64 each."""

    def counted(route: Route, queries: Stream, keys: Stream) -> RoutingPlan:
        chosen = route.chosen.transpose(0, 1)
        table = chosen if chosen.shape[2] else None
        return RoutingPlan(queries.offsets, blocks_in(keys), table)

    routes, volume, image = plan.routes, plan.volume, plan.image
    if routes is None:
        raise ValueError("dense attention has no blocks")
    directions = (
        (
            counted(routes.volume_to_volume, volume, volume),
            counted(routes.volume_to_image, volume, image),
        ),
        (
            counted(routes.image_to_image, image, image),
            counted(routes.image_to_volume, image, volume),
        ),
    )
    return [COSTS.costs(layer_work(own, other, size)) for own, other in directions]


def _check_tables(routes: Routes, group: Group) -> None:
    own = torch.tensor([route.chosen.shape[1:] for route in vars(routes).values()])
    device = routes.volume_to_volume.chosen.device
    (shapes,) = gather_lists([own.flatten().to(device)], group)
    if any(not torch.equal(shapes[0], each) for each in shapes):
        found = [each.tolist() for each in shapes]
        raise ValueError(f"heads and widths of the block tables differ between ranks: {found}")
