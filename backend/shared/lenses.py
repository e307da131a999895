# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lenses with distortion, by the definitions of COLMAP and OpenCV, and their way to a pinhole.

Normalized coordinates are those of the image plane at depth 1, (x, y) with x to the right and y
down. A lens maps those of a ray, undistorted, to those where the ray meets the image, distorted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cameras import Floats, Intrinsics

MAX_ANGLE = math.radians(70.0)
"""Between a ray and the optical axis; beyond it a pinhole image grows without bound."""

MIN_SLOPE = 0.05
"""Where a lens images a length at depth 1 smaller than that, compared with the center, its
distortion counts as not invertible: polynomials turn back outside the image they were fitted to."""

RADIUS_SAMPLES = 4096
NEWTON_STEPS = 20
DERIVATIVE_STEP = 1e-7
CONVERGED = 1e-13
EDGE_POINTS = 129
"""Along each edge of an image, to find out where a pinhole shows it."""

Side = str
"""One of left, top, right, bottom."""


@dataclass(frozen=True)
class Distortion:
    """How a lens bends rays.

    Attributes:
        radial: k1 to k6. Without a fisheye they are the coefficients of OpenCV's rational model,
            (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6). Of a fisheye, k1 to k4
            are those of the angle, theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8).
        tangential: p1, p2; zero for a fisheye.
        is_fisheye: whether the distance from the center grows with the angle, not its tangent.
    """

    radial: tuple[float, float, float, float, float, float] = (0.0,) * 6
    tangential: tuple[float, float] = (0.0, 0.0)
    is_fisheye: bool = False

    @property
    def is_none(self) -> bool:
        """Whether the lens is that of a pinhole camera."""
        return not (self.is_fisheye or any(self.radial) or any(self.tangential))

    def distort(self, points: Floats) -> Floats:
        """Distorted coordinates [..., 2] of undistorted ones [..., 2]."""
        x, y = points[..., 0], points[..., 1]
        square = x * x + y * y
        factor = self._radial_factor(square)
        p1, p2 = self.tangential
        bent = (
            x * factor + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
            y * factor + 2.0 * p2 * x * y + p1 * (square + 2.0 * y * y),
        )
        return np.stack(bent, axis=-1)

    def undistort(self, points: Floats) -> Floats:
        """Undistorted coordinates [..., 2] of distorted ones; NaN where no ray arrives.

        Newton's method from the radial part, whose inverse is interpolated.
        """
        radii, distorted = self._radii()
        length = np.hypot(points[..., 0], points[..., 1])
        start = np.interp(length, distorted, radii) / np.maximum(length, 1e-300)
        inverse = points * start[..., None]
        with np.errstate(all="ignore"):  # where nothing arrives, anything may come out
            for _ in range(NEWTON_STEPS):
                step = self._newton_step(inverse, points)
                inverse = inverse - step
                if np.nanmax(np.abs(step), initial=0.0) < CONVERGED:
                    break
            error = np.abs(self.distort(inverse) - points).max(axis=-1)
        # What tangential distortion adds to the radius is small.
        arrives = (length <= 1.01 * distorted[-1]) & (error <= 1e-9)
        return np.where(arrives[..., None], inverse, np.nan)

    def max_radius(self) -> float:
        """The undistorted radius up to which the distortion can be inverted, at most `MAX_ANGLE`'s.

        It is zero, or nearly, if the numbers are those of no lens.
        """
        return float(self._radii()[0][-1])

    def _radial_factor(self, square: Floats) -> Floats:
        """The distorted over the undistorted radius, of squared undistorted radii."""
        k1, k2, k3, k4, k5, k6 = self.radial
        if not self.is_fisheye:
            rise = 1.0 + square * (k1 + square * (k2 + square * k3))
            fall: Floats = 1.0 + square * (k4 + square * (k5 + square * k6))
            return rise / fall
        radius = np.sqrt(square)
        angle = np.arctan(radius)
        square = angle * angle
        bent = angle * (1.0 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
        return np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)

    def _radii(self) -> tuple[Floats, Floats]:
        """Undistorted radii from zero to the largest one, and the distorted ones, both rising."""
        radii = np.linspace(0.0, math.tan(MAX_ANGLE), RADIUS_SAMPLES)
        with np.errstate(all="ignore"):
            distorted = radii * self._radial_factor(radii * radii)
            rises = np.diff(distorted) > MIN_SLOPE * radii[1]
        count = RADIUS_SAMPLES if rises.all() else int(np.argmin(rises)) + 1
        return radii[:count], distorted[:count]

    def _newton_step(self, inverse: Floats, points: Floats) -> Floats:
        """The step [..., 2] of Newton's method, with derivatives by differences."""
        step = DERIVATIVE_STEP * (1.0 + np.abs(inverse).max(axis=-1))
        error = self.distort(inverse) - points
        columns = []
        for axis in (0, 1):
            shift = step[..., None] * np.eye(2)[axis]
            ahead, behind = self.distort(inverse + shift), self.distort(inverse - shift)
            columns.append((ahead - behind) / (2.0 * step[..., None]))
        (a, c), (b, d) = ((column[..., 0], column[..., 1]) for column in columns)
        determinant = a * d - b * c
        safe = np.where(np.abs(determinant) < 1e-12, np.inf, determinant)
        u, v = error[..., 0], error[..., 1]
        return np.stack([(d * u - b * v) / safe, (a * v - c * u) / safe], axis=-1)


