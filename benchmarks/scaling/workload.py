# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of an object in the layers of the sparse stage, and how ranks would share it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from backend.model.routing.sharing import layer_size
from backend.parallel.assignment import BlockWork, Policy, assign, rank_sums
from backend.parallel.cost_model import KINDS, CostModel, layer_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from backend.model.config.model_config import TransformerConfig

    from ..kernels.scene import Scene

DIRECTIONS = 2
"""Directions in which each stream of a two-sided layer is read, each with compressed keys of its
own."""


@dataclass(frozen=True)
class Workload:
    """What the blocks of an object have to do.

    Attributes:
        name: of the object.
        tokens: [blocks] int of the volume, and of the images.
        work: [blocks, kinds] of a two-sided layer, likewise.
        read: [blocks, kinds] of the images in a one-sided layer, where they are only read.
        row_width: numbers of a key and its value, of all heads.
    """

    name: str
    tokens: tuple[Tensor, Tensor]
    work: tuple[Tensor, Tensor]
    read: Tensor
    row_width: int

    @classmethod
    def of(cls, scene: Scene, config: TransformerConfig) -> Workload:
        """The workload of a routed object in layers of this configuration."""
        size, plans = layer_size(config), scene.plans
        maps = len(config.skip_links) + 1 if config.fuse_dense else 0
        volume = plans["volume_to_volume"], plans["volume_to_image"]
        image = plans["image_to_image"], plans["image_to_volume"]
        first, second = (each[0].blocks.token_offsets.diff().cpu() for each in (volume, image))
        read = torch.zeros(len(second), len(KINDS), dtype=torch.float64)
        read[:, KINDS.index("products")] = second * size.read_products(maps + 1 if maps else 0)
        return cls(
            scene.name,
            (first, second),
            (layer_work(*volume, size, int(maps > 0)).cpu(), layer_work(*image, size, maps).cpu()),
            read,
            2 * size.key_value_width,
        )

    @property
    def count(self) -> int:
        """Tokens of both streams."""
        return int(sum(each.sum() for each in self.tokens))

    def repeated(self, times: int) -> Workload:
        """As many equal objects in one step."""
        first, second = (each.repeat(times) for each in self.tokens)
        works = [each.repeat(times, 1) for each in (*self.work, self.read)]
        return replace(self, tokens=(first, second), work=(works[0], works[1]), read=works[2])

    def shared(self, model: CostModel, speeds: Sequence[float], policy: Policy) -> Shares:
        """The object on ranks of these speeds."""
        streams = [
            BlockWork(tokens, model.costs(work))
            for tokens, work in zip(self.tokens, self.work, strict=True)
        ]
        return Shares(self, model, len(speeds), assign(streams, speeds, policy))


@dataclass(frozen=True)
class Shares:
    """An object on several ranks.

    Attributes:
        workload: of the object.
        model: of each rank.
        count: of ranks.
        ranks: of the volume blocks, and of the image blocks.
    """

    workload: Workload
    model: CostModel
    count: int
    ranks: list[Tensor]

    @cached_property
    def stream_tokens(self) -> Tensor:
        """Tokens of the volume and of the images, [2, ranks] float64."""
        return self._stream_sums(*self.workload.tokens)

    @cached_property
    def tokens(self) -> Tensor:
        """Tokens of both streams, [ranks] float64."""
        return self.stream_tokens.sum(0)

    @cached_property
    def seconds(self) -> Tensor:
        """Modelled time of a two-sided layer, [ranks] float64."""
        return self._sums(*(self.model.costs(work) for work in self.workload.work))

    @cached_property
    def one_sided_seconds(self) -> Tensor:
        """The same of a one-sided layer, in which the volume alone attends."""
        volume, read = self.workload.work[0], self.workload.read
        return self._sums(self.model.costs(volume), self.model.costs(read))

    def longest(self, directions: int = DIRECTIONS) -> int:
        """Rows that each rank sends to all others in a layer.

        A row is a key and its value, of a token, or of a block and direction that reads it. Rows of
        tokens and of blocks are gathered apart, each as many as the rank with the most has.
        """
        blocks = self._sums(*(torch.ones_like(each) for each in self.workload.tokens))
        return int(self.tokens.max() + directions * blocks.max())

    def received(self, bytes_per_number: int, directions: int = DIRECTIONS) -> int:
        """Bytes that each rank receives from others in a layer."""
        rows = (self.count - 1) * self.longest(directions)
        return rows * self.workload.row_width * bytes_per_number

    def _sums(self, *amounts: Tensor) -> Tensor:
        return self._stream_sums(*amounts).sum(0)

    def _stream_sums(self, *amounts: Tensor) -> Tensor:
        sums = zip(amounts, self.ranks, strict=True)
        return torch.stack([rank_sums(amount, ranks, self.count) for amount, ranks in sums])


def max_over_mean(values: Tensor) -> float:
    """How much later the last rank ends than all would with equal shares."""
    return float(values.max() / values.mean())
