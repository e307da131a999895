# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertices moved onto the zero level set of a signed distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..field.field import gradient
from .triangle_mesh import TriangleMesh

if TYPE_CHECKING:
    from ..field.field import PointFunction

NEWTON_STEPS = 2


def snap_vertices(
    mesh: TriangleMesh,
    signed_distance: PointFunction,
    reach: float,
    device: torch.device | None = None,
) -> TriangleMesh:
    """Move vertices along the slope of the distance onto its zero level set.

    Marching cubes interpolates linearly between two samples, and decimation fits the old triangles:
    both leave vertices near the surface but not on it.

    Args:
        mesh: near the level set.
        signed_distance: of slope about 1.
        reach: the farthest a vertex may move; one that would move farther, or come no closer to
            the surface, keeps its position.
        device: of the points; the CPU if it is None.
    """
    start = torch.from_numpy(mesh.vertices).float().to(device)
    before = signed_distance(start)
    points, value = start, before
    for _ in range(NEWTON_STEPS):
        slope = gradient(signed_distance, points, 0.5 * reach)
        step = value / (slope**2).sum(dim=1).clamp(min=0.25)
        points = points - step[:, None] * slope
        value = signed_distance(points)
    better = (value.abs() < before.abs()) & ((points - start).norm(dim=1) < reach)
    vertices = torch.where(better[:, None], points, start)
    return TriangleMesh(vertices.cpu().double().numpy(), mesh.faces)
