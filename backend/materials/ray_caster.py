# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays against a mesh, by Embree: what is hit first, and what is in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from embreex.mesh_construction import TriangleMesh as EmbreeMesh
from embreex.rtcore_scene import EmbreeScene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import TriangleMesh

    Floats = NDArray[np.float64]

NO_HIT = -1


class RayCaster:
    """A mesh to cast rays at.

    Args:
        mesh: in any frame; rays are in the same.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        self._scene = EmbreeScene()
        self._mesh = EmbreeMesh(self._scene, mesh.vertices[mesh.faces].astype(np.float32))

    def first_hit(self, origins: Floats, directions: Floats) -> NDArray[np.int32]:
        """The first face that each ray [n, 3] hits, [n]; NO_HIT where it hits none."""
        faces: NDArray[np.int32] = self._run(origins, directions, "INTERSECT")
        return faces

    def is_blocked(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Whether each ray [n, 3] hits anything, [n]."""
        blocked: NDArray[np.bool_] = self._run(origins, directions, "OCCLUDED") != NO_HIT
        return blocked

    def _run(self, origins: Floats, directions: Floats, query: str) -> NDArray[np.int32]:
        rays = (np.ascontiguousarray(each, dtype=np.float32) for each in (origins, directions))
        return self._scene.run(*rays, query=query)  # type: ignore[no-any-return]
