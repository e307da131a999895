# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random shapes: heaps, creatures, towers, rosettes, vessels, furniture and packages.

Each recipe makes one to nine parts, with z up. What they have in common, cuts, bends, relief and
the place in the sphere, is added afterwards.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ....shared.cameras import Normalization
from ..paints.recipes import Extent
from .assembly import UPRIGHT, Assembler, Pose, reach_of
from .bending import Symmetry
from .bodies import Body, ball, block, drum, hoop, lathe, plate, random_body, wires
from .enclosing import MARGIN, enclose
from .shape import Part, Shape, joined_distance
from .solids import box, turned
from .vessels import vessel

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

TRIES = 20
SMALLEST = 0.15
"""Of the radius of what is left of a shape, relative to that of its parts."""

ASIDE = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""The axis of a body laid along x."""


def random_shape(random: np.random.Generator, device: torch.device) -> Shape:
    """A shape, by the random numbers alone."""
    recipes: tuple[Callable[[Assembler], list[Part]], ...] = (
        heap, heap, creature, tower, rosette, vessel, vessel, furniture, package,
    )  # fmt: skip
    for _ in range(TRIES):
        assembler = Assembler(random, device)
        parts = recipes[int(random.integers(len(recipes)))](assembler)
        shape = _finished(parts, assembler)
        if shape is not None:
            return shape
    part = Assembler(random, device).part(ball(random), Pose(1.0))
    return Shape((part,), (), Normalization.from_sphere((0.0, 0.0, 0.0), 1.0, MARGIN))


def _finished(parts: list[Part], assembler: Assembler) -> Shape | None:
    """Parts with what any shape may have; None if nothing worth a picture is left."""
    random = assembler.random
    changed = [_changed(part, assembler) for part in parts]
    cuts = _cuts(changed, assembler) if random.random() < 0.2 else []
    return _enclosed(changed, cuts)


def _enclosed(parts: list[Part], cuts: list[Part]) -> Shape | None:
    """The shape of parts and cuts, moved into the sphere."""
    joined, cutting = tuple(parts), tuple(cuts)
    reach = reach_of(joined)

    def distance(points: torch.Tensor) -> torch.Tensor:
        return joined_distance(joined, cutting, points)

    normalization = enclose(distance, reach, parts[0].position.device)
    if normalization is None or 0.5 / normalization.scale < SMALLEST * reach:
        return None
    return Shape(joined, cutting, normalization)


def _changed(part: Part, assembler: Assembler) -> Part:
    """A part with a height field, or bent, sometimes."""
    random = assembler.random
    if part.hollow is None and random.random() < 0.15:
        part = assembler.bent(part)
    if part.relief is None and random.random() < 0.3:
        part = assembler.with_relief(part, 0.7 * part.radius)
    return part


def _cuts(parts: list[Part], assembler: Assembler) -> list[Part]:
    """One or two holes, notches or sliced sides."""
    random = assembler.random
    cuts = []
    for _ in range(int(random.integers(1, 3))):
        body = (drum, block, ball)[int(random.integers(3))](random)
        size = reach_of(parts) * random.uniform(0.25, 0.6)
        cut = assembler.part(body, Pose(float(size), rotation=assembler.any_rotation()))
        placed = assembler.attached(cut, parts)
        if placed is not None:
            cuts.append(replace(placed, fillet=0.0))
    return cuts


def heap(assembler: Assembler) -> list[Part]:
    """Bodies of any kind, each stuck to those before it."""
    random = assembler.random
    parts = [_placed_body(assembler, float(random.uniform(0.6, 1.0)))]
    for _ in range(int(random.integers(0, 9))):
        part = _placed_body(assembler, float(random.uniform(0.2, 0.8)))
        attached = assembler.attached(part, parts)
        if attached is not None:
            parts.append(attached)
    return parts


def _placed_body(assembler: Assembler, size: float) -> Part:
    """A body of any kind at the origin, turned, sometimes made a shell."""
    random = assembler.random
    body = random_body(random, assembler.device)
    part = assembler.part(body, Pose(size, rotation=assembler.any_rotation()))
    return assembler.hollowed(part) if random.random() < 0.2 else part


def creature(assembler: Assembler) -> list[Part]:
    """A body with limbs and head, alike on both sides of x = 0."""
    random = assembler.random
    middle = assembler.part(_trunk(random), Pose(1.0, rotation=_leaning(random)))
    parts = [middle]
    for _ in range(int(random.integers(2, 6))):
        size = float(random.uniform(0.25, 0.7))
        rotation = assembler.any_rotation()
        part = assembler.part(random_body(random, assembler.device), Pose(size, rotation=rotation))
        attached = assembler.attached(part, parts)
        if attached is not None:
            x, y, z = attached.position.tolist()
            position = attached.position.new_tensor([abs(x), y, z])
            parts.append(replace(attached, position=position, symmetry=Symmetry(mirrored=True)))
    head = assembler.attached(assembler.part(ball(random), Pose(0.45)), [middle])
    if head is not None:
        middle_x = head.position.new_tensor([0.0, 1.0, 1.0])
        parts.append(replace(head, position=head.position * middle_x))
    return parts


def _trunk(random: np.random.Generator) -> Body:
    return ball(random) if random.random() < 0.6 else block(random)


def _leaning(random: np.random.Generator) -> np.ndarray:
    """A rotation around x, so that both sides stay alike."""
    angle = random.uniform(0.0, math.pi)
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def tower(assembler: Assembler) -> list[Part]:
    """Bodies of one axis on top of each other: lamps, tools, toys, chess pieces."""
    random = assembler.random
    parts: list[Part] = []
    height = 0.0
    lies = random.random() < 0.25
    for _ in range(int(random.integers(2, 7))):
        body = _round_body(assembler)
        size = float(random.uniform(0.3, 1.0))
        low, high = size * body.extent.low, size * body.extent.high
        position = (0.0, 0.0, height - low)
        if lies:
            position = (position[2], 0.0, 0.0)
        part = assembler.part(body, Pose(size, position, ASIDE if lies else UPRIGHT))
        fillet = float(random.uniform(0.02, 0.1)) if random.random() < 0.4 else 0.0
        parts.append(replace(part, fillet=fillet))
        height += 0.92 * (high - low)
    return parts


def _round_body(assembler: Assembler) -> Body:
    """A body that looks right around an axis."""
    random = assembler.random
    kind = int(random.integers(7))
    if kind == 0:
        return ball(random)
    if kind == 1:
        return hoop(random)
    if kind == 2:
        return plate(random, assembler.device)
    if kind == 3:
        return block(random)
    if kind == 4:
        return _lathe_of_tower(assembler)
    return drum(random)


def _lathe_of_tower(assembler: Assembler) -> Body:
    random = assembler.random
    heights = np.linspace(-0.8, 0.8, 5).tolist()
    radii = random.uniform(0.1, 0.6, 5).tolist()
    steps = list(zip(radii, heights, strict=True))
    return lathe([(-0.6, -0.8), *steps, (-0.6, 0.8)], 2, assembler.device)


def rosette(assembler: Assembler) -> list[Part]:
    """A hub with copies of parts around it: wheels, flowers, gears, stools."""
    random = assembler.random
    hub = assembler.part(_round_body(assembler), Pose(float(random.uniform(0.35, 0.8))))
    parts = [hub]
    for _ in range(int(random.integers(1, 4))):
        turns = int(random.integers(3, 9))
        distance = float(random.uniform(0.4, 0.9))
        size = float(random.uniform(0.2, 0.6))
        body = random_body(random, assembler.device)
        rotation = (UPRIGHT, ASIDE)[int(random.integers(2))]
        height = float(random.uniform(-0.5, 0.5)) * hub.radius
        part = assembler.part(body, Pose(size, (distance, 0.0, height), rotation))
        parts.append(replace(part, symmetry=Symmetry(turns=turns)))
    if random.random() < 0.5:  # a rim that holds them
        rim = assembler.part(hoop(random), Pose(float(random.uniform(0.6, 1.0))))
        parts.append(rim)
    return parts


def furniture(assembler: Assembler) -> list[Part]:
    """A top on legs, with a back or shelves: tables, chairs, racks, cages."""
    random = assembler.random
    x, y, z = random.uniform(0.35, 0.9, 3).tolist()
    thick = float(random.uniform(0.03, 0.1))
    top = _board((x, y, thick), round_top=random.random() < 0.25)
    parts = [assembler.part(top, Pose(1.0, (0.0, 0.0, z)))]
    leg = _board((thick, thick, z), round_top=random.random() < 0.5)
    # Folded twice: four copies of one leg.
    both = Symmetry(mirrored=True, turns=2)
    inset = 0.7 if top.extent.is_round else 0.9
    position = (inset * x - thick, inset * y - thick, 0.0)
    parts.append(replace(assembler.part(leg, Pose(1.0, position)), symmetry=both))
    for _ in range(int(random.integers(0, 3))):
        height = float(random.uniform(-0.7, 0.7)) * z
        shelf = _board((0.85 * x, 0.85 * y, 0.7 * thick), round_top=False)
        parts.append(assembler.part(shelf, Pose(1.0, (0.0, 0.0, height))))
    if random.random() < 0.5:
        half = float(random.uniform(0.3, 0.8))
        back = _board((x, thick, half), round_top=False)
        parts.append(assembler.part(back, Pose(1.0, (0.0, y - thick, z + half))))
    if random.random() < 0.5:
        thing = assembler.part(random_body(random, assembler.device), Pose(0.35))
        attached = assembler.attached(thing, [parts[0]])
        parts += [] if attached is None else [attached]
    return parts


def _board(half: tuple[float, float, float], *, round_top: bool) -> Body:
    """A box of given half sides, or a drum as wide and high."""
    x, y, z = half
    rounding = 0.2 * min(half)
    extent = Extent(max(x, y), -z, z, is_round=round_top)
    if round_top:
        radius = max(x, y)
        corners = [(-radius, rounding - z), (radius - rounding, rounding - z)]
        corners += [(radius - rounding, z - rounding), (-radius, z - rounding)]
        return Body(
            partial(turned, profile=corners, rounding=rounding), math.hypot(radius, z), extent
        )
    return Body(partial(box, half=half, rounding=rounding), math.hypot(x, y, z), extent)


def package(assembler: Assembler) -> list[Part]:
    """A box, a can or a bottle, alone or with a cap: what labels are on."""
    random = assembler.random
    body = block(random) if random.random() < 0.5 else drum(random)
    parts = [assembler.part(body, Pose(1.0))]
    if random.random() < 0.5:
        cap = (drum, ball, wires)[int(random.integers(3))](random)
        size = float(random.uniform(0.2, 0.5))
        height = body.extent.high - size * cap.extent.low - 0.04
        parts.append(assembler.part(cap, Pose(size, (0.0, 0.0, height))))
    return parts
