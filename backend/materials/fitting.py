# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which material explains what the views saw: candidates per vertex, base color in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from kernels.core.chunk_size import rows_per_chunk

from .ggx import DIELECTRIC_F0, ROUGHNESS, split_sum
from .material_choice import (
    METAL_TOLERANCE,
    PAINT_TOLERANCE,
    Choice,
    choose,
    log_cost,
    pool,
)
from .observations import gamma_encoded
from .saturation import complete_saturated

if TYPE_CHECKING:
    from torch import Tensor

    from ..shared.progress import Progress
    from .light_transport import LightTransport
    from .observations import Observations
    from .surface_graph import SurfaceGraph

FOLDS = 2
"""Alternating views that are judged by base color from the others."""

CONTRADICTION = 0.2
"""By how much the logarithm of the cost may be worse than without any light."""

COMPARING = 0.85
"""The share of the time of a fit in which all candidates are compared."""

LARGEST_COST = 0.04
"""Squared difference of displayed color beyond which a view counts as an outlier."""

SAMPLES_PER_CHUNK = 1 << 14
"""Vertices times views whose radiance is computed together on the CPU."""

BYTES_PER_SAMPLE = 300
"""Of a vertex in a view: basis functions of its lobe, the radiance there, colors."""


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
ROUGHEST_METAL = 0.7
"""Rougher candidates are paint only: a rough metal can hardly be distinguished from it."""


