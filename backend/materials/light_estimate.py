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
from torch.nn import functional as F

from kernels.core.adam import Adam

from .environment_map import EnvironmentMap, fibonacci_directions, pixel_directions
from .light_transport import CELLS_PER_PRODUCT, blocking_radiance

if TYPE_CHECKING:
    from typing import Any

    from torch import Tensor

    from ..shared.progress import Progress
    from .observations import Observations
    from .ray_caster import RayCaster
    from .surface_graph import SurfaceGraph

# Constants are chosen on the tuning half of the quality benchmark, under kiara_1_dawn.
POINTS = 4000
CELLS = 128
PAIRS = 60_000
STEPS = 240
RATE = 0.05
BETAS = (0.9, 0.999)
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
        own, other = (each.nonzero()[:, 0] for each in (half, ~half))
        pairs = _Pairs.of(points, other)
        shading = points.shading(_fit(points, _Pairs.of(points, own), progress))
        judged += float(pairs.cost(points.log_radiance - torch.log(shading), 1.0))
        without += float(pairs.cost(points.log_radiance, 1.0))
    everywhere = torch.arange(len(points.half), device=graph.device)
    light = _fit(points, _Pairs.of(points, everywhere), progress)
    light *= max(points.brightest(light) / BRIGHTEST, 1.0)
    directions, _ = pixel_directions(PICTURE_HEIGHT, 2 * PICTURE_HEIGHT)
    picture = _lobes(light.new_tensor(directions)) @ light
    environment = EnvironmentMap(picture.double().cpu().numpy())
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

    position: Tensor
    trust: Tensor
    log_radiance: Tensor
    reach: Tensor
    bounce: Tensor

    @classmethod
    def sample(
        cls, graph: SurfaceGraph, rays: RayCaster, seen: Observations, progress: Progress
    ) -> _Points:
        """Trace the light at vertices that are seen well and are not black."""
        radiance = graph.filled(seen.mean_radiance, seen.seen)
        usable = (seen.evidence > 0.3) & (radiance.mean(dim=1) > DARK)
        usable = usable.nonzero()[:, 0]
        order = torch.from_numpy(np.random.default_rng(SEED).permutation(len(usable)))
        chosen = usable[order[:POINTS].to(graph.device)].sort().values
        of_faces = radiance[graph.faces].mean(dim=1)
        directions = radiance.new_tensor(fibonacci_directions(CELLS))
        share = 4.0 / CELLS  # solid angle of a cell over pi
        cosines = (graph.shading_normals[chosen] @ directions.T).clamp_min(0.0)
        reach, bounce = share * cosines, radiance.new_zeros(len(chosen), 3)
        for first in range(0, CELLS, CELLS_PER_PRODUCT):
            progress.check()
            group = slice(first, first + CELLS_PER_PRODUCT)
            point, cell = cosines[:, group].nonzero().unbind(1)
            hit, light = blocking_radiance(
                graph, rays, chosen[point], directions[group][cell], of_faces
            )
            reflected = radiance.new_zeros(*cosines[:, group].shape, 3)
            reflected[point, cell] = light
            bounce += (reach[:, None, group] @ reflected)[:, 0]
            reach[:, group][point[hit], cell[hit]] = 0.0
        return cls(
            graph.vertices[chosen],
            seen.evidence[chosen],
            torch.log(radiance[chosen].clamp_min(0.1 * DARK)),
            reach @ _lobes(directions),
            bounce,
        )

    @property
    def half(self) -> Tensor:
        """The points in every other block of space, [n]."""
        return torch.floor(self.position / BLOCK).sum(dim=1) % 2 == 0

    def shading(self, light: Tensor) -> Tensor:
        """Irradiance over pi, [n, 3], of a light [cells, 3]."""
        return (self.reach @ light + self.bounce).clamp_min(1e-3)

    def brightest(self, light: Tensor) -> float:
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
        order: of all first points, then all second ones, by point, [2 * pairs].
        starts: of the pairs of each point in that order, [n].
    """

    first: Tensor
    second: Tensor
    weight: Tensor
    order: Tensor
    starts: Tensor

    @classmethod
    def of(cls, points: _Points, chosen: Tensor) -> _Pairs:
        """Pairs among the chosen points, weighed by trust and nearness."""
        drawn = np.random.default_rng(SEED).integers(0, len(chosen), (2, PAIRS))
        first, second = chosen[torch.from_numpy(drawn).to(chosen.device)]
        distance = (points.position[first] - points.position[second]).square().sum(dim=1)
        weight = torch.exp(distance * (-0.5 / REACH**2)) * (first != second)
        weight = weight * (points.trust[first] * points.trust[second]).sqrt()
        point, order = torch.cat([first, second]).sort(stable=True)
        every = torch.arange(len(points.trust), device=point.device)
        starts = torch.searchsorted(point, every)
        return cls(first, second, weight / weight.sum().clamp_min(1e-12), order, starts)

    def cost(self, log_base: Tensor, widening: float) -> Tensor:
        """How different the pairs are, 0..1; what is far beyond the tolerance counts as 1.

        Args:
            log_base: logarithm of base color, [n, 3].
            widening: factor on the tolerances.
        """
        difference: Tensor = _Differences.apply(log_base, self)  # type: ignore[no-untyped-call]
        brightness = difference.mean(dim=1, keepdim=True)
        color = ((difference - brightness) ** 2).sum(dim=1) / COLOR_TOLERANCE**2
        squared = (brightness[:, 0] ** 2 / BRIGHTNESS_TOLERANCE**2 + color) / widening**2
        return (self.weight * squared / (1.0 + squared)).sum()


class _Differences(torch.autograd.Function):
    """Values [n, channels] of first points less those of second ones, [pairs, channels].

    Gradients are summed in one order: those of an index are not, on a GPU.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, pairs: _Pairs) -> Tensor:
        ctx.pairs = pairs
        return values.index_select(0, pairs.first) - values.index_select(0, pairs.second)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        of_ends = torch.cat([grads[0], -grads[0]])
        pairs = ctx.pairs
        return F.embedding_bag(pairs.order, of_ends, pairs.starts, mode="sum"), None


def _fit(points: _Points, pairs: _Pairs, progress: Progress) -> Tensor:
    """The radiance of each lobe of the light, linear RGB, [cells, 3].

    The tolerances begin wide, so that the first steps see all pairs.
    """
    around = _lobes(points.reach.new_tensor(fibonacci_directions(CELLS)))
    logarithm = points.reach.new_zeros(CELLS, 3).requires_grad_()
    optimizer = Adam([logarithm], BETAS, fused=False)
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
        cost.backward()
        optimizer.step(RATE)
    return torch.exp(logarithm.detach())


def _lobes(directions: Tensor) -> Tensor:
    """The share of each lobe of the light in directions [..., 3], [..., cells], of sum 1."""
    centers = directions.new_tensor(fibonacci_directions(CELLS))
    return torch.softmax(SHARPNESS * (directions @ centers.T), dim=-1)
