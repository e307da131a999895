# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colors of surface points in one view: without its background, as sharp as it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .view_geometry import Camera, sample_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..views.views import View

PURE_COVERAGE = 0.98
"""Coverage above which a pixel shows the object and no background."""

DETAIL_LENGTH = 0.006
"""Standard deviation, in model units, of the blur that separates detail from the rest: half again
a cell of the grid that the surface is extracted from; fitted surfaces are about that exact."""


@dataclass(frozen=True)
class SharpImage:
    """An image that is larger than the one in memory.

    Attributes:
        camera: of this image.
        pixels: color times purity, and purity: 1 where a pixel shows nothing but the object,
            [4, height, width].
    """

    camera: Camera
    pixels: torch.Tensor

    @classmethod
    def from_view(cls, view: View, camera: Camera) -> SharpImage:
        """Read a view again as it was taken, and cut it to its object."""
        full = view.full_size()
        rows, columns = (np.flatnonzero(full.mask.max(axis=axis) > 0) for axis in (1, 0))
        top, left = int(rows[0]), int(columns[0])
        height, width = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
        part = (slice(top, top + height), slice(left, left + width))
        planes = np.empty((4, height, width), dtype=np.float32)
        planes[3] = full.mask[part] >= PURE_COVERAGE
        for channel in range(3):
            np.multiply(full.image[part][..., channel], planes[3], out=planes[channel])
        lens = full.intrinsics.cropped(left, top, width, height)
        pixels = torch.from_numpy(planes).to(camera.position.device)
        return cls(Camera(lens, camera.camera_to_world), pixels)

    def over(self, behind: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Colors [n, 3] at points [n, 3], over those of the smaller image [n, 3]."""
        sampled = sample_image(self.pixels, self.camera.project(positions)[0])
        return sampled[:, :3] + (1 - sampled[:, 3:]) * behind


@dataclass(frozen=True)
class ViewColors:
    """The colors of one view without its background.

    Attributes:
        camera: of the image in memory, model space.
        image: in memory, sRGB, [3, height, width].
        smooth: the image without its detail, [3, height, width]; the image itself, if detail is
            not separated.
        sharp: the image as it was taken, if that is larger.
    """

    camera: Camera
    image: torch.Tensor
    smooth: torch.Tensor
    sharp: SharpImage | None = None

    @classmethod
    def in_memory(cls, view: View, camera: Camera) -> ViewColors:
        """The image in memory; detail is not separated."""
        image = _planes(without_background(view), camera)
        return cls(camera, image, image)

    @classmethod
    def full_size(cls, view: View, camera: Camera) -> ViewColors:
        """The image as it was taken, its detail separated.

        Raises:
            BadImage: if the file cannot be read any more.
        """
        colors = without_background(view)
        pixels = detail_pixels(camera)
        smooth = gaussian_filter(colors, (pixels, pixels, 0), mode="nearest", truncate=3.0)
        larger = view.full_intrinsics != view.intrinsics
        sharp = SharpImage.from_view(view, camera) if larger else None
        return cls(camera, _planes(colors, camera), _planes(smooth, camera), sharp)

    def sample(self, positions: torch.Tensor) -> torch.Tensor:
        """Colors at points [n, 3] in model space, with and without detail, [2, n, 3]."""
        pixels, _ = self.camera.project(positions)
        color = sample_image(self.image, pixels)
        if self.smooth is self.image:
            return torch.stack([color, color])
        smooth = sample_image(self.smooth, pixels)
        sharp = self.sharp.over(color, positions) if self.sharp else color
        return torch.stack([sharp, smooth])


def detail_pixels(camera: Camera) -> float:
    """The length that separates detail from the rest in pixels, at the depth of the origin."""
    _, depth = camera.project(torch.zeros_like(camera.position)[None])
    return DETAIL_LENGTH * camera.intrinsics.fx / max(float(depth), 1e-3)


def without_background(view: View) -> NDArray[np.float32]:
    """The image with every pixel that is not pure object replaced by the nearest one that is."""
    pure = view.mask >= PURE_COVERAGE
    if not pure.any():
        return view.image
    nearest = distance_transform_edt(~pure, return_distances=False, return_indices=True)
    image: NDArray[np.float32] = view.image[tuple(nearest)]
    return image


def _planes(image: NDArray[np.float32], camera: Camera) -> torch.Tensor:
    """[height, width, 3] to a tensor [3, height, width] on the device of a camera."""
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return planes.to(camera.position.device)
