# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention between the volume stream and the image stream: eqs. (1), (2) and (5)-(8) of the paper.

A block of the transformer attends in four directions, named query stream first, as in
`volume_to_image`. In the dense stage a direction is `DenseAttention`, in the sparse stage
`SparseAttention`: the gated sum, eq. (2), of the compressed, selected and window branches, eq. (1).
`kernels/reference/definitions.py` writes both equations out.

Section 3.5: queries stay on their rank, as do the blocks that are compressed and that the window
branch reads. Keys and values are gathered from all ranks in every layer: `Context`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from torch import Tensor, nn

from kernels.attention import attention
from kernels.compressed_attention import compressed_attention
from kernels.compression import compress
from kernels.gating import GatedSum, gated_merge, gated_sum
from kernels.layer_norm import layer_norm
from kernels.reference.definitions import Perceptron
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention

from ..parallel.gathering import Gathering
from ..parallel.group import ALONE
from ..parallel.in_turn import selected_in_turn
from .layers import linear
from .routing.tokens import blocks_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from kernels.core.blocks import Blocks
    from kernels.core.routing_plan import RoutingPlan

    from ..parallel.group import Group
    from .config.model_config import TransformerConfig
    from .routing.routes import Plan, Route
    from .routing.tokens import Stream

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class KeyValue:
    """One stream as other tokens attend to it.

    Attributes:
        key: [tokens, key/value heads, D], normalized per head.
        value: [tokens, key/value heads, D], not normalized.
        raw_key: [tokens, key/value heads * D], the key before its norm: compression starts from it.
        layout: offsets and blocks of the stream.
    """

    key: Tensor
    value: Tensor
    raw_key: Tensor
    layout: Stream

    @property
    def blocks(self) -> Blocks:
        """The blocks of a stream that is attended sparsely."""
        return blocks_in(self.layout)


@dataclass(frozen=True)
class Queries:
    """One stream as it attends to others.

    Attributes:
        query: [tokens, query heads, D], normalized per head.
        tokens: [tokens, width], the input of the gates.
        layout: offsets and blocks of the stream.
    """

    query: Tensor
    tokens: Tensor
    layout: Stream


class Context:
    """What a layer attends to: the keys and values of all ranks, gathered in the background.

    The compressed ones are few and needed first, so they go ahead of those of the tokens.
    """

    def __init__(self, keys: Mapping[Direction, KeyValue], group: Group) -> None:
        """Begin to gather.

        Args:
            keys: the key stream of each direction of attention, as far as this rank has it.
            group: the ranks that share the layer.
        """
        self._keys = keys
        self._directions, self._streams = list(keys), list(dict.fromkeys(keys.values()))
        spreads = [each.layout.spreads for each in keys.values()]
        self._blocks = Gathering(
            _flat(direction.compress(each) for direction, each in keys.items()),
            _flat((spread.blocks, spread.blocks) for spread in spreads if spread),
            group,
        )
        self._group = group
        at_once = ALONE if group.in_turn else group  # alone, a rank keeps what it has
        spreads = [each.layout.spreads for each in self._streams]
        self._tokens = Gathering(
            _flat((each.key, each.value) for each in self._streams),
            _flat((spread.tokens, spread.tokens) for spread in spreads if spread),
            at_once,
            recompute=group.recompute,
        )

    def own(self, direction: Direction) -> KeyValue:
        """The keys and values that this rank has, of the stream that a direction reads."""
        return self._keys[direction]

    def blocks(self, direction: Direction) -> tuple[Tensor, Tensor]:
        """One key and one value per block, [blocks, key/value heads, D] each."""
        return _pair(self._blocks, self._directions.index(direction))

    def tokens(self, direction: Direction) -> tuple[Tensor, Tensor]:
        """The keys and values of all tokens, [tokens, key/value heads, D] each."""
        return _pair(self._tokens, self._streams.index(self._keys[direction]))

    def attend_to_selected(self, direction: Direction, query: Tensor, plan: RoutingPlan) -> Tensor:
        """The selected branch of a direction, [queries, query heads, D]."""
        own = self._keys[direction]
        if self._group.in_turn and own.layout.spreads:
            pair, spread = (own.key, own.value), own.layout.spreads.tokens
            return selected_in_turn(query, pair, plan, spread, self._group, bounded_scores=True)
        found, _ = selected_attention(query, *self.tokens(direction), plan, bounded_scores=True)
        return found

    def saving(self) -> AbstractContextManager[Any]:
        """A context for all attention of the layer, see `Gathering.saving`."""
        return self._tokens.saving()

    def join(self, update: Tensor) -> Tensor:
        """The layer's update of the volume stream, unchanged, see `Gathering.join`."""
        return self._tokens.join(self._blocks.join(update))


