# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of views that come without one: under it, neighbors of like color are alike.

What a matt surface shows is base color times irradiance, and the same pictures follow from many
lights. The one that is looked for is distant, smooth and white on average, and leaves as few
different base colors as it can: what differs only because one side faces a window becomes one
color. Pairs of points of different paint do not count, since their distance is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .environment_map import EnvironmentMap, fibonacci_directions, pixel_directions
from .light_transport import blocking_radiance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.progress import Progress
    from .observations import Observations
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

# Constants are chosen on the tuning half of the quality benchmark, under kiara_1_dawn.
POINTS = 4000
CELLS = 128
PAIRS = 60_000
STEPS = 240
RATE = 0.05
PICTURE_HEIGHT = 32

SHARPNESS = 8.0
"""Of the spherical Gaussians that the light is made of: irradiance shows nothing finer."""

REACH = 0.2
"""Model units over which two points are likely of one paint."""

BRIGHTNESS_TOLERANCE = 0.15
COLOR_TOLERANCE = 0.1
"""Differences of the logarithm of base color beyond which two points are of different paint."""

SMOOTHNESS = 0.03
EVENNESS = 0.02
WHITENESS = 0.1
"""How much light costs that differs from its surroundings, from its mean, from its mean color."""

EXPOSURE = 0.75
"""Irradiance over pi, on average: cameras show white paper just below the white of a picture."""

BRIGHTEST = 0.9
"""Base color that nothing exceeds but a small share of the surface."""

DARK = 0.01
"""Radiance below which noise is as large as shading."""

LEAST_POINTS = 200
"""Fewer say nothing."""

BLOCK = 0.2
"""Side of the blocks, in model units, by which one half of the surface judges the other."""

SEED = 0


@dataclass(frozen=True)
class EstimatedLight:
    """A light that explains part of what views show.

    Attributes:
        environment: in the axes of the mesh.
        unexplained: the cost of pairs that the light was not made from, relative to that without
            any light; near 1 there is no evidence for it.
    """

    environment: EnvironmentMap
    unexplained: float


def estimate_light(
    graph: SurfaceGraph,
    rays: RayCaster,
    seen: Observations,
    progress: Progress,
    span: tuple[float, float] = (0.0, 1.0),
) -> EstimatedLight | None:
    """Find the light under which a matt surface shows what was observed; none if little is seen.

    Args:
        graph: of the surface.
        rays: against the same mesh.
        seen: what the views saw, exposures made equal.
        progress: receives fractions of the stage `materials`.
        span: its fractions at which this begins and ends.
    """
    points = _Points.sample(graph, rays, seen, progress)
    if min(points.half.sum(), (~points.half).sum()) < LEAST_POINTS:
        return None
    judged = without = 0.0
    halves = (points.half, ~points.half)
    for half in progress.each("materials", halves, 3, span, "estimating the light"):
        pairs = _Pairs.of(points, np.flatnonzero(~half))
        shading = points.shading(_fit(points, _Pairs.of(points, np.flatnonzero(half)), progress))
        judged += float(pairs.cost(points.log_radiance - torch.log(shading), 1.0))
        without += float(pairs.cost(points.log_radiance, 1.0))
    light = _fit(points, _Pairs.of(points, np.arange(len(points.half))), progress)
    light *= max(points.brightest(light) / BRIGHTEST, 1.0)
    directions, _ = pixel_directions(PICTURE_HEIGHT, 2 * PICTURE_HEIGHT)
    picture = _lobes(directions.reshape(-1, 3)) @ light.double().numpy()
    environment = EnvironmentMap(picture.reshape(PICTURE_HEIGHT, 2 * PICTURE_HEIGHT, 3))
    return EstimatedLight(environment, judged / max(without, 1e-12))


