# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh with the material of each vertex."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..mesh.preview import LinearResponse

if TYPE_CHECKING:
    import torch

    from ..mesh.triangle_mesh import UnwrappedMesh
    from .fitting import VertexMaterials
    from .light_estimate import EstimatedLight


@dataclass(frozen=True)
class SurfaceMaterials:
    """The materials of an unwrapped mesh.

    Attributes:
        mesh: with shading normals. It is finer than the mesh it is made from where that has long
            edges, whose vertices come first.
        welded: the vertex of `materials` of every vertex of the mesh, [vertices].
        materials: per welded vertex.
        estimated_light: of the views, where it was not known and was separated as well.
    """

    mesh: UnwrappedMesh
    welded: torch.Tensor
    materials: VertexMaterials
    estimated_light: EstimatedLight | None = None

    def shade(self, unwrapped: UnwrappedMesh) -> UnwrappedMesh:
        """The mesh that the materials are made from, with shading normals."""
        return replace(unwrapped, normals=self.mesh.normals[: len(unwrapped.normals)])

    def response_in(self, view: int, device: torch.device | None = None) -> LinearResponse:
        """How the mesh answers to its light in an input view, on a device; the CPU if None."""
        response = self.materials.response
        gain, offset = (
            values[self.welded, view].to(device or "cpu")
            for values in (response.gain, response.offset)
        )
        return LinearResponse(gain, offset)
