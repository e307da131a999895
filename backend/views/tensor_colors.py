# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB and linear RGB of tensors on any device: the curves of `shared.srgb`.

On the CPU numpy computes them, whose powers end in other bits than those of torch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..shared.srgb import DISPLAY_KNEE, LINEAR_KNEE, linear_to_srgb, srgb_to_linear


def linear_of(display: Tensor) -> Tensor:
    """SRGB values in 0..1, of any shape, as linear RGB."""
    if display.is_cpu:
        return torch.from_numpy(srgb_to_linear(display.numpy()))
    curve = ((display.clamp(min=DISPLAY_KNEE) + 0.055) / 1.055) ** 2.4
    return torch.where(display <= DISPLAY_KNEE, display / 12.92, curve)


def displayed(linear: Tensor) -> Tensor:
    """Linear RGB, of any shape, clamped to 0..1, as sRGB values."""
    linear = linear.clamp(0.0, 1.0)
    if linear.is_cpu:
        return torch.from_numpy(linear_to_srgb(linear.numpy()))
    curve = 1.055 * linear.clamp(min=LINEAR_KNEE) ** (1.0 / 2.4) - 0.055
    return torch.where(linear <= LINEAR_KNEE, 12.92 * linear, curve)
