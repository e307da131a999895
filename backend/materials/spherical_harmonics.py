# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real spherical harmonics to degree three: what a vertex sees, blurred by a lobe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


CLAMPED_COSINE = np.repeat([np.pi, 2.0 * np.pi / 3.0, np.pi / 4.0, 0.0], [1, 3, 5, 7])
"""By what each coefficient of radiance shrinks to that of irradiance, [16]."""


def basis(directions: Floats, axis: int = -1) -> Floats:
    """The 16 basis functions at unit directions [..., 3], [..., 16].

    Args:
        directions: unit.
        axis: of the result that counts the functions.
    """
    x, y, z = np.moveaxis(directions, -1, 0)
    functions = (
        np.full_like(x, 0.282095),
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
    return np.stack(functions, axis=axis)


def gaussian_attenuation(sharpness: float) -> Floats:
    """By what each coefficient shrinks when blurred by a normalized spherical Gaussian, [16]."""
    cosine = np.linspace(-1.0, 1.0, 4001)
    weight = np.exp(sharpness * (cosine - 1.0))
    weight /= weight.sum()
    legendre = (
        np.ones_like(cosine),
        cosine,
        0.5 * (3.0 * cosine**2 - 1.0),
        0.5 * (5.0 * cosine**3 - 3.0 * cosine),
    )
    return np.repeat([float((weight * each).sum()) for each in legendre], [1, 3, 5, 7])
