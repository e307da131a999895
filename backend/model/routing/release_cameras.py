# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release's cameras: camera vectors, and projection into the cropped square views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_NEAREST = 1e-6  # depth in front of the camera below which points are not divided any further


@dataclass(frozen=True)
class Cameras:
    """The cameras of one object's views, OpenGL axes, and the windows cut out of their frames.

    DEFECT 7 and DEFECT 8 (docs/deviations.md): every view has its own square frame, in which one
    field of view holds for both axes; the release takes the height of the first frame for all.
    """

    vectors: Tensor  # [views, 20] row-major camera-to-world, then fov, fov, 0.5, 0.5 (radians)
    windows: Tensor | None = None  # [views, 4] top, bottom, left, right, pixels of a square frame
    frame_sizes: Tensor | None = None  # [views] pixels per side of that frame

    @property
    def to_world(self) -> Tensor:
        """Camera-to-world matrices, [views, 4, 4]."""
        matrices: Tensor = self.vectors[:, :16].view(-1, 4, 4)
        return matrices

    @property
    def forward(self) -> Tensor:
        """Viewing directions, [views, 3] unit."""
        backward: Tensor = self.to_world[:, :3, 2]
        return -backward

    def project(self, points: Tensor, view: int, size: int) -> Tensor:
        """Where points appear in a `size` x `size` map of a view, [points, 2] (x, y) pixels.

        QUIRK 11 (docs/deviations.md): the first and last pixel centers lie on the edges of the
        frame (size - 1).
        """
        to_camera = torch.linalg.inv(self.to_world[view])
        local = points @ to_camera[:3, :3].T + to_camera[:3, 3]
        depth = (-local[:, 2]).clamp(min=_NEAREST)
        slope = torch.stack([local[:, 0], -local[:, 1]], 1) / depth[:, None]
        place: Tensor = 0.5 * (slope / torch.tan(self.vectors[view, 16] / 2) + 1)
        if self.windows is None or self.frame_sizes is None:
            return place * (size - 1)
        top, bottom, left, right = self.windows[view]
        corner, side = torch.stack([left, top]), torch.stack([right - left, bottom - top])
        return (place * (self.frame_sizes[view] - 1) - corner) / (side - 1) * (size - 1)
