# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes: parts joined and cut, as one signed distance in the sphere of radius 0.5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from .bending import Symmetry
from .solids import smooth_union

if TYPE_CHECKING:
    from torch import Tensor

    from ....shared.cameras import Normalization
    from ..paints.paint import Paint
    from .bending import Bending
    from .relief import Relief

Solid = Callable[["Tensor"], "Tensor"]
"""A signed distance: points [n, 3] to [n]."""

NEAR = 0.3
"""Farther than this from the sphere of a part, in its radii, the distance to that sphere counts."""


@dataclass(frozen=True)
class Hollow:
    """What makes a part a thin shell, open where a plane cuts it.

    Attributes:
        thickness: of the shell, from the surface inwards.
        normal: of the plane, pointing to what is cut away, unit; None leaves the shell closed.
        offset: of the plane from the origin of the part, along the normal.
    """

    thickness: float
    normal: Tensor | None = None
    offset: float = 0.0

    def distance(self, solid: Tensor, points: Tensor) -> Tensor:
        """The distance of the shell, by that of the solid, [n]."""
        shell = torch.maximum(solid, -self.thickness - solid)
        if self.normal is None:
            return shell
        return torch.maximum(shell, points @ self.normal - self.offset)


@dataclass(frozen=True)
class Part:
    """One solid in its place.

    Attributes:
        solid: its distance, in coordinates of its own.
        radius: of a sphere around its origin that it lies in, with its relief.
        paint: its material.
        position: of its origin in the object, [3].
        rotation: its axes in the object, as columns, [3, 3].
        slope: of its distance, at most.
        symmetry: copies of it.
        bending: deforms it.
        relief: on its surface.
        hollow: makes it a shell.
        lining: the material of the inside of a shell.
        fillet: width of the fillet where it meets the parts before it; 0 is a sharp edge.
    """

    solid: Solid
    radius: float
    paint: Paint
    position: Tensor
    rotation: Tensor
    slope: float = 1.0
    symmetry: Symmetry = field(default_factory=Symmetry)
    bending: Bending | None = None
    relief: Relief | None = None
    hollow: Hollow | None = None
    lining: Paint | None = None
    fillet: float = 0.0

    def distance(self, points: Tensor) -> Tensor:
        """A lower bound of the distance at points [n, 3], exact in sign, [n]."""
        placed = self._placed(points)
        own = self._bent(placed)
        found = self._outside(own)
        if self.hollow is not None:
            found = self.hollow.distance(found, own)
        slope = self._total_slope()
        if slope == 1.0:
            return found
        away = placed.norm(dim=1) - self.radius
        return torch.where(away > NEAR * self.radius, away, found / slope)

    def material(self, points: Tensor, width: float) -> Tensor:
        """Base color, roughness and metallic at points [n, 3] of the surface, [n, 5]."""
        own = self._bent(self._placed(points))
        found = self.paint.at(own, width)
        if self.hollow is None or self.lining is None:
            return found
        inside = self._outside(own) < -0.5 * self.hollow.thickness
        return torch.where(inside[:, None], self.lining.at(own, width), found)

    def _placed(self, points: Tensor) -> Tensor:
        return (self.symmetry.fold(points) - self.position) @ self.rotation

    def _bent(self, placed: Tensor) -> Tensor:
        return self.bending.apply(placed) if self.bending is not None else placed

    def _outside(self, own: Tensor) -> Tensor:
        """The distance without the cavity."""
        found = self.solid(own)
        return found - self.relief.at(own) if self.relief is not None else found

    def _total_slope(self) -> float:
        steepness = self.relief.steepness if self.relief is not None else 0.0
        bent = self.bending.slope if self.bending is not None else 1.0
        return (self.slope + steepness) * bent


@dataclass(frozen=True)
class Shape:
    """Parts and cuts of one object.

    Attributes:
        parts: joined one after the other.
        cuts: solids that are cut out of all of them.
        normalization: from the coordinates of the parts into the sphere of radius 0.5.
    """

    parts: tuple[Part, ...]
    cuts: tuple[Part, ...]
    normalization: Normalization

    def distance(self, points: Tensor) -> Tensor:
        """A lower bound of the signed distance at points [n, 3], exact in sign, [n]."""
        return self.normalization.scale * joined_distance(
            self.parts, self.cuts, self._in_parts(points)
        )

    def normals(self, points: Tensor, step: float) -> Tensor:
        """Unit normals [n, 3] at points [n, 3] of the surface, by differences of a step.

        Four evaluations at the corners of a tetrahedron.
        """
        corners = points.new_tensor([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
        total = torch.zeros_like(points)
        for corner in corners:
            total += self.distance(points + step * corner)[:, None] * corner
        return torch.nn.functional.normalize(total, dim=1)

    def materials(self, points: Tensor, width: float) -> Tensor:
        """Base color, roughness and metallic at points [n, 3] of the surface, [n, 5].

        Args:
            points: where.
            width: of a sample on the surface.
        """
        inner = self._in_parts(points)
        nearest = torch.stack([part.distance(inner) for part in self.parts]).argmin(dim=0)
        found = points.new_zeros(len(points), 5)
        for number, part in enumerate(self.parts):
            chosen = torch.nonzero(nearest == number)[:, 0]
            found[chosen] = part.material(inner[chosen], width / self.normalization.scale)
        return found

    def _in_parts(self, points: Tensor) -> Tensor:
        center = points.new_tensor(self.normalization.center)
        return points / self.normalization.scale + center


def joined_distance(parts: tuple[Part, ...], cuts: tuple[Part, ...], points: Tensor) -> Tensor:
    """The distance of parts joined and cut, in their coordinates, at points [n, 3], [n]."""
    joined = parts[0].distance(points)
    for part in parts[1:]:
        other = part.distance(points)
        if part.fillet > 0.0:
            joined = smooth_union([joined, other], part.fillet)
        else:
            joined = torch.minimum(joined, other)
    for cut in cuts:
        joined = torch.maximum(joined, -cut.distance(points))
    return joined
