# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views prepared for stereo: small, gray, without their background and of equal exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..mesh.view_colors import without_background
from ..shared.cameras import opencv_to_opengl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Normalization
    from ..views.views import View

OBJECT_COVERAGE = 0.9
"""Coverage above which a pixel belongs to the object."""

LUMA = (0.299, 0.587, 0.114)
MEAN_SIDE = 5
"""Pixels along a side of the square over which colors are averaged."""


@dataclass(frozen=True)
class StereoViews:
    """Small views on one canvas, and their cameras with OpenCV axes (+y down, looks along +z).

    Views of different sizes lie in the upper-left corner of a canvas that holds the largest.

    Attributes:
        gray: premultiplied by the mask, [views, height, width].
        color: mean over a small square, of the object alone, [views, 3, height, width].
        mask: coverage, [views, height, width].
        rotation: from model space to the camera, [views, 3, 3].
        translation: from model space to the camera, [views, 3].
        intrinsics: from camera coordinates to pixels, [views, 3, 3].
    """

    gray: Tensor
    color: Tensor
    mask: Tensor
    rotation: Tensor
    translation: Tensor
    intrinsics: Tensor

    @classmethod
    def from_views(
        cls,
        views: Sequence[View],
        normalization: Normalization,
        gains: NDArray[np.float64],
        device: torch.device | None = None,
    ) -> StereoViews:
        """Prepare views for a device, or the CPU; each image is divided by its gain [views]."""
        height = max(view.intrinsics.height for view in views)
        width = max(view.intrinsics.width for view in views)
        mask = torch.zeros(len(views), height, width)
        image = torch.zeros(len(views), 3, height, width)
        for number, view in enumerate(views):
            rows, columns = view.mask.shape
            colors = torch.from_numpy(without_background(view)).permute(2, 0, 1)
            image[number, :, :rows, :columns] = colors / float(gains[number])
            mask[number, :rows, :columns] = torch.from_numpy(view.mask)
        image, mask = image.to(device), mask.to(device)
        gray = torch.einsum("vchw,c->vhw", image, image.new_tensor(LUMA)) * mask
        rotation, translation = _world_to_camera(views, normalization)
        matrices = torch.stack([_matrix(view) for view in views])
        cameras = (each.to(device) for each in (rotation, translation, matrices))
        return cls(gray, _object_mean(image, mask), mask, *cameras)

    def __len__(self) -> int:
        """How many views there are."""
        return len(self.gray)

    @cached_property
    def size(self) -> Tensor:
        """Width and height of the canvas, [2]."""
        return self.gray.new_tensor([self.gray.shape[2], self.gray.shape[1]])

    def object_pixels(self, view: int) -> Tensor:
        """Row and column of the pixels that show the object, [pixels, 2]."""
        return torch.nonzero(self.mask[view] > OBJECT_COVERAGE)

    def rays(self, view: int) -> Tensor:
        """Camera coordinates at depth 1 of the centers of all object pixels, [pixels, 3]."""
        return pixel_centers(self.object_pixels(view)) @ self.intrinsics[view].inverse().T

    def camera_center(self, view: int) -> Tensor:
        """Where a camera is, model space, [3]."""
        return -self.translation[view] @ self.rotation[view]

    def to_model(self, view: int, points: Tensor) -> Tensor:
        """Camera coordinates [n, 3] as points of model space [n, 3]."""
        return (points - self.translation[view]) @ self.rotation[view]

    def project(self, view: int, points: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [n, 2] (u, v) and depth [n] of points [n, 3] of model space."""
        camera = points @ self.rotation[view].T + self.translation[view]
        depth = camera[:, 2]
        image = camera @ self.intrinsics[view].T
        return image[:, :2] / depth.clamp_min(1e-6)[:, None], depth

    def look_up(self, image: Tensor, pixels: Tensor, outside: float) -> Tensor:
        """The values [n] of an image [height, width] at the pixels [n, 2] that hold (u, v)."""
        height, width = image.shape
        column, row = pixels.floor().clamp(-1, max(width, height)).long().unbind(1)
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        return torch.where(within, image.flatten()[index], torch.full_like(image[0, 0], outside))

    def nearest_views(self, view: int, count: int) -> list[int]:
        """The views in the most similar directions from the object, nearest first."""
        directions = F.normalize(
            torch.stack([self.camera_center(each) for each in range(len(self))]), dim=1
        )
        alike = directions @ directions[view]
        order = torch.argsort(alike, descending=True, stable=True).tolist()
        return [other for other in order if other != view][:count]


def pixel_centers(pixels: Tensor) -> Tensor:
    """Rows and columns [n, 2] as homogeneous pixel coordinates (u, v, 1), [n, 3]."""
    row, column = pixels.float().unbind(1)
    return torch.stack([column + 0.5, row + 0.5, torch.ones_like(row)], 1)


def _matrix(view: View) -> Tensor:
    """The intrinsics of a view as a matrix, [3, 3]."""
    lens = view.intrinsics
    return torch.tensor([[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])


def _world_to_camera(views: Sequence[View], normalization: Normalization) -> tuple[Tensor, Tensor]:
    """Rotations [views, 3, 3] and translations [views, 3] from model space to OpenCV cameras."""
    poses = [opencv_to_opengl(normalization.apply_to_pose(view.camera_to_world)) for view in views]
    inverse = torch.from_numpy(np.stack([np.linalg.inv(pose) for pose in poses])).float()
    return inverse[:, :3, :3].contiguous(), inverse[:, :3, 3].contiguous()


def _object_mean(image: Tensor, mask: Tensor) -> Tensor:
    """Colors [views, 3, height, width] averaged over squares, weighted by the mask."""
    reach = MEAN_SIDE // 2
    covered = F.avg_pool2d(mask[:, None], MEAN_SIDE, stride=1, padding=reach)
    mean = F.avg_pool2d(image * mask[:, None], MEAN_SIDE, stride=1, padding=reach)
    return mean / covered.clamp_min(1e-3)
