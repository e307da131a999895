# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks each query selects, in each of the four directions of attention, and the whole plan.

A direction names its query stream first: in `volume_to_image` the volume attends to the images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from kernels.compressed_attention import select_by_score
from kernels.core.routing_plan import RoutingPlan

from ...parallel.group import ALONE, Group
from .tokens import blocks_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from kernels.core.blocks import Blocks

    from .tokens import Stream


@dataclass(frozen=True)
class BlockTables:
    """Selected blocks of every query, -1 for none, in all four directions.

    Attributes:
        volume_to_volume: [1 or key/value heads, volume queries, K] int.
        volume_to_image: [1 or key/value heads, volume queries, K] int.
        image_to_image: [1 or key/value heads, image queries, K] int.
        image_to_volume: [1 or key/value heads, image queries, K] int.
    """

    volume_to_volume: Tensor
    volume_to_image: Tensor
    image_to_image: Tensor
    image_to_volume: Tensor

    @classmethod
    def joined(cls, instances: Sequence[BlockTables]) -> BlockTables:
        """The tables of some instances, one instance after the other."""
        return cls(
            torch.cat([tables.volume_to_volume for tables in instances], 1),
            torch.cat([tables.volume_to_image for tables in instances], 1),
            torch.cat([tables.image_to_image for tables in instances], 1),
            torch.cat([tables.image_to_volume for tables in instances], 1),
        )


class Route(Protocol):
    """How the queries of one direction select blocks of the key stream."""

    def plan_for(self, query: Tensor, block_key: Tensor) -> RoutingPlan:
        """The routing plan of a layer.

        Args:
            query: [queries, query heads, D], of this layer.
            block_key: [blocks, key/value heads, D], the compressed keys of this layer.
        """

    @property
    def chosen(self) -> Tensor:
        """What was chosen beforehand, [queries, heads, K] int32; of no width if nothing was."""

    def shared(self, queries: Stream, blocks: Blocks, holder: Tensor, chosen: Tensor) -> Self:
        """The route of the queries that one rank computes, to the blocks of all ranks.

        Args:
            queries: those that the rank computes.
            blocks: of the key stream.
            holder: [blocks] int64, the rank that computes each block.
            chosen: of these queries.
        """


@dataclass(frozen=True)
class PlannedRoute:
    """Blocks selected beforehand, as by 3D distance (section 3.4): one plan for every layer.

    Attributes:
        plan: the plan.
    """

    plan: RoutingPlan

    def plan_for(self, query: Tensor, block_key: Tensor) -> RoutingPlan:  # noqa: ARG002
        """The same plan, whatever the layer."""
        return self.plan

    @property
    def chosen(self) -> Tensor:
        """The block table, queries first."""
        if self.plan.table is None:
            raise ValueError("this plan holds no block table")
        return self.plan.table.transpose(0, 1).int()

    def shared(self, queries: Stream, blocks: Blocks, holder: Tensor, chosen: Tensor) -> Self:
        """See `Route.shared`; ids are relative to the instance, so they stay as they are."""
        plan = RoutingPlan(
            queries.offsets, blocks, chosen.transpose(0, 1), order=queries.order, holder=holder
        )
        return replace(self, plan=plan)


@dataclass(frozen=True)
class ScoreRoute:
    """Blocks of the highest attention score, selected anew in every layer (section 3.1).

    Attributes:
        queries: the query stream.
        blocks: of the key stream.
        count: blocks per query.
        holder: [blocks] int64, the rank that computes each block, if ranks share the key stream.
    """

    queries: Stream
    blocks: Blocks
    count: int
    holder: Tensor | None = None

    def plan_for(self, query: Tensor, block_key: Tensor) -> RoutingPlan:
        """A plan with the blocks of the highest score."""
        offsets = self.queries.offsets
        table = select_by_score(query, block_key, offsets, self.blocks, self.count)
        return RoutingPlan(offsets, self.blocks, table, holder=self.holder)

    @property
    def chosen(self) -> Tensor:
        """Nothing yet."""
        queries = int(self.queries.offsets[-1])
        return self.queries.offsets.new_zeros(queries, 0, 0, dtype=torch.int32)

    def shared(
        self,
        queries: Stream,
        blocks: Blocks,
        holder: Tensor,
        chosen: Tensor,  # noqa: ARG002
    ) -> Self:
        """See `Route.shared`; every rank has the compressed keys of all blocks to choose from."""
        return replace(self, queries=queries, blocks=blocks, holder=holder)


@dataclass(frozen=True)
class Routes:
    """The routes of all four directions.

    Attributes:
        volume_to_volume: volume queries, volume blocks.
        volume_to_image: volume queries, image blocks.
        image_to_image: image queries, image blocks.
        image_to_volume: image queries, volume blocks.
    """

    volume_to_volume: Route
    volume_to_image: Route
    image_to_image: Route
    image_to_volume: Route

    @property
    def tables(self) -> BlockTables | None:
        """The block tables of planned routes; None if every layer selects by score."""
        routes = vars(self).values()
        plans = [route.plan.table for route in routes if isinstance(route, PlannedRoute)]
        return BlockTables(*(table for table in plans if table is not None)) if plans else None

    @classmethod
    def from_tables(cls, volume: Stream, image: Stream, tables: BlockTables) -> Routes:
        """Planned routes of block tables."""

        def planned(queries: Stream, keys: Stream, table: Tensor) -> PlannedRoute:
            plan = RoutingPlan(queries.offsets, blocks_in(keys), table, order=queries.order)
            return PlannedRoute(plan)

        return cls(
            planned(volume, volume, tables.volume_to_volume),
            planned(volume, image, tables.volume_to_image),
            planned(image, image, tables.image_to_image),
            planned(image, volume, tables.image_to_volume),
        )

    @classmethod
    def by_score(
        cls, volume: Stream, image: Stream, *, volume_blocks: int, image_blocks: int
    ) -> Routes:
        """Routes by score, with so many volume blocks and image blocks per query."""
        of_volume, of_image = blocks_in(volume), blocks_in(image)
        return cls(
            ScoreRoute(volume, of_volume, volume_blocks),
            ScoreRoute(volume, of_image, image_blocks),
            ScoreRoute(image, of_image, image_blocks),
            ScoreRoute(image, of_volume, volume_blocks),
        )


@dataclass(frozen=True)
class Plan:
    """What the attention layers need to know of the tokens, made once per object.

    Attributes:
        volume: the volume stream.
        image: the image stream.
        routes: None in the dense stage, where every token attends to all tokens of its instance.
        group: the ranks that share the streams; queries are those of one rank, blocks of routes
            those of all.
    """

    volume: Stream
    image: Stream
    routes: Routes | None
    group: Group = ALONE
