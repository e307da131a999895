# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposure and white balance of each view, from surface points that several views show.

A photograph shows the radiance of the surface times a gain for each channel. The gains that make
views agree are solved by robust least squares on logarithms. Views of gloss, or of a wrong surface,
disagree, too, but not everywhere alike: gains are used only if those of one half of the surface
make the views agree on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..shared.cameras import fibonacci_sphere
from ..shared.srgb import srgb_to_linear
from .photo_projection import PhotoProjector, ProjectionSettings
from .view_colors import ViewColors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .triangle_mesh import TriangleMesh

    Floats = NDArray[np.float64]

POINTS = 8000
DARKEST, BRIGHTEST = 0.08, 0.96
"""Displayed values between which the response of a camera is known."""

ROUNDS = 8
OUTLIER = 0.1
"""Difference of logarithms at which the weight of a view is halved; twice that is the largest that
counts as disagreement."""

PARTS = 24

# On the tuning objects the gains of renders explain up to 1 % of the differences, those of renders
# multiplied by gains of 6 % (standard deviation) explain 19 % and more.
LEAST_EXPLAINED = 0.1


@dataclass(frozen=True)
class PointColors:
    """Surface points as several views show them.

    Attributes:
        logarithm: of linear color, [points, views, 3].
        weight: zero where a view does not show a point well, [points, views].
        half: of the surface, [points].
    """

    logarithm: Floats
    weight: Floats
    half: NDArray[np.bool_]

    def chosen(self, points: NDArray[np.bool_]) -> PointColors:
        """Some of the points."""
        return PointColors(self.logarithm[points], self.weight[points], self.half[points])

    def disagreement(self, exposure: Floats) -> float:
        """The mean difference of views from each point's mean, for exposures [views, 3]."""
        residual = _residual(self.logarithm - exposure, self.weight[..., None])
        bounded = np.minimum(np.abs(residual), 2 * OUTLIER).mean(axis=2)
        return float((self.weight * bounded).sum() / max(self.weight.sum(), 1e-12))


def estimate_gains(
    mesh: TriangleMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    device: torch.device | None = None,
) -> Floats | None:
    """Factors on the linear color of each view that make the views agree.

    Args:
        mesh: the surface, normalized frame.
        views: of it, in the size they have in memory.
        normalization: from their world.
        progress: checked for cancel.
        device: that looks at the surface; the CPU if it is None.

    Returns:
        [views, 3] with a geometric mean of 1, or nothing if there is no evidence that views differ.
    """
    seen = _look(mesh, views, normalization, progress, device)
    if _explained(seen) < LEAST_EXPLAINED:
        return None
    return np.exp(-solve_exposures(seen))


def _explained(seen: PointColors) -> float:
    """The share of the views' disagreement that goes away with exposures of the other half."""
    before = after = 0.0
    for half in (seen.half, ~seen.half):
        unknown = seen.chosen(~half)
        before += unknown.disagreement(np.zeros((seen.weight.shape[1], 3)))
        after += unknown.disagreement(solve_exposures(seen.chosen(half)))
    return 1.0 - after / max(before, 1e-12)


def solve_exposures(seen: PointColors) -> Floats:
    """The logarithms of the exposures of the views, of mean 0, [views, 3]."""
    exposure = np.zeros((seen.weight.shape[1], 3))
    for channel in range(3):
        values, weight = seen.logarithm[..., channel], seen.weight
        for _ in range(ROUNDS):
            residual = _residual(values - exposure[:, channel], weight)
            weight = seen.weight / (1.0 + (residual / OUTLIER) ** 2)
            total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
            matrix = np.diag(weight.sum(axis=0)) - (weight / total).T @ weight
            right = (weight * _residual(values, weight)).sum(axis=0)
            exposure[:, channel] = np.linalg.lstsq(matrix, right, rcond=1e-6)[0]
    centered: Floats = exposure - exposure.mean(axis=0)
    return centered


def _residual(values: Floats, weight: Floats) -> Floats:
    """Values [points, views, ...] minus the weighted mean of each point."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    residual: Floats = values - (weight * values).sum(axis=1, keepdims=True) / total
    return residual


def _look(
    mesh: TriangleMesh,
    views: Sequence[View],
    normalization: Normalization,
    progress: Progress,
    device: torch.device | None,
) -> PointColors:
    """Vertices, evenly taken from all, in every view."""
    rows = slice(None, None, max(1, len(mesh.vertices) // POINTS))
    normals = mesh.vertex_normals[rows]
    projectors = PhotoProjector.of_views(views, normalization, mesh, device)
    logarithms, weights = [], []
    for shown, seen in colors_in_views(mesh.vertices[rows], normals, views, projectors):
        progress.check()
        display, weight = shown.astype(np.float64), seen.astype(np.float64)
        usable = (display.min(axis=1) > DARKEST) & (display.max(axis=1) < BRIGHTEST)
        weights.append(np.where(usable, weight, 0.0))
        logarithms.append(np.log(srgb_to_linear(display).clip(1e-4)))
    weight = np.stack(weights, axis=1)
    weight /= max(float(weight.max()), 1e-12)
    part = (normals.astype(np.float32) @ fibonacci_sphere(PARTS).T).argmax(axis=1)
    return PointColors(np.stack(logarithms, axis=1), weight, part % 2 == 0)


def colors_in_views(
    positions: NDArray[Any],
    normals: NDArray[Any],
    views: Sequence[View],
    projectors: Iterable[PhotoProjector],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The displayed colors [n, 3] of surface points in each view, and how well it sees them, [n].

    Args:
        positions: of the points, normalized frame, [n, 3].
        normals: unit, [n, 3].
        views: of them, in the size they have in memory.
        projectors: of the same views; only one is needed at a time.
    """
    for view, projector in zip(views, projectors, strict=True):
        device = projector.limits.device
        at, facing = (torch.from_numpy(each).float().to(device) for each in (positions, normals))
        weight = projector.weight(at, facing, ProjectionSettings())
        colors = ViewColors.in_memory(view, projector.camera).sample(at)[0]
        yield colors.cpu().numpy(), weight.cpu().numpy()
