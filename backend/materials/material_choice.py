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
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import splu

from .ggx import ROUGHNESS
from .observations import gamma_encoded

if TYPE_CHECKING:
    from torch import Tensor

    from ..shared.progress import Progress
    from .surface_graph import SurfaceGraph

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
    """One material at every vertex.

    Attributes:
        level: of the roughness: its place in `ROUGHNESS`, or between two, [vertices].
        metallic: 0 or 1, [vertices].
    """

    level: Tensor
    metallic: Tensor

    @property
    def roughness(self) -> Tensor:
        """Perceptual, interpolated between the levels, [vertices]."""
        roughness = torch.full_like(self.level, ROUGHNESS[0])
        for number, (low, high) in enumerate(pairwise(ROUGHNESS)):
            roughness += (high - low) * (self.level - number).clamp(0.0, 1.0)
        return roughness


def log_cost(cost: Tensor) -> Tensor:
    """The logarithm of a mean squared difference of displayed color, [...]."""
    return torch.log(cost + NOISE)


def pool(
    graph: SurfaceGraph,
    costs: Tensor,
    evidence: Tensor,
    color: Tensor,
    tolerance: float,
    progress: Progress,
) -> Tensor:
    """Costs that vary little along the surface where its color does not, [candidates, vertices].

    They minimize the squared distance to the given costs, weighed by evidence, plus squared
    differences between neighbors of like color: one sparse linear system, solved on the CPU.

    Args:
        graph: of the surface.
        costs: of each vertex by itself, as logarithms, [candidates, vertices].
        evidence: how much a vertex has been seen, mean 1, [vertices].
        color: linear base color that separates the parts of the object, [vertices, 3].
        tolerance: difference of displayed color beyond which neighbors are different parts.
        progress: checked for cancel.
    """
    shown = gamma_encoded(color)
    first, second = graph.neighbors
    difference = (shown[first] - shown[second]).square().sum(dim=1)
    alike = torch.exp(difference * (-0.5 / tolerance**2))
    alike = alike * (POOLING_LENGTH / graph.edge_length) ** 2
    mean = ((costs * evidence).sum(dim=1) / evidence.sum())[:, None]
    # Pieces that no view sees have no evidence of their own and take the mean.
    trust = evidence + 1e-4
    pooled = _solved(graph, alike, trust, evidence * costs + 1e-4 * mean, progress)
    return (pooled + OBJECT_SHARE * mean) / (1.0 + OBJECT_SHARE)


def _solved(
    graph: SurfaceGraph, links: Tensor, trust: Tensor, right: Tensor, progress: Progress
) -> Tensor:
    """Solve trust * x + differences from neighbors times their links = right, in float64.

    Args:
        graph: of the surface.
        links: of its pairs of neighbors, [pairs].
        trust: [vertices].
        right: [candidates, vertices].
        progress: checked for cancel.
    """
    count = len(trust)
    values, first, second = (each.cpu().numpy() for each in (links.double(), *graph.neighbors))
    matrix = csr_matrix((values, (first, second)), shape=(count, count))
    diagonal = trust.double().cpu().numpy() + matrix.sum(axis=1).A1
    # Symmetric and positive: no pivot is needed, and the order of a symmetric matrix fills less.
    options = {"SymmetricMode": True}
    system = (diags(diagonal) - matrix).tocsc()
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    progress.check()
    solved = solver.solve(right.double().cpu().numpy().T)
    return torch.from_numpy(solved.T).to(right)


def choose(kinds: Tensor, paint: Tensor, metal: Tensor) -> Choice:
    """The cheaper of paint and metal at every vertex, each at its best roughness.

    Args:
        kinds: pooled costs of the best paint and of the best metal of every vertex, [2, vertices].
        paint: pooled costs of paint, of each roughness, [levels, vertices].
        metal: the same of metals, whose levels may be fewer.
    """
    metallic = kinds[1] + METAL_MARGIN < kinds[0]
    return Choice(torch.where(metallic, best_level(metal), best_level(paint)), metallic.to(kinds))


def best_level(costs: Tensor) -> Tensor:
    """Where a parabola through the cheapest level and its neighbors is lowest, [vertices].

    Args:
        costs: of ascending roughness, [levels, vertices].
    """
    best = costs.argmin(dim=0)
    middle = best.clamp(1, len(costs) - 2)
    low, mid, high = (costs.gather(0, middle[None] + step)[0] for step in (-1, 0, 1))
    curvature = low - 2.0 * mid + high
    shift = 0.5 * (low - high) / curvature.clamp_min(1e-12)
    return torch.where(best == middle, middle + shift.clamp(-0.5, 0.5), best.to(costs))
