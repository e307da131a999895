# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The field: at any point a signed distance, an appearance and a density; differentiable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from .density import density
from .volumes import DenseVolume, FeatureVolume, SparseVolume

if TYPE_CHECKING:
    from .decoders import Decoder

Volume_co = TypeVar("Volume_co", bound=FeatureVolume, covariant=True)


PointFunction: TypeAlias = Callable[[Tensor], Tensor]
"""Values [n] or [n, channels] at points [n, 3] (x, y, z)."""


def gradient(function: PointFunction, points: Tensor, width: float) -> Tensor:
    """The gradient of a function [points] at points [points, 3], by differences over 2 width."""
    axes = torch.eye(3, dtype=points.dtype, device=points.device)
    sides = [(points + offset, points - offset) for offset in width * axes]
    rises = [function(ahead) - function(behind) for ahead, behind in sides]
    return torch.stack(rises, dim=1) / (2 * width)


class Field(Protocol):
    """What renderers, meshing and baking need of a field. Points are [points, 3] (x, y, z)."""

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points] world units of the model, negative inside."""

    def appearance(self, points: Tensor) -> Tensor:
        """[points, channels] in 0..1."""

    def density(self, points: Tensor) -> Tensor:
        """[points] 1 / world units."""

    def radiance(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [points] and appearance [points, channels], for less than one by one."""


@dataclass(frozen=True)
class VolumeField(Generic[Volume_co]):
    """One feature volume and the decoder of its features.

    Attributes:
        volume: dense, or sparse over a dense one.
        decoder: of its features.
        inverse_std: sharpness of the VolSDF density, 1 / world units.
    """

    volume: Volume_co
    decoder: Decoder
    inverse_std: float

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return self.decoder.sample_distance(self.volume, points)

    def appearance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]."""
        return self.decoder.sample_appearance(self.volume, points)

    def density(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return density(self.signed_distance(points), self.inverse_std)

    def radiance(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [points] and appearance [points, channels], of features sampled once."""
        distance, appearance = self.decoder.sample_both(self.volume, points)
        return density(distance, self.inverse_std), appearance


@dataclass(frozen=True)
class TwoLevelField:
    """The sparse volume near the surface, the coarse one elsewhere, each with its own decoder.

    Attributes:
        coarse: of the dense stage, everywhere in the cube.
        sparse: of the sparse stage, where its voxels are kept.
    """

    coarse: VolumeField[DenseVolume]
    sparse: VolumeField[SparseVolume]

    def in_sparse_volume(self, points: Tensor) -> Tensor:
        """Which points lie in a kept voxel of the sparse volume, [points] bool."""
        return self.sparse.volume.contains(points)

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return self._evaluate("signed_distance", points)

    def appearance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]."""
        return self._evaluate("appearance", points)

    def density(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]; each level has its own sharpness."""
        return self._evaluate("density", points)

    def radiance(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [points] and appearance [points, channels], of features sampled once."""
        values, order = self._by_level("radiance", points)
        density, appearance = (torch.cat(each)[order] for each in zip(*values, strict=True))
        return density, appearance

    def _evaluate(self, quantity: str, points: Tensor) -> Tensor:
        values, order = self._by_level(quantity, points)
        return torch.cat(values)[order]

    def _by_level(self, quantity: str, points: Tensor) -> tuple[list[Any], Tensor]:
        """What each level has at its own points only, and the order that puts these in order."""
        sparse = self.in_sparse_volume(points)
        order = torch.cat([torch.nonzero(~sparse), torch.nonzero(sparse)]).flatten()
        values = [
            getattr(level, quantity)(points[rows])
            for level, rows in ((self.coarse, ~sparse), (self.sparse, sparse))
        ]
        return values, torch.argsort(order)
