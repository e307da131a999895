# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of the field's small decoders, free of torch so that anything may read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..shared.cameras import MODEL_RADIUS

Prediction = Literal["rgb", "pbr", "both"]

BOX_MARGIN = 1.05
"""Half the side of the volumes' cube over the radius of the sphere that holds the object."""

HALF_SIDE = BOX_MARGIN * MODEL_RADIUS
"""Half the side of that cube, [-HALF_SIDE, HALF_SIDE]^3, in the normalized frame."""


@dataclass(frozen=True)
class DecoderConfig:
    """The bias-free decoders that turn a feature into shape and appearance, eqs. (10)-(12).

    A depth d means d hidden layers behind the first one: d + 1 linear maps in all.
    """

    input_width: int  # channels of the feature volumes
    width: int  # channels of the hidden layers
    sdf_depth: int
    rgb_depth: int
    material_depth: int  # of the base color decoder and of the (roughness, metallic) decoder
    prediction: Prediction  # which appearance is decoded, "both" with rgb first
    half_side: float  # the volumes span the cube [-half_side, half_side]^3, world units

    @property
    def appearance_channels(self) -> int:
        """3 for rgb, 5 for base color + roughness + metallic, 8 for both."""
        return {"rgb": 3, "pbr": 5, "both": 8}[self.prediction]
