# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature volumes over the cube [-half_side, half_side]^3: a dense one, and rows near the surface.

Grid axes are [z, y, x], points (x, y, z). The outermost samples lie on the faces of the cube.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .gather import gather_rows


@dataclass(frozen=True)
class DenseVolume:
    """Features on a full grid, trilinear between the samples, constant outside of the cube."""

    features: Tensor  # [channels, z, y, x]
    half_side: float

    def sample(self, points: Tensor) -> Tensor:
        """The trilinear feature of eq. (10), [points, 3] to [points, channels].

        Computed in float32, returned in the volume's dtype.
        """
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
        corners, weights = self.corners(points)
        row = self.index.flatten()[corners]
        kept = row >= 0
        result = points.new_zeros(points.shape[0], self.rows.shape[1])
        if self.rows.shape[0]:
            result = gather_rows(self.rows, row, weights)
        partly = torch.nonzero(~kept.all(1))[:, 0]
        if len(partly) == 0:
            return result
        missing = (weights * ~kept)[partly, :, None]
        return result.index_add(0, partly, (missing * self._nearest(corners[partly])).sum(1))

    def corners(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The voxels around points and their trilinear weights.

        Args:
            points: [points, 3] (x, y, z).

        Returns:
            Flat indices into the grid, int32 [points, 8], and weights [points, 8].
        """
        size = self.resolution
        place = (0.5 * (points / self.coarse.half_side + 1)).clamp(0, 1) * (size - 1)
        low = place.floor().clamp(max=size - 2)
        fraction = place - low
        x, y, z = low.int().unbind(1)
        steps = torch.tensor([0, 1, size, size + 1], dtype=torch.int32, device=points.device)
        corners = torch.cat([steps, steps + size * size]) + ((z * size + y) * size + x)[:, None]
        x_weight, y_weight, z_weight = torch.stack([1 - fraction, fraction], 2).unbind(1)
        plane = (y_weight[:, :, None] * x_weight[:, None]).flatten(1)
        return corners, (z_weight[:, :, None] * plane[:, None]).flatten(1)

    def contains(self, points: Tensor) -> Tensor:
        """Whether the voxel of a point is kept, [points] bool.

        QUIRK 16: voxels are looked up in the unit cube, five percent smaller than the volume.
        """
        voxel = (points + 0.5).clamp(0, 1) * (self.resolution - 1)
        x, y, z = voxel.round().long().unbind(1)  # halves to even, as torch rounds
        return self.index[z, y, x] >= 0

    def _nearest(self, flat: Tensor) -> Tensor:
        """Dense features [..., channels] of the cells that hold voxels [...] (flat indices)."""
        dense = self.coarse.features
        ratio, cells = self.resolution // dense.shape[-1], dense.shape[-1]
        x = flat % self.resolution
        y = flat // self.resolution % self.resolution
        z = flat // self.resolution**2
        x, y, z = ((axis // ratio).clamp(max=cells - 1) for axis in (x, y, z))
        return dense[:, z, y, x].movedim(0, -1).to(self.rows.dtype)
