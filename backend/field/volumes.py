# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature volumes over the cube [-half_side, half_side]^3: a dense one, and rows near the surface.

Grid axes are [z, y, x], points (x, y, z). The outermost samples lie on the faces of the cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch.nn import functional as F

from kernels.core.precision import widened
from kernels.core.sparse_grid import Bricks, SparseGrid
from kernels.sparse_field import decode, decode_features, sample

from .gather import gather_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from kernels.sparse_field import Network


class FeatureVolume(Protocol):
    """Features at points (x, y, z), world units of the model."""

    def sample(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]."""

    def decode(self, points: Tensor, networks: Sequence[Network]) -> Tensor:
        """What networks compute from the features at points, see `kernels.sparse_field.decode`."""


@dataclass(frozen=True)
class DenseVolume:
    """Features on a full grid, trilinear between the samples, constant outside of the cube.

    Attributes:
        features: [channels, z, y, x].
        half_side: of the cube, world units of the model.
    """

    features: Tensor
    half_side: float

    def sample(self, points: Tensor) -> Tensor:
        """The trilinear feature of eq. (10), [points, 3] to [points, channels].

        Computed in float32, returned in the volume's dtype.
        """
        features = widened(self.features[None])
        positions = (points / self.half_side).to(features.dtype).view(1, 1, 1, -1, 3)
        sampled = F.grid_sample(features, positions, padding_mode="border", align_corners=True)
        return sampled[0, :, 0, 0].T.to(self.features.dtype)

    def decode(self, points: Tensor, networks: Sequence[Network]) -> Tensor:
        """What networks compute from the features at points, see `kernels.sparse_field.decode`."""
        return decode_features(self.sample(points), networks)


@dataclass(frozen=True)
class SparseVolume:
    """Features of the kept voxels on a finer grid, with a dense volume where none are kept.

    Attributes:
        rows: [rows, channels], one per kept voxel.
        bricks: which voxels these are.
        coarse: the dense volume.
    """

    rows: Tensor
    bricks: Bricks
    coarse: DenseVolume

    @property
    def grid(self) -> SparseGrid:
        """The same as the argument of the kernels."""
        return SparseGrid(self.rows, self.bricks, self.coarse.features, self.coarse.half_side)

    def sample(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels], trilinear between the eight voxels around.

        QUIRK 15 (docs/deviations.md): a missing voxel takes the nearest dense feature, not an
        interpolated one.
        """
        return sample(points, self.grid, gather_rows)

    def decode(self, points: Tensor, networks: Sequence[Network]) -> Tensor:
        """What networks compute from the features at points; on a GPU in one kernel."""
        return decode(points, self.grid, networks, gather_rows)

    def contains(self, points: Tensor) -> Tensor:
        """Whether the voxel of a point is kept, [points] bool.

        QUIRK 16 (docs/deviations.md): voxels are looked up in the unit cube, five percent smaller
        than the volume.
        """
        position = (points + 0.5).clamp(0, 1) * (self.bricks.resolution - 1)
        voxels = position.round().int()  # halves to even, as torch rounds
        return self.bricks.rows(voxels[:, :, None])[:, 0] >= 0
