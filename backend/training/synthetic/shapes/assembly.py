# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies made into parts: placed, attached to each other, painted, bent, hollowed, given relief."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from ..paints.recipes import Extent, Painter
from .bending import BEND, TAPER, TWIST, Bending
from .enclosing import surface_point
from .relief import Flutes, Grooves, Waves
from .shape import NEAR, Hollow, Part, joined_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .bodies import Body
    from .relief import Relief
    from .shape import Solid

    Floats = NDArray[np.float64]

UPRIGHT = np.eye(3)


@dataclass(frozen=True)
class Pose:
    """Where a body stands, and how large it is.

    Attributes:
        size: of the body, whose radius is about 1 without.
        position: of its origin, (x, y, z).
        rotation: its axes as columns, [3, 3].
    """

    size: float
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: Floats | None = None


class Assembler:
    """Makes the parts of one object.

    Args:
        random: of the object.
        device: of its tensors.
    """

    def __init__(self, random: np.random.Generator, device: torch.device) -> None:
        self.random, self.device = random, device
        self.painter = Painter(random, device)

    def part(self, body: Body, pose: Pose) -> Part:
        """A body in its place, painted."""
        size = pose.size
        extent = body.extent
        scaled = Extent(
            size * extent.radius, size * extent.low, size * extent.high, extent.is_round
        )
        rotation = UPRIGHT if pose.rotation is None else pose.rotation
        return Part(
            solid=partial(_scaled, solid=body.solid, size=size),
            radius=size * body.radius,
            paint=self.painter.paint(scaled),
            position=self._tensor(pose.position),
            rotation=self._tensor(rotation),
            slope=body.slope,
        )

    def any_rotation(self) -> Floats:
        """A random rotation [3, 3]; often a quarter turn, as things are built."""
        if self.random.random() < 0.5:
            quarters = 90.0 * self.random.integers(4, size=3)
            return np.asarray(Rotation.from_euler("xyz", quarters, degrees=True).as_matrix())
        quaternion = self.random.normal(size=4)
        return np.asarray(Rotation.from_quat(quaternion).as_matrix())

    def attached(self, part: Part, others: Sequence[Part]) -> Part | None:
        """A part moved so that a point of its surface touches the others; None if none is found."""
        found = surface_point(
            partial(joined_distance, tuple(others), ()), reach_of(others), self.random, self.device
        )
        centered = replace(part, position=torch.zeros_like(part.position))
        own = surface_point(centered.distance, part.radius, self.random, self.device)
        if found is None or own is None:
            return None
        point, normal = found
        sunk = self.random.uniform(0.02, 0.2) * part.radius
        fillet = float(self.random.uniform(0.02, 0.1)) if self.random.random() < 0.5 else 0.0
        return replace(part, position=point - own[0] - sunk * normal, fillet=fillet)

    def bent(self, part: Part) -> Part:
        """A part that is twisted, bent or tapered, if it is not already."""
        kind = str(self.random.choice([TWIST, BEND, TAPER]))
        reach = (1.0 + NEAR) * part.radius
        most = {TWIST: 2.2, BEND: 1.0, TAPER: 0.3}[kind]
        amount = float(self.random.uniform(0.3, 1.0) * most * self.random.choice([-1, 1]))
        radius = part.radius * (1.0 + abs(amount)) if kind == TAPER else part.radius
        return replace(part, bending=Bending(kind, amount / reach, reach), radius=radius)

    def with_relief(self, part: Part, extent_radius: float) -> Part:
        """A part with a height field."""
        relief = self._relief(extent_radius)
        return replace(part, relief=relief, radius=part.radius + relief.height)

    def hollowed(self, part: Part, *, opening: tuple[float, Floats] | None = None) -> Part:
        """A part made a thin shell, cut open by a plane.

        Args:
            part: that becomes a shell.
            opening: offset and normal of the plane; by default a random one.
        """
        thickness = float(part.radius * self.random.uniform(0.04, 0.1))
        if opening is None:
            normal = self.random.normal(size=3)
            normal /= np.linalg.norm(normal)
            opening = float(part.radius * self.random.uniform(-0.1, 0.35)), normal
        hollow = Hollow(thickness, self._tensor(opening[1]), opening[0])
        return replace(part, hollow=hollow, lining=self.painter.lining(part.paint))

    def _relief(self, radius: float) -> Relief:
        """A height field that keeps distances usable: slopes of at most about 0.8."""
        random = self.random
        kind = int(random.integers(4))
        if kind == 0:
            spacing = radius * random.uniform(0.08, 0.4)
            height = spacing / math.tau * random.uniform(0.2, 0.6)
            return Grooves(float(height), int(random.integers(3)), float(spacing))
        if kind == 1:
            count = int(random.integers(6, 25))
            height = radius / (count + 1) * random.uniform(0.2, 0.6)
            return Flutes(float(height), count, 0.8 * radius, float(random.choice([0.0, 1.0])))
        finest = random.uniform(0.1, 0.5) * radius if kind == 2 else 0.06 * radius
        directions = random.normal(size=(3, 10))
        directions /= np.linalg.norm(directions, axis=0)
        lengths = finest * random.uniform(1.0, 4.0, 10)
        shares = lengths / lengths.sum()
        steepness = float((math.tau / lengths * shares).sum())
        height = random.uniform(0.2, 0.6) / steepness
        phases = random.uniform(0.0, math.tau, 10)
        return Waves(
            float(height),
            self._tensor(directions * (math.tau / lengths)),
            self._tensor(phases),
            self._tensor(shares),
        )

    def _tensor(self, values: object) -> torch.Tensor:
        return torch.from_numpy(np.array(values, np.float32)).to(self.device)


def _scaled(points: torch.Tensor, solid: Solid, size: float) -> torch.Tensor:
    return size * solid(points / size)


def reach_of(parts: Sequence[Part]) -> float:
    """The radius of a sphere around the origin that parts and their fillets lie in."""
    fillet = max(part.fillet for part in parts)
    return max(float(part.position.norm()) + part.radius for part in parts) + 0.25 * fillet
