# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversion between display-referred sRGB and linear RGB, with the constants of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Between the linear part and the curve, with more digits than the 0.04045 and 0.0031308 of the
# standard (IEC 61966-2-1).
DISPLAY_KNEE = 0.0404482362771082
LINEAR_KNEE = 0.00313066844250063


def srgb_to_linear(display: NDArray[Any]) -> NDArray[Any]:
    """SRGB values in 0..1 as linear RGB, of the same dtype."""
    curve = ((np.maximum(display, DISPLAY_KNEE) + 0.055) / 1.055) ** 2.4
    linear: NDArray[Any] = np.where(display <= DISPLAY_KNEE, display / 12.92, curve)
    return linear.astype(display.dtype, copy=False)


def linear_to_srgb(linear: NDArray[Any]) -> NDArray[Any]:
    """Linear RGB in 0..1 as sRGB values, of the same dtype."""
    curve = 1.055 * np.maximum(linear, LINEAR_KNEE) ** (1.0 / 2.4) - 0.055
    display: NDArray[Any] = np.where(linear <= LINEAR_KNEE, 12.92 * linear, curve)
    return display.astype(linear.dtype, copy=False)
