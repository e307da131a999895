# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cube of the field's volumes and the sizes of its decoder, free of torch."""

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
    """The bias-free MLPs that decode a feature into shape and appearance, eqs. (10)-(12).

    A depth d means d hidden layers behind the first one: d + 1 linear maps in all.

    Attributes:
        input_width: channels of the feature volumes.
        width: channels of the hidden layers.
        sdf_depth: of the signed distance.
        rgb_depth: of the color.
        material_depth: of the base color, and of roughness and metallic.
        prediction: which appearance is decoded; "both" is the color, then the materials.
        half_side: the volumes span the cube [-half_side, half_side]^3, world units of the model.
    """

    input_width: int
    width: int
    sdf_depth: int
    rgb_depth: int
    material_depth: int
    prediction: Prediction
    half_side: float

    @property
    def appearance_channels(self) -> int:
        """3 for rgb, 5 for base color + roughness + metallic, 8 for both."""
        return {"rgb": 3, "pbr": 5, "both": 8}[self.prediction]
