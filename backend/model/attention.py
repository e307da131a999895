# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention between the volume stream and the image stream: eqs. (1), (2) and (5)-(8) of the paper.

A block of the transformer holds one `GatedAttention`. What makes it dense or sparse is the object
that each of its directions calls: `DenseAttention` sees every token, `SparseAttention` mixes the
compressed, selected and window branches. A direction is named query first: `volume_to_image`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from kernels.attention import attention
from kernels.compressed_attention import compressed_attention, select_by_score
from kernels.compression import compress, residual_module
from kernels.core.routing_plan import RoutingPlan
from kernels.gating import Gated, deferred_sum, gated_merge, gated_sum
from kernels.layer_norm import layer_norm
from kernels.reference.definitions import Perceptron
from kernels.selected_attention import selected_attention
from kernels.window_attention import window_attention

from .layers import linear
from .routing.tokens import blocks_in

if TYPE_CHECKING:
    from kernels.core.blocks import Blocks

    from .config.model_config import TransformerConfig
    from .routing.tokens import Plan, Route, Stream


@dataclass(frozen=True)
class Projection:
    """One stream as attention sees it; queries and keys normalized per head, values not."""

    tokens: Tensor  # [tokens, width], what gates are made of
    query: Tensor | None  # [tokens, query heads, D]; None for a stream that is only read
    key: Tensor  # [tokens, key/value heads, D]
    value: Tensor  # [tokens, key/value heads, D]
    raw_key: Tensor  # [tokens, key/value heads * D] before its norm: compression starts from it
    layout: Stream

    @property
    def blocks(self) -> Blocks:
        """The blocks of a stream that is attended sparsely."""
        return blocks_in(self.layout)


class StreamAttention(nn.Module):
    """What one stream brings to attention: its projections and the gate that merges the results."""

    def __init__(self, config: TransformerConfig, *, queries: bool, gate_bias: bool) -> None:
        super().__init__()
        self.head_width = config.head_width
        width, narrow, norm = config.width, config.key_value_width, config.weight_norm
        self.key = linear(width, narrow, bias=False, weight_norm=norm)
        self.value = linear(width, narrow, bias=False, weight_norm=norm)
        if queries:
            self.query = linear(width, width, bias=False, weight_norm=norm)
            self.gate = nn.Linear(width, 2 * width, bias=gate_bias)
            self.output = linear(width, width, bias=True, weight_norm=norm)

    def project(self, stream: Tensor, layout: Stream) -> Projection:
        """Queries, keys and values of the normed stream [tokens, width]."""
        raw_key = self.key(stream)
        query = layer_norm(self._heads(self.query(stream))) if hasattr(self, "query") else None
        return Projection(
            stream,
            query,
            layer_norm(self._heads(raw_key)),
            self._heads(self.value(stream)),
            raw_key,
            layout,
        )

    def merge(self, stream: Tensor, cross: Gated, own: Gated) -> Tensor:
        """Gate what was seen in the other stream against what was seen in the own one."""
        merged: Tensor = self.output(gated_merge(self.gate(stream), cross, own))
        return merged

    def _heads(self, stream: Tensor) -> Tensor:
        return stream.reshape(stream.shape[0], -1, self.head_width)


