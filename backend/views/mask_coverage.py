# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of each mask the visual hull of the other views covers: do cameras and masks agree?

The hull lies in every silhouette cone. If lenses, poses and masks are right, it contains the
object, and its projection covers each mask. A wrong camera cuts parts off, and masks stay
uncovered. Coverage is measured along rays through pixels of the masks: a pixel is covered if a
point of its ray lies in the silhouettes of all views, within a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import grey_closing

from ..shared.cameras import MODEL_RADIUS, Normalization, pinhole_ray
from .mask_bounds import MaskBounds, common_point
from .resize import average_down
from .silhouettes import signed_distance_map
from .visual_hull import UNCONSTRAINED, Silhouette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..shared.cameras import Floats, Intrinsics
    from .camera_mistakes import CameraMistake
    from .views import View

    Booleans = NDArray[np.bool_]

# Longest side, in pixels, to which masks are averaged down.
MASK_SIZE = 128
# Gaps of a mask that fit into it are filled.
CLOSING = np.ones((5, 5), bool)
# Along a ray; where none is covered, each step is divided again.
SAMPLES_PER_RAY, SUBDIVISIONS = 32, 5
# The sphere in which rays are sampled, relative to the size of the masks.
REGION_MARGIN = 1.3
REGION_PERCENTILE = 90


@dataclass(frozen=True)
class MaskOutline:
    """The mask of one view, small, and its camera, which may be replaced by another.

    Attributes:
        bounds: where the mask lies, with the intrinsics for its size and the pose of the view.
        lens: the intrinsics of the image as it was taken.
        distance: [height, width], signed distance to the outline in pixels, negative inside.
        pixels: [n, 2] (u, v), centers of the pixels of the mask.
        cut: sides of the frame that cut the object.
    """

    bounds: MaskBounds
    lens: Intrinsics
    distance: torch.Tensor
    pixels: Floats
    cut: frozenset[str]

    @classmethod
    def from_view(cls, view: View) -> MaskOutline:
        """The outline of a mask that is not empty."""
        lens = view.intrinsics.limited(MASK_SIZE)
        mask = average_down(view.mask, lens.height, lens.width)
        small = replace(view, mask=mask, intrinsics=lens)
        if not (mask >= 0.5).any():  # thinner than a pixel of the small mask
            small = view
        rows, columns = np.nonzero(small.mask >= 0.5)
        return cls(
            bounds=MaskBounds.from_view(small),
            lens=view.full_intrinsics,
            distance=torch.from_numpy(signed_distance_map(_closed(small.mask), small.cut)),
            pixels=np.stack([columns + 0.5, rows + 0.5], axis=1),
            cut=small.cut,
        )

    def corrected(self, mistake: CameraMistake) -> MaskOutline | None:
        """The same mask through the corrected camera; None if nothing is to correct."""
        pose = self.bounds.camera_to_world
        lens, corrected_pose = mistake.correct(self.lens, pose)
        if lens == self.lens and np.array_equal(pose, corrected_pose):
            return None
        height, width = self.distance.shape
        bounds = replace(
            self.bounds, intrinsics=lens.scaled(width, height), camera_to_world=corrected_pose
        )
        return replace(self, bounds=bounds, lens=lens)

    def silhouette(self, normalization: Normalization) -> Silhouette:
        """The silhouette in model space."""
        pose = normalization.apply_to_pose(self.bounds.camera_to_world)
        world_to_camera = torch.from_numpy(np.linalg.inv(pose)).float()
        return Silhouette(self.distance, world_to_camera, self.bounds.intrinsics, self.cut)


