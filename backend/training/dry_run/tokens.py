# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tokens an object has in a phase, and how many keys each of them attends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.weights.memory import expected_volume_tokens, shell_layers

if TYPE_CHECKING:
    from ...model.config.model_config import ModelConfig
    from ..settings.config import PhaseConfig

FOREGROUND = 0.68
"""Share of the patches that a cropped object covers: of 16 views at 768 pixels it leaves the
100,000 image tokens that the paper names."""

FULL_IMAGE_BLOCK = 0.85
"""Share of the patches of a kept image block that are kept: outlines cut the others."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one object.

    Attributes:
        image: patches of its views.
        volume: of the volume.
        image_keys: image tokens that a query attends to in one layer, over all branches.
        volume_keys: likewise of the volume.
    """

    image: int
    volume: int
    image_keys: float
    volume_keys: float

    @property
    def all(self) -> int:
        """Of both streams."""
        return self.image + self.volume


def dense_tokens(model: ModelConfig, views: int) -> Tokens:
    """All tokens; each attends to all."""
    image = views * model.dense.patches_per_side**2
    volume = model.dense.transformer.volume_resolution**3
    return Tokens(image, volume, image, volume)


def sparse_tokens(model: ModelConfig, views: int) -> Tokens:
    """The expected informative tokens; each attends to blocks, and to the mean of every block.

    A query reads `FULL_IMAGE_BLOCK` of the tokens of an image block, and of a volume block what a
    shell of the thickness of the kept tokens leaves of it.
    """
    block, side = model.selection.block_size, model.sparse.patches_per_side
    image = round(FOREGROUND * views * side**2)
    volume = expected_volume_tokens(model)
    layers = shell_layers(model)
    in_image = FULL_IMAGE_BLOCK * block**2
    in_volume = block**3 * min(1.0, layers / (layers + block))
    routing = model.routing
    image_keys = min(image, routing.image_blocks * in_image) + image / in_image
    volume_keys = min(volume, routing.volume_blocks * in_volume) + volume / in_volume
    return Tokens(image, volume, image_keys, volume_keys)


def tokens_of(model: ModelConfig, phase: PhaseConfig) -> Tokens:
    """Those of an object with the most views of a phase."""
    count = dense_tokens if phase.stage == "dense" else sparse_tokens
    return count(model, phase.views.inputs[1])
