# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The four objects that the quality benchmark makes itself: their shapes and their paint.

Two have a cavity at least as deep as its opening is wide, one of them of one plain color; two are
glossy, one of them of metal. They fill gaps: none of the real objects is open and plain, or made
wholly of polished metal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from backend.training.synthetic.shapes.solids import (
    ellipsoid,
    limb,
    ring,
    rounded_profile,
    smooth_union,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CREAM, COBALT, CLAY = (0.72, 0.63, 0.45), (0.03, 0.08, 0.34), (0.45, 0.10, 0.04)
OCHRE, LEAF, BLACK = (0.62, 0.32, 0.04), (0.05, 0.25, 0.09), (0.02, 0.02, 0.022)
GLAZE, SAGE = (0.02, 0.20, 0.23), (0.24, 0.40, 0.36)
GOLD, COPPER, SILVER = (1.00, 0.71, 0.29), (0.93, 0.48, 0.33), (0.90, 0.89, 0.87)
"""Linear base colors."""


@dataclass(frozen=True)
class MadeObject:
    """An object of the benchmark; about 1 high, z up, standing on z = 0.

    Attributes:
        signed_distance: points [n, 3] to [n], negative inside.
        paint: points [n, 3] on the surface to linear base color, roughness and metallic, [n, 5].
    """

    signed_distance: Callable[[Tensor], Tensor]
    paint: Callable[[Tensor], Tensor]


CUP_PROFILE = [
    (-0.2, 0.02), (0.22, 0.02), (0.25, 0.02), (0.255, 0.06), (0.235, 0.085), (0.30, 0.14),
    (0.31, 0.40), (0.33, 0.74), (0.345, 0.82), (0.31, 0.83), (0.295, 0.74), (0.272, 0.40),
    (0.25, 0.15), (0.15, 0.10), (-0.2, 0.10),
]  # fmt: skip
POT_PROFILE = [
    (-0.2, 0.02), (0.20, 0.02), (0.23, 0.02), (0.235, 0.06), (0.20, 0.09), (0.30, 0.17),
    (0.365, 0.36), (0.365, 0.55), (0.335, 0.72), (0.36, 0.82), (0.32, 0.83), (0.295, 0.72),
    (0.32, 0.55), (0.32, 0.36), (0.26, 0.20), (0.15, 0.11), (-0.2, 0.11),
]  # fmt: skip
FOOT_PROFILE = [
    (-0.2, 0.0), (0.30, 0.0), (0.31, 0.04), (0.27, 0.055), (0.27, 0.075), (0.30, 0.09),
    (0.29, 0.13), (0.16, 0.16), (0.10, 0.19), (-0.2, 0.19),
]  # fmt: skip
"""Profiles (radius, z) of turned bodies, closed, from the axis outwards and back."""


def cup_distance(points: Tensor) -> Tensor:
    """A tall cup with a handle, a bead below the rim and a foot: 0.57 wide inside, 0.7 deep."""
    body = turned(points, rounded_profile(CUP_PROFILE), 0.008)
    bead = ring(points, (0.0, 0.0, 0.66), 2, (0.328, 0.012))
    turns = [math.radians(angle) for angle in range(-90, 91, 15)]
    stations = [(0.315 + 0.19 * math.cos(turn), 0.0, 0.42 + 0.2 * math.sin(turn)) for turn in turns]
    handle = [limb(points, start, end, (0.027, 0.027)) for start, end in pairwise(stations)]
    return smooth_union([body, bead, torch.stack(handle).amin(dim=0)], 0.03)


def cup_paint(points: Tensor) -> Tensor:
    """One plain color everywhere."""
    return _painted(points, SAGE, 0.55, 0.0)


def pot_distance(points: Tensor) -> Tensor:
    """A round-bellied bowl with a flared lip: 0.61 wide at its neck and lip, 0.71 deep."""
    return turned(points, rounded_profile(POT_PROFILE), 0.008)


def pot_paint(points: Tensor) -> Tensor:
    """Bands of zigzags, squares, dots and leaves outside; petals, rings and dots inside."""
    radius, height = points[:, :2].norm(dim=1), points[:, 2]
    turn = torch.atan2(points[:, 1], points[:, 0]) / math.tau
    middle = [(-0.02, 0.3), (0.20, 0.29), (0.36, 0.345), (0.55, 0.345), (0.72, 0.315), (1.0, 0.34)]
    inside = (radius < _interpolated(height, middle)) & (height > 0.09)
    paint = torch.where(
        inside[:, None], _pot_inside(turn, radius, height), _pot_outside(turn, height)
    )
    # Strokes of a brush: no two turns of a band look the same.
    stroke = torch.sin(31 * points[:, 0] + 2 * torch.sin(23 * points[:, 2]))
    stroke = stroke * torch.sin(37 * points[:, 1] + 2 * torch.sin(19 * points[:, 0]))
    shade = (1 + 0.25 * stroke)[:, None]
    finish = points.new_tensor([0.5, 0.0]).expand(len(points), 2)
    return torch.cat([(paint * shade).clamp(0, 1), finish], dim=1)


def _pot_outside(turn: Tensor, height: Tensor) -> Tensor:
    """Colors [n, 3] by the turn around the axis and the height."""
    zigzag = ((turn * 20) % 1 - 0.5).abs() * 0.16
    squares = ((turn * 24).floor() + (height * 30).floor()) % 2 == 0
    spot = torch.hypot(((turn * 14) % 1 - 0.5) * 0.16, height - 0.46) < 0.045
    core = torch.hypot(((turn * 14) % 1 - 0.5) * 0.16, height - 0.46) < 0.02
    leaf = (height - 0.67).abs() < 0.035 * torch.sin(math.pi * ((turn * 11 + height) % 1)).abs()
    return _layered(turn, CREAM, [
        ((height < 0.1), CLAY),
        ((height > 0.12) & (height < 0.27) & (height - 0.14 < zigzag), COBALT),
        ((height > 0.24) & (height < 0.255), CLAY),
        ((height > 0.29) & (height < 0.36) & squares, BLACK),
        ((height > 0.29) & (height < 0.36) & ~squares, OCHRE),
        (spot, CLAY),
        (core, OCHRE),
        ((height > 0.56) & (height < 0.59), COBALT),
        (leaf, LEAF),
        ((height > 0.76) & ((turn * 36) % 1 < 0.5), COBALT),
    ])  # fmt: skip


def _pot_inside(turn: Tensor, radius: Tensor, height: Tensor) -> Tensor:
    """Colors [n, 3] by the turn around the axis, the distance from it, and the height."""
    petals = radius < 0.12 + 0.08 * torch.cos(math.tau * 8 * turn)
    dots = torch.hypot(((turn * 16) % 1 - 0.5) * 0.13, (height * 9) % 1 / 9 - 0.055) < 0.026
    steps = ((turn * 18 + (height * 22).floor() * 0.5) % 1 < 0.5) & (height > 0.32)
    return _layered(turn, OCHRE, [
        (dots, COBALT),
        (steps & (height < 0.52), CLAY),
        (steps & (height > 0.62) & (height < 0.72), LEAF),
        ((height > 0.56) & (height < 0.59), CREAM),
        ((height < 0.14) & (radius < 0.24), CREAM),
        ((height < 0.14) & petals, CLAY),
        ((height < 0.14) & (radius < 0.05), BLACK),
        ((height > 0.76) & ((turn * 36) % 1 < 0.5), CREAM),
    ])  # fmt: skip


def _owl_parts(points: Tensor) -> dict[str, Tensor]:
    """Signed distances of the parts of the owl, which faces -y."""
    sides = points * points.new_tensor([0.0, 1.0, 1.0])
    sides[:, 0] = points[:, 0].abs()
    return {
        "body": smooth_union([
            ellipsoid(points, (0.0, 0.0, 0.36), (0.25, 0.22, 0.34)),
            ellipsoid(points, (0.0, -0.02, 0.76), (0.215, 0.19, 0.18)),
            limb(sides, (0.12, 0.0, 0.87), (0.17, -0.01, 1.01), (0.06, 0.02)),
        ], 0.08),
        "belly": ellipsoid(points, (0.0, -0.075, 0.35), (0.185, 0.175, 0.25)),
        "wing": smooth_union([
            ellipsoid(sides, (0.235, 0.04, 0.40), (0.055, 0.14, 0.23)),
            limb(sides, (0.22, 0.10, 0.30), (0.15, 0.24, 0.12), (0.06, 0.03)),
        ], 0.06),
        "eye": ellipsoid(sides, (0.085, -0.165, 0.79), (0.058, 0.05, 0.058)),
        "rim": ring(sides, (0.085, -0.185, 0.79), 1, (0.062, 0.017)),
        "beak": limb(points, (0.0, -0.19, 0.74), (0.0, -0.245, 0.67), (0.035, 0.012)),
        "foot": smooth_union([
            limb(sides, (0.11, -0.06, 0.05), (0.11 + side, -0.24, 0.035), (0.05, 0.033))
            for side in (-0.05, 0.0, 0.05)
        ], 0.02),
        "tail": limb(points, (0.0, 0.16, 0.16), (0.0, 0.27, 0.05), (0.09, 0.05)),
    }  # fmt: skip


def owl_distance(points: Tensor) -> Tensor:
    """A sitting owl of eight parts."""
    return smooth_union(list(_owl_parts(points).values()), 0.02)


def owl_paint(points: Tensor) -> Tensor:
    """A glazed owl: sharp reflections on a dark body, a cream belly with feathers, orange feet."""
    label = _label(_owl_parts(points))
    row = (points[:, 2] * 13).floor()
    feather = ((points[:, 0] * 11 + row * 0.5) % 1 - 0.5).abs() < 0.12 + 0.3 * (
        (points[:, 2] * 13) % 1
    )
    paints = {
        "body": (GLAZE, 0.12), "belly": (CREAM, 0.15), "wing": (CLAY, 0.18), "eye": (BLACK, 0.06),
        "rim": (OCHRE, 0.15), "beak": (OCHRE, 0.2), "foot": (OCHRE, 0.2), "tail": (CLAY, 0.18),
    }  # fmt: skip
    paint = _by_part(
        points, label, {part: (*color, rough, 0.0) for part, (color, rough) in paints.items()}
    )
    marked = (label == list(paints).index("belly")) & ~feather
    paint[marked, :3] = points.new_tensor(CLAY)
    return paint


def _herald_parts(points: Tensor) -> dict[str, Tensor]:
    """Signed distances of the parts of the herald: a figure on a foot that lifts a ring."""
    sides = points.clone()
    sides[:, 0] = points[:, 0].abs()
    return {
        "foot": turned(points, rounded_profile(FOOT_PROFILE, 1), 0.01),
        "body": smooth_union([
            limb(sides, (0.10, 0.0, 0.18), (0.055, 0.0, 0.42), (0.055, 0.07)),
            limb(sides, (0.10, -0.05, 0.19), (0.10, 0.03, 0.19), (0.05, 0.05)),
            ellipsoid(points, (0.0, 0.0, 0.54), (0.14, 0.10, 0.16)),
            limb(sides, (0.0, 0.0, 0.64), (0.15, 0.0, 0.66), (0.08, 0.055)),
            limb(sides, (0.15, 0.0, 0.66), (0.27, -0.03, 0.80), (0.055, 0.04)),
            limb(sides, (0.27, -0.03, 0.80), (0.15, -0.04, 0.94), (0.042, 0.035)),
            limb(points, (0.0, 0.0, 0.66), (0.0, 0.0, 0.76), (0.05, 0.05)),
        ], 0.03),
        "head": ellipsoid(points, (0.0, -0.01, 0.80), (0.085, 0.095, 0.10)),
        "crest": ring(points, (0.0, 0.01, 0.81), 0, (0.10, 0.025)),
        "belt": ring(points, (0.0, 0.0, 0.46), 2, (0.105, 0.028)),
        "shield": ellipsoid(points, (0.0, -0.10, 0.57), (0.09, 0.035, 0.10)),
        "ring": ring(points, (0.0, -0.04, 0.97), 1, (0.14, 0.028)),
    }  # fmt: skip


def herald_distance(points: Tensor) -> Tensor:
    """A standing figure of seven parts that holds a ring over its head."""
    return smooth_union(list(_herald_parts(points).values()), 0.015)


def herald_paint(points: Tensor) -> Tensor:
    """Polished metals: a gold body, silver armor, a copper foot with silver inlays."""
    parts = _herald_parts(points)
    label = _label(parts)
    metals = {
        "foot": (COPPER, 0.2), "body": (GOLD, 0.16), "head": (GOLD, 0.16), "crest": (SILVER, 0.1),
        "belt": (COPPER, 0.2), "shield": (SILVER, 0.1), "ring": (SILVER, 0.12),
    }  # fmt: skip
    paint = _by_part(
        points, label, {part: (*color, rough, 1.0) for part, (color, rough) in metals.items()}
    )
    turn = torch.atan2(points[:, 1], points[:, 0]) / math.tau
    inlay = (label == 0) & ((turn * 12) % 1 < 0.4) & (points[:, 2] < 0.05)
    paint[inlay, :4] = points.new_tensor([*SILVER, 0.1])
    return paint


MADE_OBJECTS = {
    "made_plain_cup": MadeObject(cup_distance, cup_paint),
    "made_patterned_bowl": MadeObject(pot_distance, pot_paint),
    "made_glazed_figure": MadeObject(owl_distance, owl_paint),
    "made_metal_figure": MadeObject(herald_distance, herald_paint),
}
"""All of them by name."""


def _painted(points: Tensor, color: tuple[float, ...], roughness: float, metallic: float) -> Tensor:
    return points.new_tensor([*color, roughness, metallic]).expand(len(points), 5).clone()


def _layered(
    like: Tensor, ground: tuple[float, ...], layers: list[tuple[Tensor, tuple[float, ...]]]
) -> Tensor:
    """Colors [n, 3]: a ground, and layers over it where their masks [n] are true."""
    colors = like.new_tensor(ground).expand(len(like), 3).clone()
    for mask, color in layers:
        colors[mask] = like.new_tensor(color)
    return colors


def _label(parts: dict[str, Tensor]) -> Tensor:
    """The number of the part that each point lies on, [n]."""
    return torch.stack(list(parts.values())).argmin(dim=0)


def _by_part(points: Tensor, label: Tensor, paints: dict[str, tuple[float, ...]]) -> Tensor:
    """The paint [n, 5] of the part of every point; paints are in the order of the parts."""
    return points.new_tensor(list(paints.values()))[label]


def _interpolated(values: Tensor, table: list[tuple[float, float]]) -> Tensor:
    """Linear interpolation in a table of (value, result), sorted by value; clamped at its ends."""
    keys, results = values.new_tensor(table).T.contiguous()
    index = torch.searchsorted(keys, values.contiguous()).clamp(1, len(table) - 1)
    fraction = ((values - keys[index - 1]) / (keys[index] - keys[index - 1])).clamp(0, 1)
    found: Tensor = results[index - 1] + fraction * (results[index] - results[index - 1])
    return found
