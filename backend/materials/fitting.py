# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which material explains what the views saw: candidates per vertex, base color in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .ggx import DIELECTRIC_F0, ROUGHNESS, split_sum
from .material_choice import (
    METAL_TOLERANCE,
    PAINT_TOLERANCE,
    Choice,
    choose,
    log_cost,
    pool,
)
from .saturation import complete_saturated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.progress import Progress
    from .light_transport import LightTransport
    from .observations import Observations
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

DISPLAY_GAMMA = 2.2
FOLDS = 2
"""Alternating views that are judged by base color from the others."""

CONTRADICTION = 0.2
"""By how much the logarithm of the cost may be worse than without any light."""

COMPARING = 0.85
"""The share of the time of a fit in which all candidates are compared."""

LARGEST_COST = 0.04
"""Squared difference of displayed color beyond which a view counts as an outlier."""


@dataclass(frozen=True)
class Material:
    """A kind of material, without its base color.

    Attributes:
        roughness: perceptual.
        metallic: 0 or 1.
        specular: whether a dielectric reflects at all.
    """

    roughness: float
    metallic: float = 0.0
    specular: bool = True


MATT = Material(1.0, specular=False)
PAINTS = np.array(ROUGHNESS)
"""Roughness of the dielectric candidates."""

METALS = np.array([roughness for roughness in ROUGHNESS if roughness <= 0.7])
"""Roughness of the metallic candidates; a rougher metal can hardly be distinguished from paint."""


@dataclass(frozen=True)
class Response:
    """Radiance as a linear function of base color: gain * base_color + offset.

    Attributes:
        gain: [vertices, views, 3].
        offset: [vertices, views, 3].
    """

    gain: Floats
    offset: Floats

    def scaled(self, exposures: Floats) -> Response:
        """What views [views, 3] show that are exposed differently."""
        return Response(self.gain * exposures, self.offset * exposures)


@dataclass(frozen=True)
class VertexMaterials:
    """The materials of a surface.

    Attributes:
        base_color: linear RGB, [vertices, 3].
        roughness: [vertices].
        metallic: [vertices].
        specular: whether the dielectric parts reflect; one decision for the object.
        response: of the chosen materials.
        residual: weighted mean of the squared difference of displayed color.
        plausible: whether the light explains views about as well as surfaces that shine by
            themselves; if it is too dim, for example, no material does.
    """

    base_color: Floats
    roughness: Floats
    metallic: Floats
    specular: bool
    response: Response
    residual: float
    plausible: bool


def fit_materials(
    graph: SurfaceGraph,
    seen: Observations,
    light: LightTransport,
    progress: Progress,
    span: tuple[float, float] = (0.0, 1.0),
) -> VertexMaterials:
    """Choose the material of every vertex.

    Args:
        graph: of the surface.
        seen: what the views saw.
        light: what reaches the surface.
        progress: receives fractions of the stage `materials`.
        span: its fractions at which this begins and ends.
    """
    compared = span[0] + COMPARING * (span[1] - span[0])
    matt = _Fit.of(respond(MATT, seen.direction, light), seen)
    choice = _choose_shiny(graph, seen, light, matt.base_color, progress, (span[0], compared))
    response = _respond_to(choice, seen, light, progress, (compared, span[1]))
    shiny = _Fit.of(response, seen)
    specular = _held_out_cost(shiny.response, seen) < _held_out_cost(matt.response, seen)
    if not specular:
        return _matt_materials(graph, seen, matt)
    return _materials_of(graph, seen, shiny, choice, specular=True)


def _materials_of(
    graph: SurfaceGraph, seen: Observations, fit: _Fit, choice: Choice, *, specular: bool
) -> VertexMaterials:
    """The materials of a fit, and whether they explain the views."""
    own_light = Response(np.ones_like(seen.radiance), np.zeros_like(seen.radiance))
    return VertexMaterials(
        graph.filled(complete_saturated(graph, fit.base_color, seen), seen.seen),
        choice.roughness,
        choice.metallic,
        specular,
        fit.response,
        float(np.average(fit.cost, weights=seen.evidence)),
        _held_out_cost(fit.response, seen) < _held_out_cost(own_light, seen) + CONTRADICTION,
    )


def fit_matt(graph: SurfaceGraph, seen: Observations, light: LightTransport) -> VertexMaterials:
    """The base color of every vertex of a surface that is taken to be matt.

    Args:
        graph: of the surface.
        seen: what the views saw.
        light: what reaches the surface.
    """
    return _matt_materials(graph, seen, _Fit.of(respond(MATT, seen.direction, light), seen))


def _matt_materials(graph: SurfaceGraph, seen: Observations, fit: _Fit) -> VertexMaterials:
    """The materials of a matt fit: roughness and metallic are those of `MATT` everywhere."""
    everywhere = np.ones(len(seen.evidence))
    choice = Choice(MATT.roughness * everywhere, MATT.metallic * everywhere)
    return _materials_of(graph, seen, fit, choice, specular=False)


def _held_out_cost(response: Response, seen: Observations) -> float:
    """The logarithm of the cost of views whose colors the base color is not made from."""
    total = weights = 0.0
    for fold in range(FOLDS):
        held_out = np.arange(seen.weight.shape[1]) % FOLDS == fold
        rest = replace(seen, weight=np.where(held_out, 0.0, seen.weight))
        judged = replace(seen, weight=np.where(held_out, seen.weight, 0.0))
        base = solve_base_color(response, rest.radiance, rest.weight)
        evidence = judged.evidence * rest.seen
        total += float((evidence * log_cost(_cost(response, base, judged))).sum())
        weights += float(evidence.sum())
    return total / max(weights, 1e-12)


