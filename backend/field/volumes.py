# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature volumes over the cube [-half_side, half_side]^3: a dense one, and rows near the surface.

Grid axes are [z, y, x], points (x, y, z). The outermost samples lie on the faces of the cube.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class DenseVolume:
    """Features on a full grid, trilinear between the samples, constant outside of the cube."""

    features: Tensor  # [channels, z, y, x]
    half_side: float

    def sample(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]; computed in float32, in the volume's dtype."""
        wide = torch.promote_types(self.features.dtype, torch.float32)
        places = (points / self.half_side).to(wide).view(1, 1, 1, -1, 3)
        features = self.features[None].to(wide)
        sampled = F.grid_sample(features, places, padding_mode="border", align_corners=True)
        return sampled[0, :, 0, 0].T.to(self.features.dtype)


@dataclass(frozen=True)
class SparseVolume:
    """Features of the kept voxels on a fine grid, with a dense volume where none are kept."""

    rows: Tensor  # [rows, channels]
    index: Tensor  # [z, y, x] int, the row of every voxel, -1 where there is none
    coarse: DenseVolume

    @property
    def resolution(self) -> int:
        """Voxels per side."""
        return self.index.shape[-1]

    def sample(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels], trilinear between the eight voxels around.

        QUIRK 15: a missing voxel takes the nearest dense feature, not an interpolated one.
        """
        last = self.resolution - 1
        place = (0.5 * (points / self.coarse.half_side + 1)).clamp(0, 1) * last
        low = place.floor()
        fraction, low = place - low, low.long()
        high = (low + 1).clamp(max=last)
        result = points.new_zeros(points.shape[0], self.rows.shape[1])
        for corner in itertools.product((False, True), repeat=3):
            upper = torch.tensor(corner, device=points.device)
            weight = torch.where(upper, fraction, 1 - fraction).prod(1, keepdim=True)
            result = result + weight * self._at(torch.where(upper, high, low))
        return result

    def contains(self, points: Tensor) -> Tensor:
        """Whether the voxel of a point is kept, [points] bool.

        QUIRK 16: voxels are looked up in the unit cube, five percent smaller than the volume.
        """
        voxel = (points + 0.5).clamp(0, 1) * (self.resolution - 1)
        x, y, z = voxel.round().long().unbind(1)  # halves to even, as torch rounds
        return self.index[z, y, x] >= 0

    def _at(self, voxel: Tensor) -> Tensor:
        """Features [points, channels] of voxels [points, 3] (x, y, z)."""
        x, y, z = voxel.unbind(1)
        row = self.index[z, y, x].long()
        dense = self.coarse.features
        ratio = self.resolution // dense.shape[-1]
        x, y, z = (voxel // ratio).clamp(max=dense.shape[-1] - 1).unbind(1)
        nearest = dense[:, z, y, x].T.to(self.rows.dtype)
        if self.rows.shape[0] == 0:
            return nearest
        return torch.where((row >= 0)[:, None], self.rows[row.clamp(min=0)], nearest)
