# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice among material candidates: evidence pooled over the surface, metal only where clear.

A single vertex is seen by a few views and has a free base color: it says little about roughness.
Neighbors of like color are mostly of one material and say it together. Costs count by their
logarithm, as if the noise of every vertex were unknown: where the normal is wrong no candidate
fits and all are about alike, where it is right one of them fits much better.

Whether a part is metal is pooled over less than the roughness of paint: metal parts are often thin
rings and edges, which the paint beside them would outvote. Every vertex brings its own best
roughness to that vote: where normals are inexact, as on thin parts, no single roughness fits all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.progress import Progress
    from .surface_graph import SurfaceGraph

    Floats = NDArray[np.float64]

# Constants are chosen on the bottle and the teapot of the quality benchmark; that of metal also on
# its plain cup and glazed figure, and on the demo.
POOLING_LENGTH = 0.08
"""Model units over which evidence is pooled where the color does not change."""

PAINT_TOLERANCE = 0.06
"""Difference of displayed base color beyond which the roughness of neighbors differs."""

METAL_TOLERANCE = 0.03
"""The same for whether they are metal, and for the roughness of metal."""

OBJECT_SHARE = 0.1
"""How much the mean cost over the object counts beside that of a region."""

METAL_MARGIN = 0.15
"""By how much the logarithm of a metal's cost must be lower: a rough metal looks like paint."""

NOISE = 1e-4
"""Squared difference of displayed color that says nothing."""


@dataclass(frozen=True)
class Choice:
    """One of two materials at every vertex.

    Attributes:
        roughness: [vertices].
        metallic: 0 or 1, [vertices].
    """

    roughness: Floats
    metallic: Floats


def log_cost(cost: Floats) -> Floats:
    """The logarithm of a mean squared difference of displayed color, [...]."""
    logarithm: Floats = np.log(cost + NOISE)
    return logarithm


def pool(
    graph: SurfaceGraph,
    costs: Floats,
    evidence: Floats,
    color: Floats,
    tolerance: float,
    progress: Progress,
) -> Floats:
    """Costs that vary little along the surface where its color does not, [candidates, vertices].

    They minimize the squared distance to the given costs, weighed by evidence, plus squared
    differences between neighbors of like color: one sparse linear system.

    Args:
        graph: of the surface.
        costs: of each vertex by itself, as logarithms, [candidates, vertices].
        evidence: how much a vertex has been seen, mean 1, [vertices].
        color: linear base color that separates the parts of the object, [vertices, 3].
        tolerance: difference of displayed color beyond which neighbors are different parts.
        progress: checked for cancel.
    """
    shown = np.clip(color, 0.0, 1.0) ** (1 / 2.2)
    first, second = graph.edges.T
    difference = ((shown[first] - shown[second]) ** 2).sum(axis=1)
    alike = np.exp(-difference / (2.0 * tolerance**2))
    alike *= (POOLING_LENGTH / graph.edge_length) ** 2
    count = len(evidence)
    links = coo_matrix((alike, (first, second)), shape=(count, count))
    links = links + links.T
    mean = np.average(costs, axis=1, weights=evidence)[:, None]
    # Pieces that no view sees have no evidence of their own and take the mean.
    trust = evidence + 1e-4
    degree = np.asarray(links.sum(axis=1))[:, 0]
    solver = splu((diags(trust + degree) - links).tocsc())
    progress.check()
    pooled: Floats = solver.solve((evidence * costs + 1e-4 * mean).T).T
    return (pooled + OBJECT_SHARE * mean) / (1.0 + OBJECT_SHARE)


def choose(
    kinds: Floats, paint: Floats, metal: Floats, paint_levels: Floats, metal_levels: Floats
) -> Choice:
    """The cheaper of paint and metal at every vertex, each at its best roughness.

    Args:
        kinds: pooled costs of the best paint and of the best metal of every vertex, [2, vertices].
        paint: pooled costs of paint, [roughness levels, vertices].
        metal: the same of metals, whose levels may be fewer.
        paint_levels: ascending.
        metal_levels: ascending.
    """
    metallic = kinds[1] + METAL_MARGIN < kinds[0]
    roughness = np.where(
        metallic, best_roughness(metal_levels, metal), best_roughness(paint_levels, paint)
    )
    return Choice(roughness, metallic.astype(np.float64))


def best_roughness(levels: Floats, costs: Floats) -> Floats:
    """Where a parabola through the cheapest level and its neighbors is lowest, [vertices].

    Args:
        levels: of roughness, ascending.
        costs: [levels, vertices].
    """
    best = costs.argmin(axis=0)
    middle = best.clip(1, len(levels) - 2)
    column = np.arange(costs.shape[1])
    low, mid, high = (costs[middle + step, column] for step in (-1, 0, 1))
    curvature = low - 2.0 * mid + high
    shift = 0.5 * (low - high) / np.maximum(curvature, 1e-12)
    position = np.where(best == middle, middle + shift.clip(-0.5, 0.5), best)
    roughness: Floats = np.interp(position, np.arange(len(levels)), levels)
    return roughness