@dataclass(frozen=True)
class _Fit:
    """The best base color [vertices, 3] under a response, and its cost [vertices]."""

    response: Response
    base_color: Floats
    cost: Floats

    @classmethod
    def of(cls, response: Response, seen: Observations) -> _Fit:
        base = solve_base_color(response, seen.radiance, seen.weight)
        return cls(response, base, _cost(response, base, seen))


def _choose_shiny(
    graph: SurfaceGraph,
    seen: Observations,
    light: LightTransport,
    color: Floats,
    progress: Progress,
    span: tuple[float, float],
) -> Choice:
    """Paint or metal and the roughness of every vertex, if the object reflects at all."""
    candidates = [Material(roughness) for roughness in PAINTS]
    candidates += [Material(roughness, 1.0) for roughness in METALS]
    costs = []
    for material in progress.each(
        "materials", candidates, len(candidates), span, "comparing materials"
    ):
        response = respond(material, seen.direction, light)
        costs.append(log_cost(_Fit.of(response, seen).cost))
    progress.check()
    paint, metal = np.stack(costs[: len(PAINTS)]), np.stack(costs[len(PAINTS) :])

    def pooled(each: Floats, tolerance: float) -> Floats:
        return pool(graph, each, seen.evidence, color, tolerance, progress)

    best = np.stack([paint.min(axis=0), metal.min(axis=0)])
    narrow = pooled(np.concatenate([best, metal]), METAL_TOLERANCE)
    progress.check()
    return choose(narrow[:2], pooled(paint, PAINT_TOLERANCE), narrow[2:], PAINTS, METALS)


def _respond_to(
    choice: Choice,
    seen: Observations,
    light: LightTransport,
    progress: Progress,
    span: tuple[float, float],
) -> Response:
    """The response of the chosen materials, between those of the nearest levels of roughness."""
    gain, offset = np.zeros_like(seen.radiance), np.zeros_like(seen.radiance)
    position = np.interp(choice.roughness, PAINTS, np.arange(len(PAINTS)))
    levels = [*product((0.0, 1.0), enumerate(PAINTS))]
    for metallic, (level, roughness) in progress.each(
        "materials", levels, len(levels), span, "shading what was chosen"
    ):
        share = (1.0 - np.abs(position - level)).clip(0.0) * (choice.metallic == metallic)
        part = np.flatnonzero(share > 0)
        if len(part):
            response = respond(Material(roughness, metallic), seen.direction[part], light.at(part))
            gain[part] += share[part, None, None] * response.gain
            offset[part] += share[part, None, None] * response.offset
    return Response(gain, offset)


def respond(material: Material, direction: Floats, light: LightTransport) -> Response:
    """What a material would show from directions [vertices, views, 3].

    Dielectrics reflect by F0 = 0.04 and scatter the rest; metals reflect by their base color.
    """
    diffuse = np.broadcast_to(light.irradiance[:, None] / np.pi, direction.shape)
    if not material.specular:
        return Response(diffuse, np.zeros_like(diffuse))
    cosine = np.einsum("nvc,nc->nv", direction, light.normals).clip(1e-3, 1.0)
    lobe = split_sum(material.roughness, cosine)
    mirrored = light.reflected(direction, material.roughness)
    if material.metallic:
        # What scatters between facets is reflected more than once; 0.7 stands for the base color.
        scattered = (1.0 + 0.7 * lobe.lost)[..., None]
        scale, bias = lobe.scale[..., None], lobe.bias[..., None]
        return Response(scale * mirrored * scattered, bias * mirrored * scattered)
    scattered = 1.0 + DIELECTRIC_F0 * lobe.lost
    albedo = ((DIELECTRIC_F0 * lobe.scale + lobe.bias) * scattered)[..., None]
    return Response((1.0 - albedo) * diffuse, albedo * mirrored)


def solve_base_color(response: Response, radiance: Floats, weight: Floats) -> Floats:
    """The base color with the least squared error, bright views weighing less, [vertices, 3]."""
    weights = weight[..., None] / (radiance + 0.03) ** 1.1
    numerator = (weights * response.gain * (radiance - response.offset)).sum(axis=1)
    denominator = (weights * response.gain**2).sum(axis=1)
    base: Floats = np.clip(numerator / np.maximum(denominator, 1e-12), 0.0, 1.0)
    return base


def _cost(response: Response, base: Floats, seen: Observations) -> Floats:
    """The mean squared difference of displayed color, outliers bounded, [vertices]."""
    predicted = np.clip(base[:, None] * response.gain + response.offset, 0.0, 1.0)
    shown = np.clip(seen.radiance, 0.0, 1.0)
    difference = predicted ** (1 / DISPLAY_GAMMA) - shown ** (1 / DISPLAY_GAMMA)
    squared = np.einsum("nvc,nvc->nv", difference, difference)
    bounded = np.minimum(squared, LARGEST_COST)
    total = (seen.weight * bounded).mean(axis=1)
    mean: Floats = total / np.maximum(seen.evidence, 1e-9)
    return mean