def _flat(pairs: Iterable[tuple[Item, Item]]) -> list[Item]:
    return [each for pair in pairs for each in pair]


def _pair(gathering: Gathering, number: int) -> tuple[Tensor, Tensor]:
    key, value = gathering.wait()[2 * number : 2 * number + 2]
    return key, value


class KeyValueProjection(nn.Module):
    """The key and value projections of a stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        width, narrow, norm = config.width, config.key_value_width, config.weight_norm
        self.key = linear(width, narrow, bias=False, weight_norm=norm)
        self.value = linear(width, narrow, bias=False, weight_norm=norm)

    def keys(self, stream: Tensor, layout: Stream) -> KeyValue:
        """The keys and values of the normed stream [tokens, width]."""
        raw_key = self.key(stream)
        key, value = layer_norm(self._heads(raw_key)), self._heads(self.value(stream))
        return KeyValue(key, value, raw_key, layout)

    def _heads(self, stream: Tensor) -> Tensor:
        heads: Tensor = stream.unflatten(1, (-1, self.head_width))
        return heads


class StreamAttention(KeyValueProjection):
    """All projections of a stream that attends, and the gate between its two directions."""

    def __init__(self, config: TransformerConfig, *, gate_bias: bool) -> None:
        super().__init__(config)
        width, norm = config.width, config.weight_norm
        self.query = linear(width, width, bias=False, weight_norm=norm)
        self.gate = nn.Linear(width, 2 * width, bias=gate_bias)
        self.output = linear(width, width, bias=True, weight_norm=norm)

    def queries(self, stream: Tensor, layout: Stream) -> Queries:
        """The queries of the normed stream [tokens, width]."""
        return Queries(layer_norm(self._heads(self.query(stream))), stream, layout)

    def merge(self, stream: Tensor, cross: GatedSum, own: GatedSum) -> Tensor:
        """Eq. (7) or (8): weigh attention to the other stream against attention to the own one."""
        merged: Tensor = self.output(gated_merge(self.gate(stream), cross, own))
        return merged


class DenseAttention(nn.Module):
    """CrossAttn of eqs. (5) and (6): every token of the instance is a key."""

    def forward(self, queries: Queries, context: Context, _: Route | None) -> GatedSum:
        """One branch without a gate."""
        key, value = context.tokens(self)
        offsets = queries.layout.offsets, context.own(self).layout.offsets
        return GatedSum((attention(queries.query, key, value, *offsets).flatten(1),))

    def compress(self, keys: KeyValue) -> tuple[Tensor, Tensor]:
        """Nothing: there are no blocks."""
        return keys.key[:0], keys.value[:0]


class SparseAttention(nn.Module):
    """NSACrossAttn, eqs. (1) and (2): gated compressed, selected and window attention.

    The window, the query's own block, exists only where queries and keys are one stream.
    """

    def __init__(self, config: TransformerConfig, *, window: bool) -> None:
        super().__init__()
        self.window = window
        self.key_compression = Compression(config.key_value_width)
        self.value_compression = Compression(config.key_value_width)
        branches = 3 if window else 2
        self.gate = nn.Linear(config.width, branches * config.width, bias=False)

    def forward(self, queries: Queries, context: Context, route: Route) -> GatedSum:
        """Eq. (2): the gated sum of the branches."""
        return gated_sum(self.gate(queries.tokens), self.branches(queries, context, route))

    def branches(self, queries: Queries, context: Context, route: Route) -> tuple[Tensor, ...]:
        """Eq. (1): compressed, selected and perhaps window attention, [queries, width] each."""
        query, own = queries.query, context.own(self)
        block_key, block_value = context.blocks(self)
        plan = route.plan_for(query, block_key)
        # Queries and keys are layer-normed, those of blocks as well.
        compressed = compressed_attention(query, block_key, block_value, plan, bounded_scores=True)
        window = []
        if self.window:
            streams = query, own.key, own.value
            window.append(window_attention(*streams, queries.layout.window, bounded_scores=True))
        selected = context.attend_to_selected(self, query, plan)
        return tuple(branch.flatten(1) for branch in (compressed, selected, *window))

    def compress(self, keys: KeyValue) -> tuple[Tensor, Tensor]:
        """One key and one value per block, [blocks, key/value heads, D] each."""
        heads = (-1, *keys.key.shape[1:])
        key = self.key_compression(keys.raw_key, keys.blocks)
        value = self.value_compression(keys.value.flatten(1), keys.blocks)
        return layer_norm(key.reshape(heads)), value.reshape(heads)


Direction: TypeAlias = DenseAttention | SparseAttention


class Compression(nn.Module):
    """AvgPool(ResBlock(x)) of section 3.3: one vector per block, for all key/value heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # The names of checkpoints, where the activation between the two maps is number 1.
        self.add_module("0", nn.Linear(width, width))
        self.add_module("2", nn.Linear(width, width))

    def forward(self, stream: Tensor, blocks: Blocks) -> Tensor:
        """Keys or values [tokens, width] to [blocks, width]."""
        return compress(stream, self.perceptron, blocks)

    @property
    def perceptron(self) -> Perceptron:
        """The two linear maps."""
        return Perceptron(
            first=self.get_parameter("0.weight"),
            first_bias=self.get_parameter("0.bias"),
            second=self.get_parameter("2.weight"),
            second_bias=self.get_parameter("2.bias"),
        )


