# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The multiply-adds of one object: of the network, of its frozen parts, and of the renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.dinov3 import DinoV3Config
from ...model.routing.sharing import layer_size
from .tokens import dense_tokens, tokens_of

if TYPE_CHECKING:
    from ...model.config.model_config import ModelConfig, StageConfig, TransformerConfig
    from ..settings.config import PhaseConfig
    from .tokens import Tokens

OCCUPIED_SAMPLES = 64
"""Samples of a ray that an occupancy grid leaves: a shell crossed twice, and its margin."""


@dataclass(frozen=True)
class Work:
    """Multiply-adds, by what they run on.

    Attributes:
        linear: of linear maps.
        attention: of scores and of weighted values.
    """

    linear: float = 0.0
    attention: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.linear + other.linear, self.attention + other.attention)

    def times(self, factor: float) -> Work:
        """So many times as much."""
        return Work(factor * self.linear, factor * self.attention)

    @property
    def total(self) -> float:
        """Of both kinds."""
        return self.linear + self.attention


def stage_work(config: StageConfig, tokens: Tokens) -> Work:
    """One forward of encoder and transformer."""
    transformer, encoder = config.transformer, config.encoder
    width = transformer.width
    patch = (3 + encoder.ray_channels + 3 * encoder.background) * encoder.patch_size**2
    fusion = (encoder.feature_width + width) * width if encoder.feature_width else 0
    output = width * transformer.output_width * transformer.upsample**3
    outside = tokens.image * (patch * width + fusion) + tokens.volume * output
    per_layer = _dense_layer if transformer.attention == "dense" else _sparse_layer
    two_sided = per_layer(transformer, tokens, two_sided=True).times(transformer.depth)
    one_sided = per_layer(transformer, tokens, two_sided=False)
    return Work(outside) + two_sided + one_sided.times(len(transformer.skip_links))


def _dense_layer(config: TransformerConfig, tokens: Tokens, *, two_sided: bool) -> Work:
    width, narrow = config.width, config.key_value_width
    attending = 2 * width**2 + 2 * width**2 + round(2 * config.mlp_ratio * width**2)
    queries = tokens.all if two_sided else tokens.volume
    linear = queries * attending + tokens.all * 2 * width * narrow
    return Work(linear, 2.0 * width * queries * tokens.all)


def _sparse_layer(config: TransformerConfig, tokens: Tokens, *, two_sided: bool) -> Work:
    size, maps = layer_size(config), len(config.skip_links) + 1
    fused = 1 if config.fuse_dense else 0
    linear = tokens.volume * size.products(fused)
    if two_sided:
        linear += tokens.image * size.products(fused * maps)
    else:
        linear += tokens.image * size.read_products(fused * (maps + 1))
    queries = tokens.all if two_sided else tokens.volume
    keys = tokens.image_keys + tokens.volume_keys
    return Work(linear, 2.0 * config.width * queries * keys)


def feature_work(stage: StageConfig, views: int) -> Work:
    """The frozen image features of some views; none where they are not read."""
    if not stage.encoder.feature_width:
        return Work()
    network = DinoV3Config()
    tokens = stage.patches_per_side**2 + network.registers + 1
    per_token = network.depth * (4 * network.width**2 + 3 * network.width * network.hidden)
    attention = 2.0 * network.depth * network.width * tokens**2
    return Work(float(views * tokens * per_token), views * attention)


def samples_of_ray(stage: StageConfig, phase: PhaseConfig) -> int:
    """Samples of a usual ray: half of the diagonal of the box, or what is occupied of it."""
    inside = stage.samples_per_ray // 2
    return min(OCCUPIED_SAMPLES, inside) if phase.occupancy else inside


def render_work(stage: StageConfig, phase: PhaseConfig) -> tuple[int, Work]:
    """Samples of all target views, and one forward of their decoding."""
    config = stage.decoder
    samples = phase.views.targets * phase.views.crop**2 * samples_of_ray(stage, phase)
    heads = [(config.sdf_depth, 1)]
    heads += [(config.rgb_depth, 3)] if config.prediction != "pbr" else []
    heads += (
        [(config.material_depth, 3), (config.material_depth, 2)]
        if (config.prediction != "rgb")
        else []
    )
    decoded = sum(
        config.input_width * config.width + (depth - 1) * config.width**2 + config.width * outputs
        for depth, outputs in heads
    )
    return samples, Work(float(samples * (decoded + 8 * config.input_width)))


@dataclass(frozen=True)
class ObjectWork:
    """What one object costs in a step.

    Attributes:
        trained: one forward of the stage that is trained.
        frozen: one forward of everything else: image features, the dense stage before the sparse.
        rendered: one forward of the decoding of samples.
        samples: of all target views.
    """

    trained: Work
    frozen: Work
    rendered: Work
    samples: int

    def step(self, *, checkpointing: bool) -> Work:
        """A whole step: a backward costs two forwards, and checkpointing one more."""
        trained = self.trained.times(4 if checkpointing else 3)
        return trained + self.frozen + self.rendered.times(4)  # rendered without gradient, too


def object_work(model: ModelConfig, phase: PhaseConfig) -> ObjectWork:
    """The work of an object with the most views of a phase."""
    views = phase.views.inputs[1]
    stage: StageConfig = getattr(model, phase.stage)
    frozen = feature_work(model.dense, views)
    if phase.stage == "sparse":
        frozen += feature_work(model.sparse, views)
        frozen += stage_work(model.dense, dense_tokens(model, views))
    samples, rendered = render_work(stage, phase)
    return ObjectWork(stage_work(stage, tokens_of(model, phase)), frozen, rendered, samples)
