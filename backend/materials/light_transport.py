# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that reaches each vertex: from the environment, shadowed, and by one bounce.

What a ray from a vertex hits is taken to shine with the radiance that the views saw there, which
holds all further bounces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ..shared.cameras import Normalization
from .environment_map import look_up
from .ggx import lobe_sharpness, peak_direction
from .lamp_light import LampLight, trace_lamps
from .observations import above
from .ray_caster import NO_HIT
from .spherical_harmonics import (
    CLAMPED_COSINE,
    FUNCTIONS,
    basis,
    gaussian_attenuation,
    scaled_by_degree,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ..shared.capture.lamps import Lamp
    from ..shared.progress import Progress
    from .environment_map import EnvironmentMap
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

CELLS = 256
CELLS_PER_PRODUCT = 16
"""Whose rays are cast together; memory grows with it."""

UNCHANGED = Normalization((0.0, 0.0, 0.0), 1.0)
SMOOTHING_ROUNDS = 2

LEAST_IRRADIANCE = 1e-3
"""Added to both sides of a change of irradiance: what is black stays black."""


@dataclass(frozen=True)
class Light:
    """The known light of a capture.

    Attributes:
        environment: distant light, in the axes of the world of the views.
        lamps: near lights, in that world.
        normalization: from that world into the normalized frame.
    """

    environment: EnvironmentMap
    lamps: tuple[Lamp, ...] = ()
    normalization: Normalization = UNCHANGED


@dataclass(frozen=True)
class LightTransport:
    """Light at the vertices of a surface.

    Attributes:
        environment: the distant light.
        normals: shading normals, unit, [vertices, 3].
        irradiance: linear RGB, [vertices, 3].
        arriving: spherical harmonics of radiance from all sides but from lamps, [vertices, 16, 3].
        openness: spherical harmonics of where the environment is visible, [vertices, 16].
        bounce: spherical harmonics of radiance from the surface itself, [vertices, 16, 3].
        lamps: light of near lamps, which `irradiance` has, too.
    """

    environment: EnvironmentMap
    normals: Tensor
    irradiance: Tensor
    arriving: Tensor
    openness: Tensor
    bounce: Tensor
    lamps: LampLight

    def at(self, vertices: Tensor | slice) -> LightTransport:
        """The light at some vertices [n] only."""
        return LightTransport(
            self.environment,
            self.normals[vertices],
            self.irradiance[vertices],
            self.arriving[vertices],
            self.openness[vertices],
            self.bounce[vertices],
            self.lamps.at(vertices),
        )

    @cached_property
    def _open_and_bounced(self) -> Tensor:
        """Openness, then bounce channel by channel, [vertices, 4, 16]."""
        return torch.cat([self.openness[:, None], self.bounce.mT], dim=1)

    def irradiance_on(self, normals: Tensor) -> Tensor:
        """Irradiance for other unit normals [vertices, 3], without shadows of lamps, [vertices, 3].

        By spherical harmonics, which blur it: within 3 % of `irradiance` on the objects of the
        quality benchmark.
        """
        functions = scaled_by_degree(basis(normals), CLAMPED_COSINE)
        arriving = (functions[:, None] @ self.arriving)[:, 0]
        return arriving.clamp_min(0.0) + self.lamps.irradiance_on(normals)

    def on(self, normals: Tensor) -> LightTransport:
        """The light for other unit normals, [vertices, 3]."""
        before, after = self.irradiance_on(self.normals), self.irradiance_on(normals)
        change = (after + LEAST_IRRADIANCE) / (before + LEAST_IRRADIANCE)
        return replace(self, normals=normals, irradiance=self.irradiance * change)

    def reflected(self, direction: Tensor, roughness: float) -> Tensor:
        """Radiance in the mirrored lobe of a roughness, [vertices, views, 3].

        Args:
            direction: towards the viewer, unit, [vertices, views, 3].
            roughness: of the lobe.
        """
        normals = self.normals[:, None]
        cosine = (direction * normals).sum(dim=-1, keepdim=True)
        mirrored = 2.0 * cosine * normals - direction
        peak = F.normalize(peak_direction(roughness, normals, mirrored), dim=-1)
        attenuation = gaussian_attenuation(lobe_sharpness(roughness))
        blurred = scaled_by_degree(self._open_and_bounced, attenuation)
        shares = (blurred @ basis(peak, axis=0).transpose(0, 1)).clamp_min(0.0)
        open_share = shares[:, 0, :, None].clamp_max(1.0)
        picture = self.environment.prefiltered(roughness, peak.device)
        light = look_up(picture.to(peak.dtype), peak)
        reflected = torch.addcmul(shares[:, 1:].mT, light, open_share)
        return reflected + self.lamps.reflected(peak, roughness)


def trace_light(
    graph: SurfaceGraph,
    rays: RayCaster,
    light: Light,
    radiance: Tensor,
    progress: Progress,
    span: tuple[float, float] = (0.0, 1.0),
) -> LightTransport:
    """Cast a ray from every vertex towards every cell of the environment and part of a lamp.

    Args:
        graph: of the mesh, in the axes of the environment.
        rays: against the same mesh.
        light: of the views.
        radiance: of the surface as the views show it, [vertices, 3].
        progress: receives fractions of the stage `materials`.
        span: its fractions at which this begins and ends.
    """
    cells = light.environment.cells(CELLS, graph.device)
    normals, count = graph.shading_normals, len(graph.vertices)
    directions, flux = cells.directions.float(), cells.flux.float()
    solid_angles = cells.solid_angles.float()[:, None]
    shapes = basis(directions)
    functions = shapes * solid_angles
    # What each visible cell adds to the coefficients of openness and of arriving light.
    added = torch.cat([functions, (shapes[..., None] * flux[:, None]).flatten(1)], dim=1)
    of_faces = radiance[graph.faces].mean(dim=1)
    irradiance = torch.zeros_like(normals)
    visible_light = normals.new_zeros(added.shape[1], count)
    bounce = normals.new_zeros(FUNCTIONS, count * 3)
    groups = range(0, CELLS, CELLS_PER_PRODUCT)
    for first in progress.each("materials", groups, len(groups), span, "tracing the light"):
        group = slice(first, first + CELLS_PER_PRODUCT)
        cosines = (directions[group] @ normals.T).clamp_min(0.0)
        cell, vertex = cosines.nonzero().unbind(1)
        hit, seen = blocking_radiance(graph, rays, vertex, directions[group][cell], of_faces)
        visible = torch.ones_like(cosines)  # below the horizon as above: a lobe ends there
        visible[cell, vertex] = (~hit).to(visible)
        bounced = cosines.new_zeros(*cosines.shape, 3)
        bounced[cell, vertex] = seen
        irradiance += (visible * cosines).T @ flux[group]
        irradiance += torch.einsum("kn,knc->nc", cosines * solid_angles[group], bounced)
        visible_light += added[group].T @ visible
        bounce += functions[group].T @ bounced.flatten(1)
    bounce = bounce.view(FUNCTIONS, count, 3).transpose(0, 1).contiguous()
    openness, arriving = visible_light.T.contiguous().split((FUNCTIONS, 3 * FUNCTIONS), dim=1)
    arriving = arriving.reshape(count, FUNCTIONS, 3) + bounce
    lamps = trace_lamps(graph, rays, light.lamps, light.normalization, progress)
    smooth = graph.smoothed(irradiance + lamps.irradiance_on(normals), SMOOTHING_ROUNDS)
    return LightTransport(light.environment, normals, smooth, arriving, openness, bounce, lamps)


def blocking_radiance(
    graph: SurfaceGraph,
    rays: RayCaster,
    vertices: Tensor,
    directions: Tensor,
    radiance: Tensor,
) -> tuple[Tensor, Tensor]:
    """The radiance of the surface that vertices see in some directions.

    Args:
        graph: of the surface.
        rays: against the same mesh.
        vertices: by number; their normals are on the side of the directions, [n].
        directions: unit, [n, 3].
        radiance: of the surface, [faces, 3].

    Returns:
        Which of them the surface blocks, [n], and the radiance there, zero elsewhere, [n, 3].
    """
    face = rays.first_hit(above(graph, vertices, directions), directions)
    hit = face != NO_HIT
    rows = hit.nonzero()[:, 0]
    face = face[rows]
    from_behind = (graph.face_cross[face] * directions[rows]).sum(dim=1, keepdim=True) > 0
    seen = torch.zeros_like(directions)
    seen[rows] = torch.where(from_behind, 0.0, radiance[face])
    return hit, seen
