# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mesh is made from: the visual hull, also carved; a fitted or the network's field."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..field.config import HALF_SIDE
from ..field.field_file import PosedField
from .cleaning import decimate, keep_solid_parts
from .isosurface import extract_isosurface
from .network_surface import SurfaceSettings, extract_network_surface
from .vertex_snapping import snap_vertices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..field.field import Field, PointFunction, TwoLevelField
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.visual_hull import VisualHull
    from .triangle_mesh import TriangleMesh

CPU = torch.device("cpu")

MESH_RESOLUTION = 256
"""Cells along one side of the box when the surface is extracted."""


class Surface(ABC):
    """A surface in the normalized frame, where the object lies in the sphere of radius 0.5.

    Attributes:
        device: of all points and their values.
    """

    device: torch.device

    @abstractmethod
    def signed_distance(self, points: Tensor) -> Tensor:
        """Signed distance [n] at points [n, 3] (x, y, z), negative inside."""

    @property
    def appearance(self) -> PointFunction | None:
        """Points [n, 3] to colors, or to materials [n, channels] in 0..1, where they are known."""
        return None

    @property
    def materials(self) -> PointFunction | None:
        """Points [n, 3] to base color, roughness and metallic [n, 5], where they are predicted."""
        return None

    def posed_field(self, normalization: Normalization) -> PosedField | None:
        """The field of this surface, with the transform to the world of the views."""
        del normalization
        return None

    def extract_mesh(self, faces: int, progress: Progress) -> TriangleMesh:
        """The zero level set as a clean mesh.

        Args:
            faces: triangles of the mesh, about.
            progress: receives fractions of the stage `mesh` up to 0.5.

        Raises:
            NoSurface: if there is none.
        """
        distance, device = self.signed_distance, self.device
        mesh = extract_isosurface(distance, HALF_SIDE, MESH_RESOLUTION, progress, device)
        mesh = _cleaned(mesh, faces, progress)
        return snap_vertices(mesh, distance, 2 * HALF_SIDE / MESH_RESOLUTION, device)


@dataclass(frozen=True)
class HullSurface(Surface):
    """The surface that the silhouettes alone give; its color is in the views."""

    hull: VisualHull
    device: torch.device = CPU

    def signed_distance(self, points: Tensor) -> Tensor:
        """Signed distance [n] to the visual hull."""
        return self.hull.signed_distance(points)


@dataclass(frozen=True)
class CarvedSurface(Surface):
    """The hull without the cavities that stereo finds; its color is in the views.

    Attributes:
        distance: signed distance [n] at points [n, 3].
        device: of the points.
    """

    distance: PointFunction
    device: torch.device = CPU

    def signed_distance(self, points: Tensor) -> Tensor:
        """Signed distance [n] to what is left of the hull."""
        return self.distance(points)


@dataclass(frozen=True)
class FittedSurface(Surface):
    """The surface of a field that was fitted to the views, in the normalized frame."""

    field: Field
    device: torch.device = CPU

    @torch.no_grad()
    def signed_distance(self, points: Tensor) -> Tensor:
        """Signed distance [n] of the field."""
        return self.field.signed_distance(points)

    @property
    def appearance(self) -> PointFunction:
        """The fitted color."""
        return torch.no_grad()(self.field.appearance)

    def posed_field(self, normalization: Normalization) -> PosedField:
        """The field; its frame is the normalized one."""
        return PosedField(self.field, normalization, _rows(np.eye(3)))


@dataclass(frozen=True)
class PredictedSurface(Surface):
    """The surface of the field that the network predicts.

    Attributes:
        field: in the model's frame.
        device: of the field.
        rotation: [3, 3], x_normalized = rotation @ x_model.
        half_side: of the model's box, model units.
        step: of the renderer of the sparse stage, model units.
        predicts_materials: whether its appearance holds materials.
    """

    field: TwoLevelField
    device: torch.device
    rotation: NDArray[np.float64]
    half_side: float
    step: float
    predicts_materials: bool = False

    def signed_distance(self, points: Tensor) -> Tensor:
        """Signed distance [n] of the field."""
        return self._evaluate(self.field.signed_distance, points)

    @property
    def appearance(self) -> PointFunction:
        """The predicted color, or color and materials."""
        return lambda points: self._evaluate(self.field.appearance, points)

    @property
    def materials(self) -> PointFunction | None:
        """The predicted materials, if the network predicts any."""
        return self.appearance if self.predicts_materials else None

    @torch.no_grad()
    def _evaluate(self, function: PointFunction, points: Tensor) -> Tensor:
        return function(points @ torch.from_numpy(self.rotation).to(points))

    def posed_field(self, normalization: Normalization) -> PosedField:
        """The field and its frame."""
        return PosedField(self.field, normalization, _rows(self.rotation))

    def extract_mesh(self, faces: int, progress: Progress) -> TriangleMesh:
        """The mesh as the release extracts it, cleaned; arguments as for every surface."""
        settings = SurfaceSettings(self.half_side, self.step, MESH_RESOLUTION)
        mesh = extract_network_surface(self.field, self.rotation, settings, progress)
        return _cleaned(mesh, faces, progress)


def _cleaned(mesh: TriangleMesh, faces: int, progress: Progress) -> TriangleMesh:
    progress.report("mesh", 0.4, "cleaning")
    return decimate(keep_solid_parts(mesh), faces)


def _rows(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