@dataclass(frozen=True)
class Lens:
    """A camera whose lens distorts.

    Attributes:
        intrinsics: of the image on disk; its center and the focal lengths there.
        distortion: of the lens.
    """

    intrinsics: Intrinsics
    distortion: Distortion

    def scaled(self, width: int, height: int) -> Lens:
        """The lens of the image resized to another number of pixels."""
        return replace(self, intrinsics=self.intrinsics.scaled(width, height))

    def normalized(self, pixels: Floats) -> Floats:
        """Distorted normalized coordinates [..., 2] of pixels (u, v) of the image."""
        lens = self.intrinsics
        scaled: Floats = (pixels - (lens.cx, lens.cy)) / (lens.fx, lens.fy)
        return scaled

    def pixels(self, points: Floats) -> Floats:
        """Pixels (u, v) [..., 2] of the image for distorted normalized coordinates."""
        lens = self.intrinsics
        placed: Floats = points * (lens.fx, lens.fy) + (lens.cx, lens.cy)
        return placed

    def pinhole_size(self) -> tuple[float, float]:
        """Width and height of the image of `pinhole`, also where they are impossible."""
        (left, top), (right, bottom) = self._pinhole_corners()
        return right - left, bottom - top

    def pinhole(self) -> Intrinsics:
        """The pinhole camera that shows all of the image, as sharp as it is at its center.

        Pixels keep the size they have at the center, and the image is as large as that needs. Rays
        beyond `MAX_ANGLE`, or where the distortion cannot be inverted, are left out.
        """
        (left, top), (right, bottom) = self._pinhole_corners()
        return self.intrinsics.cropped(left, top, int(right - left), int(bottom - top))

    def _pinhole_corners(self) -> list[list[float]]:
        """The corners (left, top) and (right, bottom), in whole pixels from those of the image."""
        lens = self.intrinsics
        edges = [self._undistorted_edge(side) for side in ("left", "top", "right", "bottom")]
        points = np.concatenate(edges) * (lens.fx, lens.fy) + (lens.cx, lens.cy)
        corners = (np.floor(points.min(axis=0) + 1e-6), np.ceil(points.max(axis=0) - 1e-6))
        return [corner.tolist() for corner in corners]

    def inside(self, pinhole: Intrinsics, sides: frozenset[Side]) -> Intrinsics:
        """A pinhole image cut so that at some sides all of it is inside the distorted image.

        Args:
            pinhole: that of this lens.
            sides: of the image; the other ones stay as they are.
        """
        low, high = np.zeros(2), np.array([pinhole.width, pinhole.height], dtype=np.float64)
        for side in sides:
            axis = 0 if side in ("left", "right") else 1
            focal, center = ((pinhole.fx, pinhole.cx), (pinhole.fy, pinhole.cy))[axis]
            edge = self._undistorted_edge(side)[:, axis] * focal + center
            if side in ("left", "top"):
                low[axis] = max(low[axis], np.ceil(edge.max() - 1e-6))
            else:
                high[axis] = min(high[axis], np.floor(edge.min() + 1e-6))
        (left, top), (width, height) = low.tolist(), np.maximum(high - low, 1.0).tolist()
        return pinhole.cropped(left, top, int(width), int(height))

    def source_pixels(self, pinhole: Intrinsics, rows: slice) -> tuple[Floats, NDArray[np.bool_]]:
        """Where the pixels of a pinhole image come from.

        Args:
            pinhole: the camera of the undistorted image.
            rows: of it.

        Returns:
            (u, v) [rows, width, 2] in the distorted image, and boolean [rows, width]: whether it
            has the pixel.
        """
        x = (np.arange(pinhole.width) + 0.5 - pinhole.cx) / pinhole.fx
        y = (np.arange(pinhole.height)[rows] + 0.5 - pinhole.cy) / pinhole.fy
        points = np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)
        with np.errstate(all="ignore"):  # beyond the largest radius anything may come out
            pixels = self.pixels(self.distortion.distort(points))
        size = (self.intrinsics.width, self.intrinsics.height)
        seen = ((pixels >= 0.0) & (pixels <= size)).all(axis=-1)
        radius = self.distortion.max_radius()
        seen &= (points * points).sum(axis=-1) <= radius * radius
        return pixels, seen

    def has_ray(self, pixels: Floats) -> NDArray[np.bool_]:
        """Whether a pinhole can show the rays of pixels (u, v) [..., 2], boolean [...]."""
        rays = self.distortion.undistort(self.normalized(pixels))
        return np.asarray(np.isfinite(rays).all(axis=-1))

    def _undistorted_edge(self, side: Side) -> Floats:
        """Undistorted coordinates [n, 2] of points along one edge of the image.

        Those that cannot be inverted are on the largest circle that can, in their direction.
        """
        width, height = self.intrinsics.width, self.intrinsics.height
        along = np.linspace(0.0, 1.0, EDGE_POINTS)
        fixed = np.full_like(along, 1.0 if side in ("right", "bottom") else 0.0)
        axes = (fixed, along) if side in ("left", "right") else (along, fixed)
        points = self.normalized(np.stack(axes, axis=-1) * (width, height))
        inverse = self.distortion.undistort(points)
        length = np.maximum(np.hypot(points[:, 0], points[:, 1]), 1e-300)
        outermost = points * (self.distortion.max_radius() / length)[:, None]
        return np.where(np.isnan(inverse), outermost, inverse)