class OneSidedAttention(nn.Module):
    """Eqs. (5) and (7): the volume attends to the images and to itself, the images to nothing."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.volume = _volume_stream(config)
        self.image = KeyValueProjection(config)
        self.volume_to_volume = _direction(config, window=True)
        self.volume_to_image = _direction(config, window=False)

    def forward(self, volume: Tensor, image: Tensor, plan: Plan) -> tuple[Tensor, None]:
        """The update of the volume stream [tokens, width], and none of the image stream."""
        x, y = self.volume.keys(volume, plan.volume), self.image.keys(image, plan.image)
        context = Context({self.volume_to_image: y, self.volume_to_volume: x}, plan.group)
        routes = plan.routes
        with context.saving():
            queries = self.volume.queries(volume, plan.volume)
            cross = self.volume_to_image(queries, context, routes and routes.volume_to_image)
            own = self.volume_to_volume(queries, context, routes and routes.volume_to_volume)
            update = self.volume.merge(volume, cross, own)
        return context.join(update), None


class TwoSidedAttention(nn.Module):
    """Eqs. (5)-(8): each stream attends to the other one and to itself."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.volume = _volume_stream(config)
        self.image = StreamAttention(config, gate_bias=False)
        self.volume_to_volume = _direction(config, window=True)
        self.volume_to_image = _direction(config, window=False)
        self.image_to_image = _direction(config, window=True)
        self.image_to_volume = _direction(config, window=False)

    def forward(self, volume: Tensor, image: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
        """The updates of both streams [tokens, width]."""
        x, y = self.volume.keys(volume, plan.volume), self.image.keys(image, plan.image)
        keys = {
            self.volume_to_image: y,
            self.volume_to_volume: x,
            self.image_to_volume: x,
            self.image_to_image: y,
        }
        context, routes = Context(keys, plan.group), plan.routes
        with context.saving():
            queries = self.volume.queries(volume, plan.volume)
            cross = self.volume_to_image(queries, context, routes and routes.volume_to_image)
            own = self.volume_to_volume(queries, context, routes and routes.volume_to_volume)
            of_volume = self.volume.merge(volume, cross, own)
            queries = self.image.queries(image, plan.image)
            cross = self.image_to_volume(queries, context, routes and routes.image_to_volume)
            own = self.image_to_image(queries, context, routes and routes.image_to_image)
            of_image = self.image.merge(image, cross, own)
        return context.join(of_volume), of_image


def _volume_stream(config: TransformerConfig) -> StreamAttention:
    # QUIRK 14 (docs/deviations.md): in the sparse stage the gate of the volume has a bias, that of
    # the images none.
    return StreamAttention(config, gate_bias=config.attention == "sparse")


def _direction(config: TransformerConfig, *, window: bool) -> Direction:
    if config.attention == "sparse":
        return SparseAttention(config, window=window)
    return DenseAttention()