@dataclass(frozen=True)
class Response:
    """Radiance as a linear function of base color: gain * base_color + offset.

    Attributes:
        gain: [vertices, views, 3].
        offset: [vertices, views, 3].
    """

    gain: Tensor
    offset: Tensor

    def scaled(self, exposures: Tensor) -> Response:
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

    base_color: Tensor
    roughness: Tensor
    metallic: Tensor
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
    own_light = Response(torch.ones_like(seen.radiance), torch.zeros_like(seen.radiance))
    return VertexMaterials(
        graph.filled(complete_saturated(graph, fit.base_color, seen), seen.seen),
        choice.roughness,
        choice.metallic,
        specular,
        fit.response,
        float((fit.cost * seen.evidence).sum() / seen.evidence.sum()),
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
    everywhere = torch.ones_like(seen.evidence)
    level = ROUGHNESS.index(MATT.roughness)
    choice = Choice(level * everywhere, MATT.metallic * everywhere)
    return _materials_of(graph, seen, fit, choice, specular=False)


def _held_out_cost(response: Response, seen: Observations) -> float:
    """The logarithm of the cost of views whose colors the base color is not made from."""
    total = weights = 0.0
    for fold in range(FOLDS):
        rest, judged = seen.weight.clone(), torch.zeros_like(seen.weight)
        rest[:, fold::FOLDS] = 0.0
        judged[:, fold::FOLDS] = seen.weight[:, fold::FOLDS]
        known, held_out = replace(seen, weight=rest), replace(seen, weight=judged)
        base = solve_base_color(response, known)
        evidence = held_out.evidence * known.seen
        total += float((evidence * log_cost(_cost(response, base, held_out))).sum())
        weights += float(evidence.sum())
    return total / max(weights, 1e-12)


@dataclass(frozen=True)
class _Fit:
    """The best base color [vertices, 3] under a response, and its cost [vertices]."""

    response: Response
    base_color: Tensor
    cost: Tensor

    @classmethod
    def of(cls, response: Response, seen: Observations) -> _Fit:
        base = solve_base_color(response, seen)
        return cls(response, base, _cost(response, base, seen))


def _choose_shiny(
    graph: SurfaceGraph,
    seen: Observations,
    light: LightTransport,
    color: Tensor,
    progress: Progress,
    span: tuple[float, float],
) -> Choice:
    """Paint or metal and the roughness of every vertex, if the object reflects at all."""
    parts = _chunks(seen)
    of_paint, of_metal = [], []
    for rows in progress.each("materials", parts, len(parts), span, "comparing materials"):
        paint, metal = _compare(seen.at(rows), light.at(rows), progress)
        of_paint.append(paint)
        of_metal.append(metal)
    paint, metal = torch.cat(of_paint, dim=1), torch.cat(of_metal, dim=1)

    def pooled(each: Tensor, tolerance: float) -> Tensor:
        return pool(graph, each, seen.evidence, color, tolerance, progress)

    best = torch.stack([paint.amin(dim=0), metal.amin(dim=0)])
    narrow = pooled(torch.cat([best, metal]), METAL_TOLERANCE)
    progress.check()
    return choose(narrow[:2], pooled(paint, PAINT_TOLERANCE), narrow[2:])


def _compare(
    seen: Observations, light: LightTransport, progress: Progress
) -> tuple[Tensor, Tensor]:
    """Logarithms of the costs of paints and metals of each roughness, [levels, vertices] each."""
    paints: list[Tensor] = []
    metals: list[Tensor] = []
    for roughness in ROUGHNESS:
        progress.check()
        mirrored = light.reflected(seen.direction, roughness)
        for metallic, costs in ((0.0, paints), (1.0, metals)):
            if metallic == 0.0 or roughness <= ROUGHEST_METAL:
                material = Material(roughness, metallic)
                response = respond(material, seen.direction, light, mirrored)
                costs.append(log_cost(_Fit.of(response, seen).cost))
    return torch.stack(paints), torch.stack(metals)


def _chunks(seen: Observations) -> list[slice]:
    """The vertices in pieces that are computed together."""
    count, views = seen.weight.shape
    size = rows_per_chunk(
        seen.weight.device, BYTES_PER_SAMPLE * views, max(1, SAMPLES_PER_CHUNK // views)
    )
    return [slice(first, first + size) for first in range(0, count, size)]


def _respond_to(
    choice: Choice,
    seen: Observations,
    light: LightTransport,
    progress: Progress,
    span: tuple[float, float],
) -> Response:
    """The response of the chosen materials, between those of the nearest levels of roughness."""
    gain, offset = torch.zeros_like(seen.radiance), torch.zeros_like(seen.radiance)
    parts = _chunks(seen)
    for rows in progress.each("materials", parts, len(parts), span, "shading what was chosen"):
        direction, lit = seen.direction[rows], light.at(rows)
        level, metal = choice.level[rows], choice.metallic[rows]
        for number, roughness in enumerate(ROUGHNESS):
            near = (1.0 - (level - number).abs()).clamp_min(0.0)
            for metallic in (0.0, 1.0):
                share = near * (metal == metallic)
                part = share.nonzero()[:, 0]
                if len(part):
                    material = Material(roughness, metallic)
                    response = respond(material, direction[part], lit.at(part))
                    of_part = share[part, None, None]
                    gain[rows][part] += of_part * response.gain
                    offset[rows][part] += of_part * response.offset
    return Response(gain, offset)


def respond(
    material: Material, direction: Tensor, light: LightTransport, mirrored: Tensor | None = None
) -> Response:
    """What a material would show.

    Dielectrics reflect by F0 = 0.04 and scatter the rest; metals reflect by their base color.

    Args:
        material: of all vertices.
        direction: towards the viewer, unit, [vertices, views, 3].
        light: that reaches them.
        mirrored: what `light.reflected` has for the roughness, if it is known already.
    """
    diffuse = (light.irradiance[:, None] / torch.pi).expand_as(direction)
    if not material.specular:
        return Response(diffuse, torch.zeros_like(direction))
    if mirrored is None:
        mirrored = light.reflected(direction, material.roughness)
    cosine = (direction * light.normals[:, None]).sum(dim=-1).clamp(1e-3, 1.0)
    lobe = split_sum(material.roughness, cosine)
    if material.metallic:
        # What scatters between facets is reflected more than once; 0.7 stands for the base color.
        scattered = 1.0 + 0.7 * lobe.lost
        scale, bias = (scattered * each for each in (lobe.scale, lobe.bias))
        return Response(scale[..., None] * mirrored, bias[..., None] * mirrored)
    scattered = 1.0 + DIELECTRIC_F0 * lobe.lost
    albedo = ((DIELECTRIC_F0 * lobe.scale + lobe.bias) * scattered)[..., None]
    return Response((1.0 - albedo) * diffuse, albedo * mirrored)


def solve_base_color(response: Response, seen: Observations) -> Tensor:
    """The base color with the least squared error, bright views weighing less, [vertices, 3]."""
    weighted = seen.precision * response.gain
    numerator = (weighted * (seen.radiance - response.offset)).sum(dim=1)
    denominator = (weighted * response.gain).sum(dim=1)
    return (numerator / denominator.clamp_min(1e-12)).clamp(0.0, 1.0)


def _cost(response: Response, base: Tensor, seen: Observations) -> Tensor:
    """The mean squared difference of displayed color, outliers bounded, [vertices]."""
    predicted = torch.addcmul(response.offset, base[:, None], response.gain)
    squared = (gamma_encoded(predicted) - seen.displayed).square().sum(dim=-1)
    total = (seen.weight * squared.clamp_max(LARGEST_COST)).mean(dim=1)
    return total / seen.evidence.clamp_min(1e-9)