def _closed(mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask [height, width] with gaps filled that are a few pixels wide.

    Nets, strings and leaves that are as thin as the pixels of the small mask would carve each other
    away. The object lies in the filled silhouettes as well.
    """
    closed: NDArray[np.float32] = grey_closing(mask, footprint=CLOSING, mode="nearest")
    return closed


@dataclass(frozen=True)
class Precision:
    """How coverage is measured.

    Attributes:
        tolerance: a pixel is covered if a point of its ray is at most this far outside of all
            silhouettes, in pixels of its own view's small mask.
        rays: of all views together.
        min_rays: of each view.
    """

    tolerance: float = 0.75
    rays: int = 2048
    min_rays: int = 24


@dataclass(frozen=True)
class _Rays:
    """Rays through pixels of the masks, in model space.

    Attributes:
        view: [rays], index of the view.
        origins: [rays, 3].
        directions: [rays, 3], of length one.
        middle: [rays], the depth nearest to the center.
        half: [rays], half the length inside the sphere.
        limit: [rays], the tolerance at the middle, in model units.
    """

    view: torch.Tensor
    origins: torch.Tensor
    directions: torch.Tensor
    middle: torch.Tensor
    half: torch.Tensor
    limit: torch.Tensor

    def __getitem__(self, index: torch.Tensor) -> _Rays:
        return _Rays(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def points(self, samples: int) -> torch.Tensor:
        """Points [rays, samples, 3] in the middle of equal steps."""
        along = (torch.arange(samples) + 0.5) * (2.0 / samples) - 1.0
        depth = self.middle[:, None] + self.half[:, None] * along
        return self.origins[:, None] + depth[..., None] * self.directions[:, None]


@dataclass(frozen=True)
class Coverage:
    """What share of each mask is covered.

    Attributes:
        shares: [views] in 0..1.
        without: [left out, views], the shares if one view is left out; 1 for that view itself.
    """

    shares: Floats
    without: Floats

    @property
    def mean(self) -> float:
        """Over all views."""
        return float(self.shares.mean())


def measure_coverage(
    outlines: Sequence[MaskOutline], precision: Precision | None = None
) -> Coverage:
    """The coverage of masks by the hull of all views, and of all views but one.

    Args:
        outlines: two or more.
        precision: by default that of a judgment.
    """
    rays, silhouettes = _rays_and_silhouettes(outlines, precision or Precision())
    covered, only_but = _test_rays(rays, silhouettes)
    counts = np.bincount(rays.view, minlength=len(outlines)).clip(1)
    shares = np.bincount(rays.view, weights=covered, minlength=len(outlines)) / counts
    without = np.empty((len(outlines), len(outlines)))
    for left_out in range(len(outlines)):
        healed = covered | only_but[:, left_out]
        without[left_out] = np.bincount(rays.view, weights=healed, minlength=len(outlines)) / counts
        without[left_out, left_out] = 1.0
    return Coverage(shares, without)


def _rays_and_silhouettes(
    outlines: Sequence[MaskOutline], precision: Precision
) -> tuple[_Rays, list[Silhouette]]:
    """The rays to test, and all silhouettes, in a space where the object has a radius of 0.5."""
    bounds = [outline.bounds for outline in outlines]
    center = common_point(bounds)
    radii = [bound.radius_at(center) for bound in bounds]
    radius = REGION_MARGIN * float(np.percentile(radii, REGION_PERCENTILE))
    normalization = Normalization.from_sphere(center, max(radius, 1e-30))
    per_view = max(precision.min_rays, precision.rays // len(outlines))
    parts = [_rays_of(outline, normalization, per_view) for outline in outlines]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    index = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    columns[-1] = columns[-1] * precision.tolerance
    tensors = [torch.from_numpy(column).float() for column in columns]
    rays = _Rays(torch.from_numpy(index), *tensors)
    return rays, [outline.silhouette(normalization) for outline in outlines]


def _rays_of(
    outline: MaskOutline, normalization: Normalization, count: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Origins, directions, middles, halves and pixel sizes of the rays of one view."""
    bounds = outline.bounds
    chosen = np.linspace(0, len(outline.pixels) - 1, min(count, len(outline.pixels)))
    u, v = outline.pixels[chosen.round().astype(int)].T
    x, y = pinhole_ray(u, v, bounds.intrinsics)
    local = np.stack([x, y, -np.ones_like(x)], axis=1)
    length = np.linalg.norm(local, axis=1)
    directions = local @ bounds.camera_to_world[:3, :3].T / length[:, None]
    origin = normalization.apply(bounds.camera_to_world[:3, 3])
    middle = -directions @ origin
    nearest = np.linalg.norm(origin + middle[:, None] * directions, axis=1)
    half = np.sqrt(np.clip(MODEL_RADIUS**2 - nearest**2, 1e-4, None))
    pixel = np.abs(middle) / length / bounds.intrinsics.fx
    return np.broadcast_to(origin, directions.shape), directions, middle, half, pixel


def _test_rays(rays: _Rays, silhouettes: Sequence[Silhouette]) -> tuple[Booleans, Booleans]:
    """Which rays are covered [rays], and which would be without a view [rays, views]."""
    covered, without = _test_samples(rays, silhouettes, SAMPLES_PER_RAY)
    open_rays = torch.from_numpy(np.flatnonzero(~covered))
    fine = _test_samples(rays[open_rays], silhouettes, SAMPLES_PER_RAY * SUBDIVISIONS)
    covered[open_rays], without[open_rays] = fine
    return covered, without


def _test_samples(
    rays: _Rays, silhouettes: Sequence[Silhouette], samples: int
) -> tuple[Booleans, Booleans]:
    """As `_test_rays`, with a number of samples along each ray.

    A point outside two silhouettes is of no further use, and most are: they are dropped on the way.
    """
    points = rays.points(samples).reshape(-1, 3)
    of_ray = torch.arange(len(rays.view)).repeat_interleave(samples)
    limit = rays.limit[of_ray]
    # The only view that excludes a point; -1 if none does.
    excluder = torch.full_like(of_ray, -1)
    for index, silhouette in enumerate(silhouettes):
        outside = _exclusion(silhouette, points) > limit
        keep = ~(outside & (excluder >= 0))
        excluder = torch.where(outside, index, excluder)[keep]
        points, of_ray, limit = points[keep], of_ray[keep], limit[keep]
    covered = np.zeros(len(rays.view), bool)
    without = np.zeros((len(rays.view), len(silhouettes)), bool)
    inside = excluder < 0
    covered[of_ray[inside]] = True
    without[of_ray[~inside], excluder[~inside]] = True
    return covered, without


def _exclusion(silhouette: Silhouette, points: torch.Tensor) -> torch.Tensor:
    """Signed distance [n] to a silhouette cone; points behind the camera are far outside."""
    distance, in_frame = silhouette.signed_distance(points)
    if silhouette.cut:
        return distance
    behind = ~in_frame & (distance == UNCONSTRAINED)
    return torch.where(behind, -UNCONSTRAINED, distance)