@dataclass(frozen=True)
class _Points:
    """Some points of the surface, and what each cell of the light does to them.

    Attributes:
        position: [n, 3].
        trust: [n].
        log_radiance: logarithm of what is seen, [n, 3].
        reach: irradiance over pi for radiance 1 from each lobe of the light, [n, cells].
        bounce: irradiance over pi from the surface itself, [n, 3].
    """

    position: Floats
    trust: Floats
    log_radiance: torch.Tensor
    reach: torch.Tensor
    bounce: torch.Tensor

    @classmethod
    def sample(
        cls, graph: SurfaceGraph, rays: RayCaster, seen: Observations, progress: Progress
    ) -> _Points:
        """Trace the light at vertices that are seen well and are not black."""
        radiance = graph.filled(seen.mean_radiance, seen.seen)
        usable = np.flatnonzero((seen.evidence > 0.3) & (radiance.mean(axis=1) > DARK))
        generator = np.random.default_rng(SEED)
        chosen = np.sort(generator.permutation(usable)[:POINTS])
        of_faces = radiance[graph.mesh.faces].mean(axis=1)
        directions = fibonacci_directions(CELLS)
        share = 4.0 / CELLS  # solid angle of a cell over pi
        reach, bounce = np.zeros((len(chosen), CELLS)), np.zeros((len(chosen), 3))
        for cell, direction in enumerate(directions):
            progress.check()
            cosine = graph.shading_normals[chosen] @ direction
            facing = np.flatnonzero(cosine > 0)
            blocked, light = blocking_radiance(graph, rays, direction, chosen[facing], of_faces)
            reach[facing, cell] = share * cosine[facing]
            hit = facing[np.isin(chosen[facing], blocked)]
            reach[hit, cell] = 0.0
            bounce[hit] += share * cosine[hit, None] * light
        return cls(
            graph.mesh.vertices[chosen],
            seen.evidence[chosen],
            torch.from_numpy(np.log(radiance[chosen].clip(0.1 * DARK))).float(),
            torch.from_numpy(reach @ _lobes(directions)).float(),
            torch.from_numpy(bounce).float(),
        )

    @property
    def half(self) -> NDArray[np.bool_]:
        """The points in every other block of space, [n]."""
        half: NDArray[np.bool_] = np.floor(self.position / BLOCK).sum(axis=1) % 2 == 0
        return half

    def shading(self, light: torch.Tensor) -> torch.Tensor:
        """Irradiance over pi, [n, 3], of a light [cells, 3]."""
        return (self.reach @ light + self.bounce).clamp_min(1e-3)

    def brightest(self, light: torch.Tensor) -> float:
        """The base color, mean over channels, that few points in the light exceed."""
        shading = self.shading(light)
        brightness = shading.mean(dim=1)
        base = (torch.exp(self.log_radiance) / shading).mean(dim=1)
        return float(base[brightness > 0.5 * brightness.median()].quantile(0.98))


@dataclass(frozen=True)
class _Pairs:
    """Pairs of points that are likely of one paint.

    Attributes:
        first: [pairs].
        second: [pairs].
        weight: sum 1, [pairs].
    """

    first: torch.Tensor
    second: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, points: _Points, chosen: NDArray[np.int64]) -> _Pairs:
        """Pairs among the chosen points, weighed by trust and nearness."""
        generator = np.random.default_rng(SEED)
        first, second = chosen[generator.integers(0, len(chosen), (2, PAIRS))]
        distance = ((points.position[first] - points.position[second]) ** 2).sum(axis=1)
        weight = np.exp(-distance / (2.0 * REACH**2)) * (first != second)
        weight *= np.sqrt(points.trust[first] * points.trust[second])
        weight /= max(float(weight.sum()), 1e-12)
        return cls(torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(weight))

    def cost(self, log_base: torch.Tensor, widening: float) -> torch.Tensor:
        """How different the pairs are, 0..1; what is far beyond the tolerance counts as 1.

        Args:
            log_base: logarithm of base color, [n, 3].
            widening: factor on the tolerances.
        """
        difference = log_base.index_select(0, self.first) - log_base.index_select(0, self.second)
        brightness = difference.mean(dim=1, keepdim=True)
        color = ((difference - brightness) ** 2).sum(dim=1) / COLOR_TOLERANCE**2
        squared = (brightness[:, 0] ** 2 / BRIGHTNESS_TOLERANCE**2 + color) / widening**2
        return (self.weight * squared / (1.0 + squared)).sum()


def _fit(points: _Points, pairs: _Pairs, progress: Progress) -> torch.Tensor:
    """The radiance of each lobe of the light, linear RGB, [cells, 3].

    The tolerances begin wide, so that the first steps see all pairs.
    """
    around = torch.from_numpy(_lobes(fibonacci_directions(CELLS))).float()
    logarithm = torch.zeros(CELLS, 3, requires_grad=True)
    optimizer = torch.optim.Adam([logarithm], lr=RATE)
    for step in range(STEPS):
        progress.check()
        log_shading = torch.log(points.shading(torch.exp(logarithm)))
        color = logarithm - logarithm.mean(dim=1, keepdim=True)
        widening = max(6.0 ** (1.0 - step / (0.7 * STEPS)), 1.0)
        cost = pairs.cost(points.log_radiance - log_shading, widening)
        cost = cost + SMOOTHNESS * (logarithm - around @ logarithm).pow(2).mean()
        cost = cost + EVENNESS * (logarithm - logarithm.mean(dim=0)).pow(2).mean()
        cost = cost + WHITENESS * (color - color.mean(dim=0)).pow(2).mean()
        cost = cost + (log_shading.mean(dim=0) - np.log(EXPOSURE)).pow(2).sum()
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    return torch.exp(logarithm.detach())


def _lobes(directions: Floats) -> Floats:
    """The share of each lobe of the light in directions [n, 3], [n, cells], rows of sum 1."""
    share = np.exp(SHARPNESS * (directions @ fibonacci_directions(CELLS).T - 1.0))
    shares: Floats = share / share.sum(axis=1, keepdims=True)
    return shares
