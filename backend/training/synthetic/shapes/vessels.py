# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random vessels: cups, bowls, vases, pots and bottles, with cavities, handles and lids."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..paints.recipes import Extent
from .assembly import Pose
from .bending import Symmetry
from .bodies import Body, ball, lathe
from .shape import Hollow, Part
from .solids import tube

if TYPE_CHECKING:
    from .assembly import Assembler
    from .solids import Point


def vessel(assembler: Assembler) -> list[Part]:
    """A body turned on a lathe, hollow and open on top, with what may be on it."""
    random = assembler.random
    profile = _profile(random)
    body = lathe([(-0.6, profile[0][1]), *profile, (-0.6, profile[-1][1])], 2, assembler.device)
    wall = assembler.part(body, Pose(1.0))
    thickness = float(random.uniform(0.03, 0.1))
    top = body.extent.high - thickness - 0.03
    hollow = Hollow(thickness, assembler.painter.axis(2), top)
    parts = [replace(wall, hollow=hollow, lining=assembler.painter.lining(wall.paint))]
    if random.random() < 0.25:
        parts[0] = assembler.with_relief(parts[0], body.extent.radius)
    if random.random() < 0.5:
        handle = assembler.part(_handle(profile, random), Pose(1.0))
        both = Symmetry(mirrored=random.random() < 0.35)
        fillet = float(random.uniform(0.0, 0.05))
        parts.append(replace(handle, symmetry=both, fillet=fillet))
    if random.random() < 0.25:
        size = float(random.uniform(0.2, 0.6)) * profile[-1][0]
        content = assembler.part(ball(random), Pose(size))
        attached = assembler.attached(content, parts[:1])
        parts += [] if attached is None else [attached]
    if random.random() < 0.15:
        parts.append(_lid(profile, top, assembler))
    return parts


def _profile(random: np.random.Generator) -> list[tuple[float, float]]:
    """Radii and heights of the outside, from the foot to the rim."""
    half = float(random.uniform(0.2, 0.9))
    count = int(random.integers(3, 7))
    heights = np.linspace(-half, half, count)
    style = int(random.integers(4))
    if style == 0:  # a cup: nearly straight
        radii = random.uniform(0.35, 0.7) * (1.0 + random.uniform(-0.1, 0.3) * (heights / half))
    elif style == 1:  # a bowl
        radii = 0.25 + 0.6 * np.sqrt((heights + half) / (2.0 * half) + 0.02)
    elif style == 2:  # a vase: round, with a neck
        radii = 0.25 + random.uniform(0.2, 0.5) * np.sin(np.linspace(0.4, 2.9, count))
    else:
        radii = random.uniform(0.2, 0.7, count)
    return list(zip(radii.tolist(), heights.tolist(), strict=True))


def _handle(profile: list[tuple[float, float]], random: np.random.Generator) -> Body:
    """A bent rod at the side of +x, from one height of the profile to another."""
    radii, heights = (np.array(each) for each in zip(*profile, strict=True))
    low = float(random.uniform(heights[0], 0.0))
    high = float(random.uniform(0.1 * heights[-1], 0.75 * heights[-1]))
    out = float(random.uniform(0.15, 0.4))
    shares = np.linspace(0.0, 1.0, 11)
    z = low + (high - low) * shares
    x = np.interp(z, heights, radii) - 0.05 + (out + 0.05) * np.sin(math.pi * shares) ** 0.6
    path: list[Point] = [(a, 0.0, b) for a, b in zip(x.tolist(), z.tolist(), strict=True)]
    thick = float(random.uniform(0.03, 0.08))
    reach = max(math.hypot(*point) for point in path) + thick
    solid = partial(tube, starts=path[:-1], ends=path[1:], radius=thick)
    return Body(solid, reach, Extent(reach, low, high, is_round=False))


def _lid(profile: list[tuple[float, float]], top: float, assembler: Assembler) -> Part:
    """A lid with a knob, or a stopper."""
    radius = profile[-1][0] * 1.04
    steps = [(radius, -0.04), (radius, 0.03), (0.25 * radius, 0.1), (0.22 * radius, 0.18)]
    body = lathe([(-0.6, -0.04), *steps, (-0.6, 0.2)], 1, assembler.device)
    return assembler.part(body, Pose(1.0, (0.0, 0.0, top)))
