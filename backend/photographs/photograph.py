# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photograph with its camera at the size that masks are made at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..views.image_files import read_color
from ..views.resize import area_taps
from ..views.views import read_mask_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..shared.cameras import Floats, Intrinsics
    from ..shared.capture.capture import Frame

    Bools: TypeAlias = NDArray[np.bool_]
    Bytes: TypeAlias = NDArray[np.uint8]
    Indices: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class Photograph:
    """A view as it is on disk, with the distortion of its lens.

    Attributes:
        frame: whose image it is.
        colors: [height, width, 3], display-referred sRGB.
        lens: for the size of `colors`, without distortion.
        mask: [height, width], where the object is; None if that is not known.
    """

    frame: Frame
    colors: Bytes
    lens: Intrinsics
    mask: Bools | None = None

    @classmethod
    def read(cls, frame: Frame, max_size: int, *, masked: bool) -> Photograph:
        """Read the image of a frame, and its mask if it has one, averaged down.

        Args:
            frame: to read.
            max_size: longest side in pixels.
            masked: whether there is a mask, or transparency.

        Raises:
            BadImage: if a file is missing, damaged, or of another size than stated.
        """
        lens = frame.intrinsics_on_disk
        pixels, alpha = read_color(frame.image_path, (lens.width, lens.height), frame.orientation)
        scale = min(1.0, max_size / max(lens.width, lens.height))
        width, height = max(1, round(lens.width * scale)), max(1, round(lens.height * scale))
        levels = averaged(pixels, height, width) * (255 / np.iinfo(pixels.dtype).max)
        colors = np.rint(levels).clip(0, 255).astype(np.uint8)
        mask = None
        if masked:
            coverage: NDArray[Any] | None = read_mask_file(frame)
            if coverage is None and alpha is not None:
                coverage = alpha / np.iinfo(alpha.dtype).max
            mask = averaged(coverage, height, width) >= 0.5 if coverage is not None else None
        return cls(frame, colors, lens.scaled(width, height), mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.lens.height, self.lens.width

    @property
    def position(self) -> Floats:
        """Of the camera in the world, [3]."""
        position: Floats = self.frame.camera_to_world[:3, 3]
        return position

    def project(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Pixel coordinates u and v [n] and depths [n] of points [n, 3] of the world.

        Coordinates are NaN where the lens shows nothing.
        """
        pose = self.frame.camera_to_world
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        depth = -local[:, 2]
        safe = np.where(depth > 0.0, depth, np.nan)
        flat = np.stack([local[:, 0] / safe, -local[:, 1] / safe], axis=-1)
        if self.frame.lens is not None:
            distortion = self.frame.lens.distortion
            seen = np.hypot(flat[:, 0], flat[:, 1]) <= distortion.max_radius()
            flat = distortion.distort(np.where(seen[:, None], flat, np.nan))
        lens = self.lens
        return lens.cx + lens.fx * flat[:, 0], lens.cy + lens.fy * flat[:, 1], depth

    def pixels(self, points: Floats) -> tuple[Indices, Indices, Bools]:
        """Row and column [n] of the pixels that show points [n, 3], and whether any does [n].

        Rows and columns of points beyond the frame are 0.
        """
        u, v, _ = self.project(points)
        return self.inside(u, v)

    def inside(self, u: Floats, v: Floats) -> tuple[Indices, Indices, Bools]:
        """Row and column [n] of pixel coordinates, and whether they are inside the frame [n]."""
        height, width = self.shape
        shown = (v >= 0) & (v < height) & (u >= 0) & (u < width)
        row, column = np.where(shown, v, 0).astype(np.intp), np.where(shown, u, 0).astype(np.intp)
        return row, column, shown


def averaged(pixels: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """An image or mask [rows, columns, ...] averaged down by area."""
    floats = pixels.astype(np.float32)
    rows, columns = floats.shape[:2]
    if (rows, columns) == (height, width):
        return floats
    down = area_taps(rows, height).apply(floats, 0)
    return area_taps(columns, width).apply(down, 1).astype(np.float32)
