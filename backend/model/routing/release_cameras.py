# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras of the release: vectors of 20 numbers, and their own projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NEAREST = 1e-6  # smallest depth that is divided by; points behind the camera have it too


@dataclass(frozen=True)
class Cameras:
    """The cameras of one object's views, OpenGL axes, and the windows cut out of their frames.

    DEFECT 7 and DEFECT 8 (docs/deviations.md): every view has its own square frame, in which one
    field of view holds for both axes; the release takes the height of the first frame for all.

    Attributes:
        vectors: [views, 20], camera-to-world row by row, field of view twice (radians), 0.5, 0.5.
        windows: [views, 4], top, bottom, left, right in pixels of a square frame; None for whole
            frames.
        frame_sizes: [views], pixels per side of that frame.
    """

    vectors: Tensor
    windows: Tensor | None = None
    frame_sizes: Tensor | None = None

    @property
    def to_world(self) -> Tensor:
        """Camera-to-world matrices, [views, 4, 4]."""
        matrices: Tensor = self.vectors[:, :16].view(-1, 4, 4)
        return matrices

    def project(self, points: Tensor, view: int, size: int) -> Tensor:
        """Project points into a `size` x `size` map of a view, [points, 2] (x, y) pixels.

        Not `shared.cameras.pinhole_projection`: the release counts pixels from the centers of the
        first ones and rounds in another order, and routing must agree with it to the bit.

        QUIRK 11 (docs/deviations.md): the first and last pixel centers lie on the edges of the
        frame (size - 1).
        """
        to_camera = torch.linalg.inv(self.to_world[view])
        local = points @ to_camera[:3, :3].T + to_camera[:3, 3]
        depth = (-local[:, 2]).clamp(min=_NEAREST)
        slope = torch.stack([local[:, 0], -local[:, 1]], 1) / depth[:, None]
        position: Tensor = 0.5 * (slope / torch.tan(self.vectors[view, 16] / 2) + 1)
        if self.windows is None or self.frame_sizes is None:
            return position * (size - 1)
        top, bottom, left, right = self.windows[view]
        corner, side = torch.stack([left, top]), torch.stack([right - left, bottom - top])
        return (position * (self.frame_sizes[view] - 1) - corner) / (side - 1) * (size - 1)
