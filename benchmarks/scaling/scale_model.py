# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of the sparse stage on 1 to 1,024 GPUs, on paper.

It is computed from the cost of a layer on one device and from stated speeds of links; nothing here
is measured.

Two ways to use many GPUs: all of them share one object, or the GPUs of each node share eight
objects of a training step and nodes share the weights (FSDP), as the paper trains.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from backend.model.stage import Stage
from backend.parallel.cost_model import CostModel

if TYPE_CHECKING:
    from backend.model.config.model_config import StageConfig, TransformerConfig

    from .workload import Shares, Workload

GPU_COUNTS = tuple(2**power for power in range(11))
WORTH_IT = 0.5
"""Least share of the GPUs' time that is useful work, from which on more GPUs do not pay."""

BYTES = 2
"""Of a number in bfloat16."""

LIVE = 20
"""Numbers per token and channel at the peak of a layer, as `backend/model/weights/memory.py` has
them measured."""
STATE_BYTES = 16
"""Per weight in training: float32 weight, gradient and two moments."""

TRAINING_COMPUTE = 4
"""Forwards that a training step is worth: forward, its recomputation, and a backward of two."""
TRAINING_GATHERS = 3
"""All-gather forward and recomputed, and a reduce-scatter of as much."""


@dataclass(frozen=True)
class Links:
    """Stated speeds of the links of one GPU, not measured.

    Attributes:
        gpus_per_node: that are joined by the fast links.
        in_node: bytes per second that a GPU receives from its node.
        between: bytes per second that it receives from other nodes.
        in_node_latency: seconds of a step of a collective in a node.
        between_latency: the same between nodes.
    """

    gpus_per_node: int = 8
    in_node: float = 0.8 * 450e9
    between: float = 0.8 * 50e9
    in_node_latency: float = 5e-6
    between_latency: float = 15e-6

    def all_gather(self, sent: float, gpus: int) -> float:
        """Seconds to gather as many bytes of every GPU: between nodes first, then inside each.

        Latency grows with the logarithm of the count; a reduce-scatter takes as long.
        """
        local = min(gpus, self.gpus_per_node)
        nodes = -(-gpus // self.gpus_per_node)
        outside = (nodes - 1) * sent / self.between
        inside = (local - 1) * nodes * sent / self.in_node
        steps = math.log2(nodes) * self.between_latency + math.log2(local) * self.in_node_latency
        return outside + inside + steps


LINKS = Links()
"""NVLink 4 has 450 GB/s in each direction, InfiniBand NDR 50 GB/s per GPU; 80 % of each."""

CARD = CostModel(
    rates=(
        2 / (0.4 * 990e12),
        100 / (0.7 * 3.35e12),
        1 / (0.5 * 132 * 16 * 1.755e9),
    ),
    layer=2e-4,
)
"""An H100 by its data sheet, where none could be measured: 40 % of 990 TFLOP/s; 100 bytes per token
and channel at 70 % of 3.35 TB/s; scores at half of 16 exponentials per clock on 132
multiprocessors; 0.2 ms of launches per layer."""


@dataclass(frozen=True)
class Step:
    """A computed step.

    Attributes:
        gpus: that take part.
        compute_seconds: of the GPU that takes longest.
        traffic_seconds: of all collectives.
        received_gigabytes: by each GPU.
        memory_gigabytes: of each GPU.
        objects: that the step is for.
    """

    gpus: int
    compute_seconds: float
    traffic_seconds: float
    received_gigabytes: float
    memory_gigabytes: float
    objects: int = 1

    @property
    def seconds(self) -> float:
        """If traffic hides behind computing as far as there is any."""
        return max(self.compute_seconds, self.traffic_seconds)

    @property
    def seconds_in_turn(self) -> float:
        """If nothing is hidden."""
        return self.compute_seconds + self.traffic_seconds

    def efficiency(self, alone: Step) -> float:
        """Objects per second and GPU, over those of one GPU alone; nothing hidden."""
        rate = self.objects / self.seconds_in_turn / self.gpus
        return rate * alone.seconds_in_turn / alone.objects


def share_one_object(
    load: Workload, model: CostModel, stage: StageConfig, links: Links = LINKS
) -> list[Step]:
    """The forward of one object, whose blocks all GPUs share."""
    steps: list[Step] = []
    weights = weights_of(stage)
    for gpus in GPU_COUNTS:
        shares = load.shared(model, [1.0] * gpus, "balanced")
        layers = _layers(shares, stage.transformer)
        compute = sum(count * (model.layer + busy) for count, busy, _ in layers)
        traffic, received = _gathers(layers, gpus, links)
        memory = BYTES * weights + _token_memory(shares, stage.transformer)
        steps.append(Step(gpus, compute, traffic, received / 1e9, memory / 1e9))
    return steps


def train(load: Workload, model: CostModel, stage: StageConfig, links: Links = LINKS) -> list[Step]:
    """A training step with one object per GPU: nodes share the weights, GPUs of a node its objects.

    The dense stage, the rendering of losses and the optimizer are left out.
    """
    steps: list[Step] = []
    weights, transformer = weights_of(stage), stage.transformer
    depth = transformer.depth + len(transformer.skip_links)
    for gpus in GPU_COUNTS:
        local = min(gpus, links.gpus_per_node)
        shares = load.repeated(local).shared(model, [1.0] * local, "balanced")
        layers = _layers(shares, transformer)
        compute = TRAINING_COMPUTE * sum(count * (model.layer + busy) for count, busy, _ in layers)
        traffic, received = _gathers(layers, local, links)
        of_weights = BYTES * weights / gpus
        traffic = TRAINING_GATHERS * (traffic + links.all_gather(of_weights, gpus))
        received = TRAINING_GATHERS * (received + of_weights * (gpus - 1))
        memory = STATE_BYTES * weights / gpus + BYTES * 2 * weights / depth
        memory += _token_memory(shares, transformer, kept=depth)
        steps.append(Step(gpus, compute, traffic, received / 1e9, memory / 1e9, objects=gpus))
    return steps


def worth_it(steps: list[Step]) -> int:
    """The most GPUs of which enough time is useful work, all smaller counts included."""
    useful = itertools.takewhile(lambda step: step.efficiency(steps[0]) >= WORTH_IT, steps)
    return max(step.gpus for step in useful)


def fastest(steps: list[Step]) -> int:
    """The fewest GPUs with the most objects per second, to a percent; nothing hidden."""
    rates = [step.objects / step.seconds_in_turn for step in steps]
    return next(
        step.gpus for step, rate in zip(steps, rates, strict=True) if 1.01 * rate >= max(rates)
    )


def weights_of(stage: StageConfig) -> int:
    """Numbers in the weights of a stage, its weight norms folded."""
    folded = replace(stage, transformer=replace(stage.transformer, weight_norm=False))
    with torch.device("meta"):
        return sum(each.numel() for each in Stage(folded).parameters())


def _layers(shares: Shares, config: TransformerConfig) -> list[tuple[int, float, int]]:
    """Layers of each kind: how many, seconds of the last rank, bytes that each rank sends."""
    sent = [shares.longest(each) * shares.workload.row_width * BYTES for each in (2, 1)]
    two, one = float(shares.seconds.max()), float(shares.one_sided_seconds.max())
    return [(config.depth, two, sent[0]), (len(config.skip_links), one, sent[1])]


def _gathers(layers: list[tuple[int, float, int]], gpus: int, links: Links) -> tuple[float, float]:
    """Seconds, and bytes that a GPU receives, of the all-gathers of all layers."""
    seconds = sum(count * links.all_gather(sent, gpus) for count, _, sent in layers)
    return seconds, sum(count * sent * (gpus - 1) for count, _, sent in layers)


def _token_memory(shares: Shares, config: TransformerConfig, kept: int = 0) -> float:
    """Bytes of what grows with tokens, on the GPU with the most.

    Args:
        shares: of the object.
        config: of the layers.
        kept: layers whose two input streams are kept for the backward.
    """
    maps = len(config.skip_links) + 1
    volume, image = shares.stream_tokens
    rows = (LIVE + kept) * shares.tokens + volume + 2 * maps * image  # dense features, image maps
    gathered = 2 * shares.count * shares.longest() * shares.workload.row_width
    return BYTES * (float(rows.max()) * config.width + gathered)
