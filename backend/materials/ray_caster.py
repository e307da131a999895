# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays against a mesh, by Embree on the CPU: what is hit first, and what is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from embreex.mesh_construction import TriangleMesh as EmbreeMesh
from embreex.rtcore_scene import EmbreeScene

if TYPE_CHECKING:
    from torch import Tensor

    from ..mesh.triangle_mesh import TriangleMesh

NO_HIT = -1


class RayCaster:
    """A mesh to cast rays at.

    Args:
        mesh: in any frame; rays are in the same, on any device.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        self._scene = EmbreeScene()
        self._mesh = EmbreeMesh(self._scene, mesh.vertices[mesh.faces].astype(np.float32))

    def first_hit(self, origins: Tensor, directions: Tensor) -> Tensor:
        """The first face that each ray [n, 3] hits, int64 [n]; NO_HIT where it hits none."""
        return self._run(origins, directions, "INTERSECT")

    def is_blocked(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Whether each ray [n, 3] hits anything, [n]."""
        return self._run(origins, directions, "OCCLUDED") != NO_HIT

    def _run(self, origins: Tensor, directions: Tensor, query: str) -> Tensor:
        rays = (each.float().contiguous().cpu().numpy() for each in (origins, directions))
        return torch.from_numpy(self._scene.run(*rays, query=query)).to(origins.device).long()