class DenseAttention(nn.Module):
    """CrossAttn of eqs. (5) and (6): every token of the instance is seen."""

    def forward(self, queries: Projection, keys: Projection, _: Route | None) -> Gated:
        """One branch without a gate."""
        offsets = queries.layout.offsets, keys.layout.offsets
        return Gated((attention(_query(queries), keys.key, keys.value, *offsets).flatten(1),))


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

    def forward(self, queries: Projection, keys: Projection, route: Route) -> Gated:
        """The gated branches."""
        branches = self.branches(queries, keys, route)
        return deferred_sum(self.gate(queries.tokens), branches)

    def mix(self, stream: Tensor, branches: tuple[Tensor, ...]) -> Tensor:
        """Weigh: g_cmp * cmp + g_sel * sel (+ g_win * win), each of [queries, width]."""
        return gated_sum(self.gate(stream), branches)

    def branches(self, queries: Projection, keys: Projection, route: Route) -> tuple[Tensor, ...]:
        """Compressed, selected and, where it exists, window attention, each [queries, width]."""
        query, offsets, blocks = _query(queries), queries.layout.offsets, keys.blocks
        coarse_key, coarse_value = self.compress(keys)
        if isinstance(route, int):
            table = select_by_score(query, coarse_key, offsets, blocks, route)
            route = RoutingPlan(offsets, blocks, table)
        compressed = compressed_attention(query, coarse_key, coarse_value, route)
        selected, _ = selected_attention(query, keys.key, keys.value, route)
        found = [compressed, selected]
        if self.window:
            found.append(window_attention(query, keys.key, keys.value, route))
        return tuple(branch.flatten(1) for branch in found)

    def compress(self, keys: Projection) -> tuple[Tensor, Tensor]:
        """One key and one value per block, [blocks, key/value heads, D] each."""
        heads = (-1, *keys.key.shape[1:])
        key = self.key_compression.means(keys.raw_key, keys.blocks)
        value = self.value_compression.means(keys.value.flatten(1), keys.blocks)
        return layer_norm(key.reshape(heads)), value.reshape(heads)


class Compression(nn.Sequential):
    """The residual module before a block is averaged: all key/value heads are mixed and normed."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, stream: Tensor) -> Tensor:
        """[tokens, width] to the same."""
        return residual_module(stream, self.perceptron)

    def means(self, stream: Tensor, blocks: Blocks) -> Tensor:
        """The same, averaged over each block, [blocks, width]."""
        return compress(stream, self.perceptron, blocks)

    @property
    def perceptron(self) -> Perceptron:
        """Its two linear maps."""
        return Perceptron(*self.parameters())


class GatedAttention(nn.Module):
    """Eqs. (5)-(8): each stream attends to the other and to itself, and a gate weighs the two.

    One-sided, only the volume asks; the image is read.
    """

    def __init__(self, config: TransformerConfig, *, two_sided: bool) -> None:
        super().__init__()
        sparse = config.attention == "sparse"
        # QUIRK 14 (docs/deviations.md): in the sparse stage the gate of the volume has a bias, that
        # of the images none.
        self.volume = StreamAttention(config, queries=True, gate_bias=sparse)
        self.image = StreamAttention(config, queries=two_sided, gate_bias=False)
        self.volume_to_volume = _direction(config, window=True)
        self.volume_to_image = _direction(config, window=False)
        if two_sided:
            self.image_to_image = _direction(config, window=True)
            self.image_to_volume = _direction(config, window=False)
        self.two_sided = two_sided

    def forward(self, volume: Tensor, image: Tensor, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """What both streams [tokens, width] learn, before it is added to them."""
        x, y = self.volume.project(volume, plan.volume), self.image.project(image, plan.image)
        routes = plan.routes
        cross = self.volume_to_image(x, y, routes and routes.volume_to_image)
        own = self.volume_to_volume(x, x, routes and routes.volume_to_volume)
        from_volume = self.volume.merge(volume, cross, own)
        if not self.two_sided:
            return from_volume, None
        cross = self.image_to_volume(y, x, routes and routes.image_to_volume)
        own = self.image_to_image(y, y, routes and routes.image_to_image)
        return from_volume, self.image.merge(image, cross, own)


def _direction(config: TransformerConfig, *, window: bool) -> nn.Module:
    return (
        SparseAttention(config, window=window)
        if config.attention == "sparse"
        else (DenseAttention())
    )


def _query(projection: Projection) -> Tensor:
    if projection.query is None:
        raise ValueError("this stream is only read; it asks nothing")
    return projection.query
