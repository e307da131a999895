# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which material explains what the views saw: candidates per vertex, base color in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .ggx import DIELECTRIC_F0, ROUGHNESS, split_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.progress import Progress
    from .light_transport import LightTransport
    from .observations import Observations
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

DISPLAY_GAMMA = 2.2
LARGEST_COST = 0.04
"""Squared difference of displayed color beyond which a view counts as an outlier."""

SPREAD_ROUNDS = 20
SPREAD_TOLERANCE = 0.06
"""Difference of displayed base color beyond which neighbors are different materials."""

OBJECT_SHARE = 0.3
"""How much the mean cost over the object counts beside a vertex's own."""

LABEL_CHANGE = 1e-4
"""Cost of each neighbor with another label."""

LABEL_ROUNDS = 6


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
SHINY = tuple(Material(roughness, metallic) for metallic in (0.0, 1.0) for roughness in ROUGHNESS)


@dataclass(frozen=True)
class Response:
    """Radiance as a linear function of base color: gain * base_color + offset.

    Attributes:
        gain: [vertices, views, 3].
        offset: [vertices, views, 3].
    """

    gain: Floats
    offset: Floats

    def choose(self, other: Response, chosen: NDArray[np.bool_]) -> Response:
        """Those of the other response at the chosen vertices [vertices]."""
        where = chosen[:, None, None]
        return Response(
            np.where(where, other.gain, self.gain), np.where(where, other.offset, self.offset)
        )


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
    """

    base_color: Floats
    roughness: Floats
    metallic: Floats
    specular: bool
    response: Response
    residual: float


def fit_materials(
    graph: SurfaceGraph, seen: Observations, light: LightTransport, progress: Progress
) -> VertexMaterials:
    """Choose the material of every vertex.

    Args:
        graph: of the surface.
        seen: what the views saw.
        light: what reaches the surface.
        progress: checked for cancel.
    """
    matt = _Fit.of(MATT, seen, light)
    fits = []
    for material in SHINY:
        progress.check()
        fits.append(_Fit.of(material, seen, light))
    costs = np.stack([fit.cost for fit in fits])
    label = choose_labels(graph, costs, matt.base_color)
    weight = seen.weight.sum(axis=1)
    shiny_cost = np.average(costs[label, np.arange(len(label))], weights=weight)
    matt_cost = np.average(matt.cost, weights=weight)
    if matt_cost <= shiny_cost:
        fits, label = [matt], np.zeros(len(label), dtype=int)
    base = np.stack([fit.base_color for fit in fits])[label, np.arange(len(label))]
    response = fits[0].response(seen, light)
    for number in np.unique(label):
        response = response.choose(fits[number].response(seen, light), label == number)
    return VertexMaterials(
        graph.filled(base, seen.seen),
        np.array([fit.material.roughness for fit in fits])[label],
        np.array([fit.material.metallic for fit in fits])[label],
        fits[0].material.specular,
        response,
        float(min(matt_cost, shiny_cost)),
    )


@dataclass(frozen=True)
class _Fit:
    """One candidate at all vertices: base color [vertices, 3] and cost [vertices]."""

    material: Material
    base_color: Floats
    cost: Floats

    @classmethod
    def of(cls, material: Material, seen: Observations, light: LightTransport) -> _Fit:
        response = respond(material, seen.direction, light)
        base = solve_base_color(response, seen.radiance, seen.weight)
        return cls(material, base, _cost(response, base, seen))

    def response(self, seen: Observations, light: LightTransport) -> Response:
        return respond(self.material, seen.direction, light)


def respond(material: Material, direction: Floats, light: LightTransport) -> Response:
    """What a material would show from directions [vertices, views, 3].

    Dielectrics reflect by F0 = 0.04 and scatter the rest; metals reflect by their base color.
    """
    diffuse = np.broadcast_to(light.irradiance[:, None] / np.pi, direction.shape)
    if not material.specular:
        return Response(diffuse, np.zeros_like(diffuse))
    cosine = (direction * light.normals[:, None]).sum(axis=-1).clip(1e-3, 1.0)
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
    bounded = np.minimum((difference**2).sum(axis=-1), LARGEST_COST)
    total = (seen.weight * bounded).sum(axis=1)
    mean: Floats = total / np.maximum(seen.weight.sum(axis=1), 1e-9)
    return mean


def choose_labels(graph: SurfaceGraph, costs: Floats, base: Floats) -> NDArray[np.int64]:
    """The candidate of every vertex, alike where the color is alike, [vertices].

    Args:
        graph: of the surface.
        costs: [candidates, vertices].
        base: linear color that separates the parts of the object, [vertices, 3].
    """
    shown = np.clip(base, 0.0, 1.0) ** (1 / DISPLAY_GAMMA)
    first, second = graph.edges.T
    alike = np.exp(-((shown[first] - shown[second]) ** 2).sum(axis=1) / (2 * SPREAD_TOLERANCE**2))
    count = costs.shape[1]
    degree = 1.0 + np.bincount(first, alike, count) + np.bincount(second, alike, count)
    spread = costs.copy()
    for _ in range(SPREAD_ROUNDS):
        spread = np.stack(
            [
                row
                + np.bincount(first, alike * row[second], count)
                + np.bincount(second, alike * row[first], count)
                for row in spread
            ]
        )
        spread /= degree
    spread += OBJECT_SHARE * costs.mean(axis=1, keepdims=True)
    label: NDArray[np.int64] = spread.argmin(axis=0)
    for _ in range(LABEL_ROUNDS):
        chosen = label == np.arange(len(spread))[:, None]
        same = np.stack([graph.neighbors @ row.astype(float) for row in chosen])
        label = (spread + LABEL_CHANGE * (graph.degree[:, 0] - same)).argmin(axis=0)
    return label
