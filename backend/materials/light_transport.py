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

import numpy as np

from ..shared.cameras import Normalization
from .ggx import lobe_sharpness, peak_direction
from .lamp_light import LampLight, trace_lamps
from .observations import above
from .ray_caster import NO_HIT
from .spherical_harmonics import CLAMPED_COSINE, basis, gaussian_attenuation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.capture.lamps import Lamp
    from ..shared.progress import Progress
    from .environment_map import EnvironmentMap
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

CELLS = 256
CELLS_PER_PRODUCT = 16
"""Whose light is multiplied with the basis functions together; memory grows with it."""

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
    normals: Floats
    irradiance: Floats
    arriving: Floats
    openness: Floats
    bounce: Floats
    lamps: LampLight

    def at(self, vertices: NDArray[np.int64]) -> LightTransport:
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
    def _open_and_bounced(self) -> Floats:
        """Openness, then bounce channel by channel, [vertices, 4, 16]."""
        return np.concatenate([self.openness[:, None], self.bounce.swapaxes(1, 2)], axis=1)

    def irradiance_on(self, normals: Floats) -> Floats:
        """Irradiance for other unit normals [vertices, 3], without shadows of lamps, [vertices, 3].

        By spherical harmonics, which blur it: within 3 % of `irradiance` on the objects of the
        quality benchmark.
        """
        functions = basis(normals) * CLAMPED_COSINE
        arriving = np.einsum("ns,nsc->nc", functions, self.arriving)
        total: Floats = arriving.clip(0.0) + self.lamps.irradiance_on(normals)
        return total

    def on(self, normals: Floats) -> LightTransport:
        """The light for other unit normals, [vertices, 3]."""
        before, after = self.irradiance_on(self.normals), self.irradiance_on(normals)
        change = (after + LEAST_IRRADIANCE) / (before + LEAST_IRRADIANCE)
        return replace(self, normals=normals, irradiance=self.irradiance * change)

    def reflected(self, direction: Floats, roughness: float) -> Floats:
        """Radiance in the mirrored lobe of a roughness, [vertices, views, 3].

        Args:
            direction: towards the viewer, unit, [vertices, views, 3].
            roughness: of the lobe.
        """
        normals = self.normals[:, None]
        cosine = np.einsum("nvc,nc->nv", direction, self.normals)
        mirrored = 2.0 * cosine[..., None] * normals - direction
        peak = peak_direction(roughness, normals, mirrored)
        peak /= np.sqrt(np.einsum("nvc,nvc->nv", peak, peak))[..., None]
        attenuation = gaussian_attenuation(lobe_sharpness(roughness))
        # Functions in front of views: products and copies then run along the views.
        functions = basis(peak, axis=1)
        blurred = self._open_and_bounced * attenuation
        open_share, *bounced = np.moveaxis(blurred @ functions, 1, 0).clip(0.0)
        open_share = open_share.clip(max=1.0)
        light = self.environment.prefiltered(roughness).sample(peak)
        lamps = self.lamps.reflected(peak, roughness)
        reflected: Floats = light * open_share[..., None] + np.stack(bounced, axis=-1) + lamps
        return reflected


def trace_light(
    graph: SurfaceGraph,
    rays: RayCaster,
    light: Light,
    radiance: Floats,
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
    cells = light.environment.cells(CELLS)
    normals, count = graph.shading_normals, len(graph.mesh.vertices)
    shapes = basis(cells.directions)
    functions = shapes * cells.solid_angles[:, None]
    of_faces = radiance[graph.mesh.faces].mean(axis=1)
    irradiance = np.zeros((count, 3))
    arriving, bounce = np.zeros((2, shapes.shape[1], count * 3))
    openness = np.zeros((shapes.shape[1], count))
    groups = range(0, CELLS, CELLS_PER_PRODUCT)
    for first in progress.each("materials", groups, len(groups), span, "tracing the light"):
        group = slice(first, first + CELLS_PER_PRODUCT)
        size = len(shapes[group])
        cosines = cells.directions[group] @ normals.T
        visible = np.ones((size, count))  # below the horizon as above: a lobe ends there
        bounced = np.zeros((size, count, 3))
        for number, direction in enumerate(cells.directions[group]):
            progress.check()
            facing = np.flatnonzero(cosines[number] > 0)
            blocked, seen = blocking_radiance(graph, rays, direction, facing, of_faces)
            visible[number, blocked], bounced[number, blocked] = 0.0, seen
        solid_angles = cells.solid_angles[group, None, None]
        flux = visible[..., None] * cells.flux[group, None] + solid_angles * bounced
        irradiance += np.einsum("kn,knc->nc", cosines.clip(0.0), flux)
        arriving += shapes[group].T @ flux.reshape(size, -1)
        openness += functions[group].T @ visible
        bounce += functions[group].T @ bounced.reshape(size, -1)
    arriving, bounce = (
        each.reshape(-1, count, 3).swapaxes(0, 1).copy() for each in (arriving, bounce)
    )
    lamps = trace_lamps(graph, rays, light.lamps, light.normalization, progress)
    smooth = graph.smoothed(irradiance + lamps.irradiance_on(normals), SMOOTHING_ROUNDS)
    return LightTransport(
        light.environment, normals, smooth, arriving, openness.T.copy(), bounce, lamps
    )


def blocking_radiance(
    graph: SurfaceGraph,
    rays: RayCaster,
    direction: Floats,
    facing: NDArray[np.int64],
    radiance: Floats,
) -> tuple[NDArray[np.int64], Floats]:
    """The radiance of the surface that vertices see in a direction.

    Args:
        graph: of the surface.
        rays: against the same mesh.
        direction: unit.
        facing: vertices whose normals are on its side.
        radiance: of the surface, [faces, 3].

    Returns:
        Those of the facing vertices that the surface blocks, [n], and the radiance [n, 3] there.
    """
    origins = above(graph, direction)[facing]
    face = rays.first_hit(origins, np.broadcast_to(direction, origins.shape))
    hit = face != NO_HIT
    seen = radiance[face[hit]]
    from_behind = graph.mesh.face_cross[face[hit]] @ direction > 0
    seen[from_behind] = 0.0
    return facing[hit], seen
