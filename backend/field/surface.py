# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages after the prediction ask of a shape, whatever it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..mesh.triangle_mesh import TriangleMesh
    from ..shared.progress import Progress
    from .field import Field

Quantity: TypeAlias = Callable[[Tensor], Tensor]
"""A value at points `[n, 3]` (x, y, z) of the normalized frame, on the CPU."""


@dataclass(frozen=True)
class Shape:
    """A surface in the normalized frame, where the object lies in the sphere of radius 0.5.

    Attributes:
        signed_distance: to `[n]`, negative inside.
        appearance: to `[n, channels]` in 0..1: color, or base color, roughness and metallic;
            nothing where only the surface is known.
        field: whose surface it is; nothing where the silhouettes are all there is.
        rotation: `[3, 3]`, x_normalized = rotation @ x_model, where the field lies in x_model.
        surface: extracts the mesh, where that takes more than the level set of the distance.
    """

    signed_distance: Quantity
    appearance: Quantity | None = None
    field: Field | None = None
    rotation: NDArray[np.float64] | None = None
    surface: Callable[[Progress], TriangleMesh] | None = None

    @classmethod
    def of_field(
        cls, field: Field, device: torch.device, rotation: NDArray[np.float64] | None = None
    ) -> Shape:
        """The shape of a field on a device.

        Args:
            field: in the model's frame.
            device: of the field.
            rotation: `[3, 3]`, x_normalized = rotation @ x_model; none where the frames agree.
        """
        turn = torch.from_numpy(np.eye(3) if rotation is None else rotation).float()

        def on_cpu(quantity: Quantity) -> Quantity:
            @torch.no_grad()
            def ask(points: Tensor) -> Tensor:
                return quantity((points @ turn).to(device)).cpu()

            return ask

        return cls(on_cpu(field.signed_distance), on_cpu(field.appearance), field, rotation)
