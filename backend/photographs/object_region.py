# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in space the object can be, as voxels, and where photographs show them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage

from ..shared.cameras import nearest_point_to_rays, pinhole_ray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Floats
    from ..shared.capture.capture import BoundingSphere
    from .photograph import Photograph

    Bools: TypeAlias = NDArray[np.bool_]

# The object may reach beyond the sphere that just fits the frames.
REACH = 1.25
# A voxel that fewer of the photographs show is not part of the object.
MIN_SHOWN = 0.4
# Around the object that was found, in units of its radius.
MARGIN = 1.3
# Samples along a side of a voxel, when it is drawn.
MOST_SAMPLES = 5


@dataclass(frozen=True)
class ObjectRegion:
    """A cube of voxels around the object.

    Attributes:
        center: (x, y, z), in the world, [3].
        half_side: of the cube, in the units of the world.
        resolution: voxels along a side.
    """

    center: Floats
    half_side: float
    resolution: int

    @classmethod
    def around_object(
        cls, photographs: Sequence[Photograph], sphere: BoundingSphere | None, resolution: int
    ) -> ObjectRegion:
        """The cube around the object's sphere, or around what the frames are centered on."""
        if sphere is not None:
            return cls(np.asarray(sphere.center), REACH * sphere.radius, resolution)
        origins = np.stack([photograph.position for photograph in photographs])
        axes = np.stack([_axis(photograph) for photograph in photographs])
        center = nearest_point_to_rays(origins, axes)
        distances = np.linalg.norm(origins - center, axis=1)
        slopes = [
            min(each.lens.width / each.lens.fx, each.lens.height / each.lens.fy) / 2
            for each in photographs
        ]
        return cls(center, REACH * float(np.median(distances * slopes)), resolution)

    @property
    def spacing(self) -> float:
        """Between the centers of voxels."""
        return 2.0 * self.half_side / self.resolution

    @property
    def everywhere(self) -> Bools:
        """All voxels, [n]."""
        return np.ones(self.resolution**3, bool)

    @cached_property
    def points(self) -> Floats:
        """The centers [n, 3] of all voxels, in the order of a raveled grid [x, y, z]."""
        steps = (np.arange(self.resolution) + 0.5) * self.spacing - self.half_side
        grid: Floats = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
        return grid.reshape(-1, 3) + self.center

    def shrunk_to(self, shape: Bools) -> ObjectRegion:
        """The cube around a shape [n] in this one, with a margin."""
        points = self.points[shape]
        low, high = points.min(axis=0), points.max(axis=0)
        half_side = MARGIN * max(0.5 * float((high - low).max()), 2.0 * self.spacing)
        return ObjectRegion(0.5 * (low + high), half_side, self.resolution)

    def finer(self, resolution: int, shape: Bools) -> tuple[ObjectRegion, Bools]:
        """The cube around a shape [n] with other voxels, and those of them near the shape [m]."""
        region = replace(self.shrunk_to(shape), resolution=resolution)
        near = ndimage.binary_dilation(shape.reshape((self.resolution,) * 3), iterations=2)
        low = self.center - self.half_side
        index = np.floor((region.points - low) / self.spacing).astype(np.intp)
        inside = ((index >= 0) & (index < self.resolution)).all(axis=1)
        x, y, z = index.clip(0, self.resolution - 1).T
        return region, inside & near[x, y, z]

    def carved(
        self,
        within: Bools,
        photographs: Sequence[Photograph],
        outside: Sequence[Bools],
        most: float,
    ) -> Bools:
        """The connected voxels [n] that the photographs do not show as surroundings.

        Args:
            within: [n], those that are looked at.
            photographs: with their cameras.
            outside: [height, width] of each, where it shows no object.
            most: fraction of the photographs of a voxel that may show surroundings there.
        """
        points = self.points[within]
        shown, against = np.zeros(len(points)), np.zeros(len(points))
        for photograph, away in zip(photographs, outside, strict=True):
            row, column, known = photograph.pixels(points)
            shown += known
            against += known & away[row, column]
        keep = shown >= MIN_SHOWN * len(photographs)
        keep &= against <= np.maximum(most * shown, 1.0)
        shape = np.zeros(len(within), bool)
        shape[np.flatnonzero(within)[keep]] = True
        return self._central_component(shape)

    def whole_voxels(self, outside: Bools, photograph: Photograph) -> Bools:
        """The pixels [height, width] around which a whole voxel is outside."""
        half = round(0.5 * self._pixels_per_voxel(photograph))
        if half == 0:
            return outside
        eroded: Bools = ndimage.binary_erosion(outside, iterations=half, border_value=1)
        return eroded

    def drawn(self, shape: Bools, photograph: Photograph) -> Bools:
        """The pixels [height, width] that show a shape [n] of voxels."""
        picture = np.zeros(photograph.shape, bool)
        points = self.points[shape]
        if len(points) == 0:
            return picture
        u, v, _ = photograph.project(points)
        size = self._pixels_per_voxel(photograph)
        # Every voxel is sampled so densely that its samples are a pixel apart, up to a limit.
        count = int(np.clip(np.ceil(size), 1, MOST_SAMPLES))
        for down, right in np.ndindex(count, count):
            shift_u, shift_v = (((step + 0.5) / count - 0.5) * size for step in (right, down))
            row, column, shown = photograph.inside(u + shift_u, v + shift_v)
            picture[row[shown], column[shown]] = True
        closed: Bools = ndimage.binary_closing(picture, iterations=2) | picture
        return closed

    def thickness(self, shape: Bools, photograph: Photograph) -> Floats:
        """How much of a shape [n] lies behind each pixel [height, width], relative to the most.

        A shadow on the ground, which all photographs show like a part of the object, is thin.
        """
        height, width = photograph.shape
        points = self.points[shape]
        if len(points) == 0:
            return np.zeros((height, width))
        row, column, shown = photograph.pixels(points)
        index = row[shown] * width + column[shown]
        counts = np.bincount(index, minlength=height * width).reshape(height, width)
        size = max(1.0, self._pixels_per_voxel(photograph))
        spread = ndimage.gaussian_filter(counts.astype(np.float64), size)
        thickness: Floats = spread / max(float(np.percentile(spread[spread > 0], 90)), 1e-9)
        return thickness

    def _pixels_per_voxel(self, photograph: Photograph) -> float:
        """The size of a voxel at the center, in pixels."""
        distance = float(np.linalg.norm(photograph.position - self.center))
        return self.spacing * photograph.lens.fx / max(distance, 1e-9)

    def _central_component(self, shape: Bools) -> Bools:
        """The connected part of a shape [n] that has most of its volume near the center."""
        labels, count = ndimage.label(shape.reshape((self.resolution,) * 3))
        if count < 2:
            return shape
        offset = np.linalg.norm(self.points - self.center, axis=1) / (0.4 * self.half_side)
        weight = np.exp(-0.5 * offset**2)
        volumes = np.bincount(labels.ravel(), weights=weight, minlength=count + 1)
        component: Bools = labels.ravel() == 1 + int(volumes[1:].argmax())
        return component


def _axis(photograph: Photograph) -> Floats:
    """The direction [3] through the center of the frame, in the world."""
    lens = photograph.lens
    x, y = pinhole_ray(lens.width / 2, lens.height / 2, lens)
    axis: Floats = photograph.frame.camera_to_world[:3, :3] @ (x, y, -1.0)
    return axis
