# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light of lamps near the object: direct, shadowed, different at every vertex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from .ggx import lobe, lobe_integral
from .observations import above

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ..shared.cameras import Normalization
    from ..shared.capture.lamps import Lamp
    from ..shared.progress import Progress
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

SUN_DISTANCE = 1e4
"""Model units; far enough for parallel rays."""

GRID = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]), axis=-1).reshape(-1, 2) / 3.0
"""Centers of the parts of a lamp that shadow rays are cast to, in units of its sides, [9, 2]."""

ROUND = np.sqrt(np.pi) / 2.0
"""Side of the square of a disk's area, in units of its diameter."""


@dataclass(frozen=True)
class LampLight:
    """What each lamp sends to each vertex.

    Attributes:
        direction: towards the lamp, unit, [vertices, lamps, 3].
        irradiance: linear RGB on a surface that faces the lamp, without what is in shadow,
            [vertices, lamps, 3].
        spread: half the size of the lamp relative to its distance, [vertices, lamps].
    """

    direction: Tensor
    irradiance: Tensor
    spread: Tensor

    @classmethod
    def dark(cls, vertices: Tensor) -> LampLight:
        """No lamps above vertices [vertices, 3]."""
        none = vertices.new_zeros(len(vertices), 0, 3)
        return cls(none, none, none[..., 0])

    def at(self, vertices: Tensor | slice) -> LampLight:
        """The light at some vertices [n] only."""
        return LampLight(self.direction[vertices], self.irradiance[vertices], self.spread[vertices])

    def irradiance_on(self, normals: Tensor) -> Tensor:
        """Irradiance of all lamps on surfaces of given normals, [vertices, 3]."""
        cosine = (self.direction * normals[:, None]).sum(dim=-1).clamp_min(0.0)
        return (cosine[..., None] * self.irradiance).sum(dim=1)

    def reflected(self, peak: Tensor, roughness: float) -> Tensor:
        """Radiance of all lamps averaged over lobes, [vertices, views, 3].

        The size of a lamp widens the lobe: half vectors turn by half the angle of the light.

        Args:
            peak: where the lobes are centered, unit, [vertices, views, 3].
            roughness: of the lobes.
        """
        total = torch.zeros_like(peak)
        for lamp in range(self.spread.shape[1]):
            wide = (roughness**4 + (0.5 * self.spread[:, lamp]) ** 2).clamp_max(1.0) ** 0.25
            cosine = (peak * self.direction[:, None, lamp]).sum(dim=-1)
            share = lobe(wide[:, None], cosine) / lobe_integral(wide)[:, None]
            total += share[..., None] * self.irradiance[:, None, lamp]
        return total


def trace_lamps(
    graph: SurfaceGraph,
    rays: RayCaster,
    lamps: tuple[Lamp, ...],
    normalization: Normalization,
    progress: Progress,
) -> LampLight:
    """Cast rays from every vertex to parts of every lamp.

    Args:
        graph: of the mesh, normalized frame.
        rays: against the same mesh.
        lamps: in the world of the views.
        normalization: from that world.
        progress: checked for cancel.
    """
    if not lamps:
        return LampLight.dark(graph.vertices)
    traced = [_trace_lamp(graph, rays, lamp, normalization, progress) for lamp in lamps]
    return LampLight(*(torch.stack(values, dim=1) for values in zip(*traced, strict=True)))


def _trace_lamp(
    graph: SurfaceGraph,
    rays: RayCaster,
    lamp: Lamp,
    normalization: Normalization,
    progress: Progress,
) -> tuple[Tensor, Tensor, Tensor]:
    """Direction [vertices, 3], irradiance [vertices, 3] and spread [vertices] of one lamp."""
    vertices, normals = graph.vertices, graph.shading_normals
    center, sides = _placed(lamp, normalization)
    strength, towards = torch.zeros_like(vertices[:, 0]), torch.zeros_like(vertices)
    for point in vertices.new_tensor(center + GRID @ sides):
        progress.check()
        offset = point - vertices
        distance = offset.norm(dim=1)
        direction = offset / distance[:, None]
        facing = ((normals * direction).sum(dim=1) > 0).nonzero()[:, 0]
        origins = above(graph, facing, direction[facing])
        reached = torch.zeros_like(distance)
        reached[facing] = (~rays.is_blocked(origins, direction[facing])).to(distance)
        lit = reached * _intensity(lamp, -direction) / distance.square()
        strength += lit / len(GRID)
        towards += lit[:, None] * direction
    offset = vertices.new_tensor(center) - vertices
    distance = offset.norm(dim=1)
    center_direction = offset / distance[:, None]
    mean_direction = F.normalize(towards, dim=1, eps=1e-30)
    direction = torch.where(strength[:, None] > 0, mean_direction, center_direction)
    # A lamp's intensity is measured in the world's units, distances here are in the model's.
    power = np.asarray(lamp.power) * (SUN_DISTANCE**2 if _is_sun(lamp) else normalization.scale**2)
    size = float(np.linalg.norm(sides, axis=1).mean())
    return direction, strength[:, None] * vertices.new_tensor(power), 0.5 * size / distance


def _is_sun(lamp: Lamp) -> bool:
    return lamp.kind == "SUN"


def _placed(lamp: Lamp, normalization: Normalization) -> tuple[Floats, Floats]:
    """Center [3] and sides [2, 3] of a lamp in the normalized frame; spheres are disks."""
    if _is_sun(lamp):
        center = -SUN_DISTANCE * np.asarray(lamp.direction)
        scale, facing = SUN_DISTANCE, np.asarray(lamp.direction)
    else:
        center = normalization.apply(lamp.position)
        scale = normalization.scale
        facing = np.asarray(lamp.direction) if lamp.kind == "AREA" else -center
    axis = np.asarray(lamp.axis) if lamp.kind == "AREA" else _perpendicular(facing)
    other = np.cross(facing, axis)
    other /= max(float(np.linalg.norm(other)), 1e-12)
    shape = ROUND if lamp.is_round else 1.0
    return center, shape * scale * np.stack([lamp.size[0] * axis, lamp.size[1] * other])


def _perpendicular(direction: Floats) -> Floats:
    """A unit vector across a direction [3]."""
    other = np.cross(direction, np.eye(3)[np.abs(direction).argmin()])
    unit: Floats = other / max(float(np.linalg.norm(other)), 1e-12)
    return unit


def _intensity(lamp: Lamp, outgoing: Tensor) -> Tensor:
    """Radiant intensity per power in directions [n, 3] from the lamp, as Cycles has it, [n]."""
    if lamp.kind == "SUN":
        return torch.ones_like(outgoing[:, 0])
    if lamp.kind == "POINT":
        return torch.full_like(outgoing[:, 0], 0.25 / torch.pi)
    cosine = outgoing @ outgoing.new_tensor(lamp.direction)
    if lamp.kind == "AREA":
        return cosine.clamp_min(0.0) / torch.pi
    angle, blend = lamp.cone
    edge = float(np.cos(0.5 * angle))
    inside = ((cosine - edge) / max((1.0 - edge) * blend, 1e-6)).clamp(0.0, 1.0)
    return inside.square() * (3.0 - 2.0 * inside) * 0.25 / torch.pi
