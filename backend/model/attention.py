# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention between the volume stream and the image stream: eqs. (1), (2) and (5)-(8) of the paper.

A block of the transformer attends in four directions, named query stream first, as in
`volume_to_image`. In the dense stage a direction is `DenseAttention`, in the sparse stage
`SparseAttention`: the gated sum, eq. (2), of the compressed, selected and window branches, eq. (1).
`kernels/reference/definitions.py` writes both equations out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from kernels.attention import attention
from kernels.compressed_attention import compressed_attention
from kernels.compression import compress
from kernels.gating import GatedSum, gated_merge, gated_sum
from kernels.layer_norm import layer_norm
from kernels.reference.definitions import Perceptron
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention

from .layers import linear
from .routing.tokens import blocks_in

if TYPE_CHECKING:
    from kernels.core.blocks import Blocks

    from .config.model_config import TransformerConfig
    from .routing.routes import Plan, Route
    from .routing.tokens import Stream


@dataclass(frozen=True)
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
class QueryKeyValue(KeyValue):
    """One stream that also attends.

    Attributes:
        query: [tokens, query heads, D], normalized per head.
        tokens: [tokens, width], the input of the gates.
    """

    query: Tensor
    tokens: Tensor


class KeyValueProjection(nn.Module):
    """The key and value projections of a stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        width, narrow, norm = config.width, config.key_value_width, config.weight_norm
        self.key = linear(width, narrow, bias=False, weight_norm=norm)
        self.value = linear(width, narrow, bias=False, weight_norm=norm)

    def project(self, stream: Tensor, layout: Stream) -> KeyValue:
        """Keys and values of the normed stream [tokens, width]."""
        raw_key = self.key(stream)
        key, value = layer_norm(self._heads(raw_key)), self._heads(self.value(stream))
        return KeyValue(key, value, raw_key, layout)

    def _heads(self, stream: Tensor) -> Tensor:
        return stream.reshape(stream.shape[0], -1, self.head_width)


class StreamAttention(KeyValueProjection):
    """All projections of a stream that attends, and the gate between its two directions."""

    def __init__(self, config: TransformerConfig, *, gate_bias: bool) -> None:
        super().__init__(config)
        width, norm = config.width, config.weight_norm
        self.query = linear(width, width, bias=False, weight_norm=norm)
        self.gate = nn.Linear(width, 2 * width, bias=gate_bias)
        self.output = linear(width, width, bias=True, weight_norm=norm)

    def project(self, stream: Tensor, layout: Stream) -> QueryKeyValue:
        """Queries, keys and values of the normed stream [tokens, width]."""
        read = super().project(stream, layout)
        query = layer_norm(self._heads(self.query(stream)))
        return QueryKeyValue(read.key, read.value, read.raw_key, layout, query, stream)

    def merge(self, stream: Tensor, cross: GatedSum, own: GatedSum) -> Tensor:
        """Eq. (7) or (8): weigh attention to the other stream against attention to the own one."""
        merged: Tensor = self.output(gated_merge(self.gate(stream), cross, own))
        return merged


class DenseAttention(nn.Module):
    """CrossAttn of eqs. (5) and (6): every token of the instance is a key."""

    def forward(self, queries: QueryKeyValue, keys: KeyValue, _: Route | None) -> GatedSum:
        """One branch without a gate."""
        offsets = queries.layout.offsets, keys.layout.offsets
        return GatedSum((attention(queries.query, keys.key, keys.value, *offsets).flatten(1),))


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

    def forward(self, queries: QueryKeyValue, keys: KeyValue, route: Route) -> GatedSum:
        """Eq. (2): the gated sum of the branches."""
        compressed, selected, *window = self.branches(queries, keys, route)
        return gated_sum(self.gate(queries.tokens), (compressed, selected, *window))

    def branches(self, queries: QueryKeyValue, keys: KeyValue, route: Route) -> tuple[Tensor, ...]:
        """Eq. (1): compressed, selected and perhaps window attention, [queries, width] each."""
        query, (block_key, block_value) = queries.query, self.compress(keys)
        plan = route.plan_for(query, block_key)
        compressed = compressed_attention(query, block_key, block_value, plan)
        selected, _ = selected_attention(query, keys.key, keys.value, plan)
        found = [compressed, selected]
        if self.window:
            found.append(window_attention(query, keys.key, keys.value, plan))
        return tuple(branch.flatten(1) for branch in found)

    def compress(self, keys: KeyValue) -> tuple[Tensor, Tensor]:
        """One key and one value per block, [blocks, key/value heads, D] each."""
        heads = (-1, *keys.key.shape[1:])
        key = self.key_compression(keys.raw_key, keys.blocks)
        value = self.value_compression(keys.value.flatten(1), keys.blocks)
        return layer_norm(key.reshape(heads)), value.reshape(heads)


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
        x, y = self.volume.project(volume, plan.volume), self.image.project(image, plan.image)
        cross = self.volume_to_image(x, y, plan.routes and plan.routes.volume_to_image)
        own = self.volume_to_volume(x, x, plan.routes and plan.routes.volume_to_volume)
        return self.volume.merge(volume, cross, own), None


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
        x, y = self.volume.project(volume, plan.volume), self.image.project(image, plan.image)
        routes = plan.routes
        cross = self.volume_to_image(x, y, routes and routes.volume_to_image)
        own = self.volume_to_volume(x, x, routes and routes.volume_to_volume)
        of_volume = self.volume.merge(volume, cross, own)
        cross = self.image_to_volume(y, x, routes and routes.image_to_volume)
        own = self.image_to_image(y, y, routes and routes.image_to_image)
        return of_volume, self.image.merge(image, cross, own)


def _volume_stream(config: TransformerConfig) -> StreamAttention:
    # QUIRK 14 (docs/deviations.md): in the sparse stage the gate of the volume has a bias, that of
    # the images none.
    return StreamAttention(config, gate_bias=config.attention == "sparse")


def _direction(config: TransformerConfig, *, window: bool) -> nn.Module:
    if config.attention == "sparse":
        return SparseAttention(config, window=window)
    return DenseAttention()
