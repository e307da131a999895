# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nearest vertex of a mesh: by a tree on the CPU, by comparing with all of them on a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.spatial import cKDTree

from kernels.nearest import nearest

if TYPE_CHECKING:
    from ..field.field import PointFunction
    from ..mesh.triangle_mesh import TriangleMesh


def nearest_vertex(mesh: TriangleMesh, device: torch.device) -> PointFunction:
    """A function of points [n, 3] on a device that finds the vertex nearest to each, [n] int64."""
    if device.type == "cpu":
        tree = cKDTree(mesh.vertices)

        def by_tree(points: torch.Tensor) -> torch.Tensor:
            _, row = tree.query(points.numpy(), workers=torch.get_num_threads())
            return torch.from_numpy(row)

        return by_tree
    vertices = torch.from_numpy(mesh.vertices).float().to(device)
    return lambda points: nearest(points, vertices, 1)[:, 0]
