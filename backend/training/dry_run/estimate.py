# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, traffic and time of a phase on many GPUs: modelled from counts, not measured."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ...model.stage import Stage
from ...model.weights.memory import rank_share
from .tokens import tokens_of
from .work import object_work, samples_of_ray

if TYPE_CHECKING:
    from ...model.config.model_config import ModelConfig, StageConfig
    from ..settings.config import PhaseConfig
    from .tokens import Tokens
    from .work import ObjectWork

SECONDS_PER_DAY = 86_400
BFLOAT16, FLOAT32 = 2, 4
FEATURE_PARAMETERS = 840_000_000
"""Of the frozen network of image features."""

BYTES_PER_SAMPLE = 4 * 4 * 32 * 8
"""That a sample of a ray moves in one forward: its corners, and the layers of its decoders."""


@dataclass(frozen=True)
class Machine:
    """A GPU and its connections, with the shares of their peaks that a training reaches.

    Attributes:
        name: of the GPU.
        memory: bytes.
        products: bfloat16 multiply-adds per second, at best.
        linear_share: of these, in linear maps.
        attention_share: of these, in attention.
        bandwidth: bytes per second of its memory that rendering reaches.
        inside: bytes per second between the GPUs of a node.
        outside: bytes per second between nodes, for each GPU.
    """

    name: str = "H100 SXM"
    memory: int = 80 * 10**9
    products: float = 0.5 * 989e12
    linear_share: float = 0.5
    attention_share: float = 0.3
    bandwidth: float = 1.5e12
    inside: float = 300e9
    outside: float = 40e9


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU at the peak of a step.

    Attributes:
        weights: with gradients and moments of the optimizer, the shards of this rank.
        frozen: weights of the image features and of the dense stage before the sparse one.
        streams: kept for the backward: the input of every block, or with checkpointing off, all.
        working: one block, what ranks gather of each other, features and voxels.
        rendering: one chunk of rays with its gradient.
    """

    weights: float
    frozen: float
    streams: float
    working: float
    rendering: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(vars(self).values()))


@dataclass(frozen=True)
class Traffic:
    """Bytes that a GPU receives in one step.

    Attributes:
        weights: gathered twice, and gradients scattered once.
        sequence: keys and values of other ranks, and tokens that move to them.
    """

    weights: float
    sequence: float


@dataclass(frozen=True)
class PhaseEstimate:
    """What a phase would take.

    Attributes:
        name: of the phase.
        parameters: that are trained.
        tokens: of an object with the most views.
        work: of an object.
        memory: of a GPU.
        traffic: of a GPU in a step.
        objects: of a step, over all GPUs.
        steps: of the phase.
        seconds: of a step, by what it is spent on.
    """

    name: str
    parameters: int
    tokens: Tokens
    work: ObjectWork
    memory: Memory
    traffic: Traffic
    objects: int
    steps: int
    seconds: dict[str, float]

    @property
    def days(self) -> float:
        """Of the whole phase."""
        return self.steps * sum(self.seconds.values()) / SECONDS_PER_DAY


def estimate(model: ModelConfig, phase: PhaseConfig, gpus: int, machine: Machine) -> PhaseEstimate:
    """The estimate of a phase.

    Args:
        model: sizes of both stages.
        phase: settings.
        gpus: that train, one rank each.
        machine: that they are.
    """
    stage: StageConfig = getattr(model, phase.stage)
    parameters, tokens = parameter_count(stage), tokens_of(model, phase)
    work = object_work(model, phase)
    memory = _memory(model, phase, parameters, tokens, gpus)
    traffic = _traffic(stage, phase, parameters, tokens, gpus)
    step = work.step(checkpointing=phase.checkpointing)
    speed = machine.products
    seconds = {
        "linear maps": phase.instances * step.linear / (speed * machine.linear_share),
        "attention": phase.instances * step.attention / (speed * machine.attention_share),
        "rendering": phase.instances * 4 * work.samples * BYTES_PER_SAMPLE / machine.bandwidth,
        "sequence": traffic.sequence / machine.inside,
    }
    # Weights travel behind the work of blocks; what does not fit there is waited for.
    travel = traffic.weights / machine.outside
    seconds["weights"] = max(0.0, travel - seconds["linear maps"] - seconds["attention"])
    return PhaseEstimate(
        phase.name,
        parameters,
        tokens,
        work,
        memory,
        traffic,
        phase.instances * gpus,
        phase.steps,
        seconds,
    )


@functools.cache
def parameter_count(config: StageConfig) -> int:
    """Parameters of a stage, but for the gains of weight norm, a number per row."""
    plain = replace(config, transformer=replace(config.transformer, weight_norm=False))
    with torch.device("meta"):
        return sum(each.numel() for each in Stage(plain).parameters())


def _memory(
    model: ModelConfig, phase: PhaseConfig, parameters: int, tokens: Tokens, gpus: int
) -> Memory:
    """The bytes of one GPU, with its share of the tokens of shared sequences."""
    stage: StageConfig = getattr(model, phase.stage)
    transformer = stage.transformer
    width, size = transformer.width, BFLOAT16 if phase.precision == "bfloat16" else FLOAT32
    own = phase.instances * tokens.all  # ranks that share have as many objects in all
    blocks = transformer.depth + len(transformer.skip_links)
    frozen = FEATURE_PARAMETERS * size if stage.encoder.feature_width else 0
    maps = 0
    if phase.stage == "sparse":
        frozen += parameter_count(model.dense) * size
        maps = len(transformer.skip_links) + 1
    voxels = phase.instances * tokens.volume * transformer.upsample**3 * transformer.output_width
    features = phase.instances * (maps * tokens.image + (maps > 0) * tokens.volume) * width
    held = rank_share(model, tokens.image, tokens.volume, 1) * phase.instances * size
    gathered = 0
    if phase.sequence_ranks > 1:
        both = 2 * transformer.key_value_width
        gathered = 2 * phase.sequence_ranks * own * both * size
    streams = own * width * size * blocks
    if not phase.checkpointing:
        streams, held = blocks * held, 0
    samples = phase.rays_per_chunk * samples_of_ray(stage, phase)
    return Memory(
        weights=parameters * (3 * FLOAT32 + FLOAT32) / gpus + parameters / blocks * 2 * size,
        frozen=frozen,
        streams=streams,
        working=held + gathered + features * size + 3 * voxels * FLOAT32,
        rendering=samples * 3 * 32 * 8 * FLOAT32 / 2,
    )


def _traffic(
    stage: StageConfig, phase: PhaseConfig, parameters: int, tokens: Tokens, gpus: int
) -> Traffic:
    """The bytes that a GPU receives in a step."""
    size = BFLOAT16 if phase.precision == "bfloat16" else FLOAT32
    passes = 2 * size + FLOAT32  # forward, backward, and gradients
    weights = parameters * passes * (gpus - 1) / gpus
    ranks, transformer = phase.sequence_ranks, stage.transformer
    if ranks == 1:
        return Traffic(weights, 0.0)
    maps = len(transformer.skip_links) + 1
    others = phase.instances * (ranks - 1)
    keys = others * tokens.all * 2 * transformer.key_value_width * size
    layers = transformer.depth + len(transformer.skip_links)
    gathers = 3 if phase.checkpointing else 2  # forward, again in the backward, and gradients
    moved = tokens.image * (1 + maps) + 2 * tokens.volume
    voxels = tokens.volume * transformer.upsample**3 * transformer.output_width
    share = (ranks - 1) / ranks * phase.instances
    exchanged = share * (2 * moved * transformer.width * size + 2 * voxels * size)
    return Traffic(weights, layers * gathers * keys + exchanged)
