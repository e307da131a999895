# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A head that only training has: the point of every input pixel, from the image tokens of blocks.

A dense prediction decoder (René Ranftl et al., "Vision Transformers for Dense Prediction", arXiv
2103.13413): token maps of several depths become feature maps of several sizes, the early ones fine,
and are fused from coarse to fine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kernels.layer_norm import layer_norm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model.config.model_config import StageConfig


class PointHead(nn.Module):
    """Image tokens of several blocks to a point per pixel, in the model's box."""

    def __init__(self, config: StageConfig, width: int = 128) -> None:
        super().__init__()
        self.side, self.size = config.patches_per_side, config.image_size
        self.half_side = config.decoder.half_side
        maps = len(config.transformer.skip_links) + 1
        self.project = nn.ModuleList(
            nn.Conv2d(config.transformer.width, width, 1) for _ in range(maps)
        )
        self.fuse = nn.ModuleList(_Fusion(width, coarsest=not number) for number in range(maps))
        self.points = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1), nn.ReLU(), nn.Conv2d(width // 2, 3, 1)
        )

    def forward(self, image_features: Sequence[Tensor]) -> Tensor:
        """The points of all pixels, [images, 3, size, size], model frame.

        Args:
            image_features: [instances, image tokens, width] each, the last block's first, then
                those of ever earlier blocks.
        """
        count = len(image_features)
        fused: Tensor | None = None
        for number, feature in enumerate(image_features):  # the last one is the coarsest
            grid = layer_norm(feature).reshape(-1, self.side, self.side, feature.shape[-1])
            projected = self.project[number](grid.permute(0, 3, 1, 2))
            size = max(1, round(self.side * 2.0 ** (number - 1 if count > 1 else 0)))
            scaled = F.interpolate(projected, (size, size), mode="bilinear")
            fused = self.fuse[number](scaled, fused)
        points: Tensor = self.points(fused)
        whole = F.interpolate(points, (self.size, self.size), mode="bilinear")
        return torch.tanh(whole) * self.half_side


class _Fusion(nn.Module):
    """Adds a coarser map, enlarged, to a finer one, between two residual units."""

    def __init__(self, width: int, *, coarsest: bool) -> None:
        super().__init__()
        self.before = nn.Identity() if coarsest else _ResidualUnit(width)
        self.after = _ResidualUnit(width)

    def forward(self, fine: Tensor, coarse: Tensor | None) -> Tensor:
        """Maps [images, width, height, width]; the result has the size of the finer one."""
        fine = self.before(fine)
        if coarse is not None:
            fine = fine + F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
        fused: Tensor = self.after(fine)
        return fused


class _ResidualUnit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [images, width, height, width] to the same."""
        changed: Tensor = self.second(F.relu(self.first(F.relu(maps))))
        return maps + changed


def point_loss(points: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """The squared error of points inside the mask, on average over all pixels, a scalar.

    Args:
        points: [images, 3, size, size].
        truth: like points.
        mask: [images, 1, size, size], where it is known.
    """
    return ((points.to(truth) - truth) * mask).square().mean()
