# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The field: at any point a signed distance, an appearance and a density; differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from .decoders import MlpDecoder
from .density import density
from .volumes import DenseVolume, SparseVolume

if TYPE_CHECKING:
    from collections.abc import Callable

    from .decoders import Decoder


def gradient(quantity: Callable[[Tensor], Tensor], points: Tensor, width: float) -> Tensor:
    """The gradient of a quantity [points] at points [points, 3], by differences over 2 width."""
    sides = [(points + offset, points - offset) for offset in width * torch.eye(3).to(points)]
    rises = [quantity(ahead) - quantity(behind) for ahead, behind in sides]
    return torch.stack(rises, dim=1) / (2 * width)


class Field(Protocol):
    """What renderers, meshing and baking ask of a field. Points are [points, 3] (x, y, z)."""

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points] world units of the model, negative inside."""

    def appearance(self, points: Tensor) -> Tensor:
        """[points, channels] in 0..1."""

    def density(self, points: Tensor) -> Tensor:
        """[points] 1 / world units."""


@dataclass(frozen=True)
class VolumeField:
    """One feature volume and the decoder of its features."""

    volume: DenseVolume | SparseVolume
    decoder: Decoder
    inverse_std: float

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        if isinstance(self.decoder, MlpDecoder):
            decoded = self.volume.decode(points, self.decoder.sdf_networks())
            return self.decoder.distance_of(decoded, points)
        return self.decoder.signed_distance(self.volume.sample(points), points)

    def appearance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]."""
        if isinstance(self.decoder, MlpDecoder):
            networks = self.decoder.appearance_networks()
            return torch.sigmoid(self.volume.decode(points, networks))
        return self.decoder.appearance(self.volume.sample(points))

    def density(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return density(self.signed_distance(points), self.inverse_std)


@dataclass(frozen=True)
class TwoLevelField:
    """The sparse volume near the surface, the coarse one elsewhere, each with its own decoder."""

    coarse: VolumeField
    fine: VolumeField  # over a SparseVolume

    def is_fine(self, points: Tensor) -> Tensor:
        """Which points the sparse volume answers for, [points] bool."""
        volume = self.fine.volume
        if not isinstance(volume, SparseVolume):
            raise TypeError("the fine level of a field must be a sparse volume")
        return volume.contains(points)

    def signed_distance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]."""
        return self._choose("signed_distance", points)

    def appearance(self, points: Tensor) -> Tensor:
        """[points, 3] to [points, channels]."""
        return self._choose("appearance", points)

    def density(self, points: Tensor) -> Tensor:
        """[points, 3] to [points]; each level has its own sharpness."""
        return self._choose("density", points)

    def _choose(self, quantity: str, points: Tensor) -> Tensor:
        """Ask each level about its own points only, and put the answers back in order."""
        fine = self.is_fine(points)
        order = torch.cat([torch.nonzero(~fine), torch.nonzero(fine)]).flatten()
        answers = [
            getattr(level, quantity)(points[rows])
            for level, rows in ((self.coarse, ~fine), (self.fine, fine))
        ]
        return torch.cat(answers)[torch.argsort(order)]
