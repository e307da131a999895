# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target views and what a field shows of them: as a picture, and as decibels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ...field.config import Prediction
    from .chunked_rendering import Rendering
    from .image_losses import Truth

SMALLEST_ERROR = 1e-10
"""Mean squared error that counts as none: 100 dB."""


def comparison(found: Rendering, truth: Truth, prediction: Prediction) -> Tensor:
    """Rows of views: true and predicted colors, or base colors and materials; opacity.

    Returns:
        [3, rows * height, views * width] in 0..1.
    """
    views, _, height, width = truth.mask.shape
    shown = found.appearance.float().cpu().view(views, height, width, -1).permute(0, 3, 1, 2)
    opacity = found.opacity.float().cpu().view(views, 1, height, width)
    rows = []
    if prediction != "pbr":
        rows += [truth.rgb, shown[:, :3]]
        shown = shown[:, 3:]
    if prediction != "rgb":
        black = torch.zeros_like(opacity)
        for true, own in ((truth.base_color, shown[:, :3]), (truth.material, shown[:, 3:5])):
            rows += [_colored(each, black) for each in (true, own) if each is not None]
    rows.append(opacity)
    return torch.cat([torch.cat([*row.expand(-1, 3, -1, -1)], 2) for row in rows], 1)


def color_decibels(found: Rendering, truth: Truth, prediction: Prediction) -> list[float]:
    """The PSNR of the colors of every view over white, or of its base colors, as displayed.

    Nothing where base colors are predicted and the true ones are not known.
    """
    true = truth.base_color if prediction == "pbr" else truth.rgb
    if true is None:
        return []
    views, _, height, width = true.shape
    shown = found.appearance.float().cpu().view(views, height, width, -1).permute(0, 3, 1, 2)
    error = (shown[:, :3] - true.cpu()).square().mean((1, 2, 3))
    return [-10 * math.log10(max(each, SMALLEST_ERROR)) for each in error.tolist()]


def _colored(image: Tensor, black: Tensor) -> Tensor:
    """Roughness and metallic as green and blue, as glTF packs them; colors as they are."""
    return image.cpu() if image.shape[1] == 3 else torch.cat([black, image.cpu()], 1)
