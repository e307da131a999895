# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real spherical harmonics to degree three: what a vertex sees, blurred by a lobe."""

from __future__ import annotations

from functools import cache
from math import pi
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

FUNCTIONS = 16
OF_DEGREE = (1, 3, 5, 7)
"""How many of the functions are of degree 0, 1, 2 and 3, in this order."""

CLAMPED_COSINE = (pi, 2.0 * pi / 3.0, pi / 4.0, 0.0)
"""By what the coefficients of each degree shrink from radiance to irradiance."""


def basis(directions: Tensor, axis: int = -1) -> Tensor:
    """The 16 basis functions at unit directions [..., 3], [..., 16].

    Args:
        directions: unit.
        axis: of the result that counts the functions.
    """
    x, y, z = directions.unbind(-1)
    functions = (
        torch.full_like(x, 0.282095),
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3.0 * z * z - 1.0),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
        0.590044 * y * (3.0 * x * x - y * y),
        2.890611 * x * y * z,
        0.457046 * y * (5.0 * z * z - 1.0),
        0.373176 * z * (5.0 * z * z - 3.0),
        0.457046 * x * (5.0 * z * z - 1.0),
        1.445306 * z * (x * x - y * y),
        0.590044 * x * (x * x - 3.0 * y * y),
    )
    return torch.stack(functions, dim=axis)


def scaled_by_degree(coefficients: Tensor, factors: Sequence[float]) -> Tensor:
    """Coefficients [..., 16] times one factor for each degree."""
    degrees = coefficients.split(OF_DEGREE, dim=-1)
    scaled = [part * factor for part, factor in zip(degrees, factors, strict=True)]
    return torch.cat(scaled, dim=-1)


@cache
def gaussian_attenuation(sharpness: float) -> tuple[float, ...]:
    """By what each degree shrinks when blurred by a normalized spherical Gaussian, [4]."""
    cosine = np.linspace(-1.0, 1.0, 4001)
    weight = np.exp(sharpness * (cosine - 1.0))
    weight /= weight.sum()
    legendre = (
        np.ones_like(cosine),
        cosine,
        0.5 * (3.0 * cosine**2 - 1.0),
        0.5 * (5.0 * cosine**3 - 3.0 * cosine),
    )
    return tuple(float((weight * each).sum()) for each in legendre)
