# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""PatchMatch stereo: the depth and slope of every pixel at which nearby views look alike.

Every pixel has a plane as its hypothesis. Good planes spread to neighboring pixels, and random
changes make them better (Bleyer et al., "PatchMatch Stereo", 2011; several views as in Galliani et
al., "Massively Parallel Multiview Stereopsis", 2015).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .prepared_views import pixel_centers

if TYPE_CHECKING:
    from ..shared.progress import Progress
    from .prepared_views import StereoViews

NEIGHBOR_VIEWS = 4
"""Views in the most similar directions with which a view is compared."""

BEST_VIEWS = 2
"""Of these, the ones that count: in the others the point may be hidden."""

PATCH_SIDE = 5
PATCH_STEP = 2
"""Samples along a side of a patch, and pixels between them."""

SAME_SURFACE_GRAY = 0.12
"""Difference of gray at which a sample is taken for another surface."""

PATCH_VARIANCE = 32.0
GRAY_NOISE = 0.012
"""Standard deviation below which a patch counts as plain."""

MAX_TILT = math.radians(70.0)
RANDOM_STARTS = 3
ITERATIONS = 3
PERTURBATIONS = 3


class PatchMatch:
    """Stereo from one view.

    Args:
        views: all views.
        view: whose depth is found.
        limits: least and greatest inverse depth inside the hull, [pixels, 2].
        generator: of the random hypotheses.
    """

    def __init__(
        self, views: StereoViews, view: int, limits: Tensor, generator: torch.Generator
    ) -> None:
        self._views, self._view, self._generator = views, view, generator
        self._pixels = views.object_pixels(view)
        self._low, self._high = limits.unbind(1)
        self._index = _index_of(self._pixels, views.mask[view].shape)
        self._comparison = PatchComparison(views, view, self._pixels)
        self.plane, self.cost = self._random_start()

    def iterate(self, number: int, progress: Progress) -> None:
        """Spread planes among neighbors, then change them at random.

        Args:
            number: of the iteration; later ones change less.
            progress: checked for cancel.
        """
        far = 2 if number % 2 == 0 else 5
        for distance in (1, far):
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                progress.check()
                self.propose(self._from_neighbor(step[0] * distance, step[1] * distance))
        for change in range(PERTURBATIONS):
            progress.check()
            self.propose(self._perturbed(0.5 ** (number * PERTURBATIONS + change)))

    def propose(self, plane: Tensor) -> None:
        """Take the planes [pixels, 3] where they cost less."""
        inverse = torch.minimum(torch.maximum(plane[:, 0], self._low), self._high)
        plane = torch.cat([inverse[:, None], plane[:, 1:]], 1)
        cost = self._comparison.cost(plane)
        better = cost < self.cost
        self.cost = torch.where(better, cost, self.cost)
        self.plane = torch.where(better[:, None], plane, self.plane)

    def propose_points(self, points: Tensor, normals: Tensor) -> None:
        """Propose points and normals [n, 3] of model space; every pixel takes the nearest."""
        pixels, depth = self._views.project(self._view, points)
        row = self._views.look_up(self._index, pixels, -1)
        hit = (row >= 0) & (depth > 0)
        row, depth, normals = row[hit], depth[hit], normals[hit]
        nearest = torch.full_like(self.cost, torch.inf)
        nearest = nearest.scatter_reduce(0, row, depth, "amin")
        front = torch.nonzero(depth == nearest[row])[:, 0]
        plane = self.plane.clone()
        # Of two points at one depth either is right, but it must be the same one in every run.
        chosen = torch.full_like(self._pixels[:, 0], len(depth))
        chosen = chosen.scatter_reduce(0, row[front], front, "amin")
        filled = chosen < len(depth)
        chosen = chosen[filled]
        plane[filled] = self._plane_of(
            1 / depth[chosen], normals[chosen], torch.nonzero(filled)[:, 0]
        )
        self.propose(plane)

    def depth_map(self, most: float) -> Tensor:
        """Depth along the optical axis, 0 where it costs `most` or more, [height, width]."""
        depth = torch.zeros_like(self._views.mask[self._view])
        depth[tuple(self._pixels.T)] = torch.where(self.cost < most, 1 / self.plane[:, 0], 0.0)
        return depth

    def points(self) -> tuple[Tensor, Tensor]:
        """The points of all pixels and their unit normals toward the camera, both [pixels, 3]."""
        rays = self._views.rays(self._view)
        points = self._views.to_model(self._view, rays / self.plane[:, :1])
        lens = self._views.intrinsics[self._view]
        # The plane n.X = 1 has the inverse depth n.r along the ray r, linear in the pixel.
        u, v = self.plane[:, 1] * lens[0, 0], self.plane[:, 2] * lens[1, 1]
        along = self.plane[:, 0] - u * rays[:, 0] - v * rays[:, 1]
        normals = -F.normalize(torch.stack([u, v, along], 1), dim=1)
        return points, normals @ self._views.rotation[self._view]

    def _plane_of(self, inverse: Tensor, normals: Tensor, rows: Tensor) -> Tensor:
        """Planes [n, 3] of an inverse depth [n] and normals [n, 3] of model space at pixels."""
        local = normals @ self._views.rotation[self._view].T
        lens = self._views.intrinsics[self._view]
        toward = (local * self._views.rays(self._view)[rows]).sum(1)
        scale = inverse / torch.where(toward.abs() < 0.05, torch.full_like(toward, -0.05), toward)
        return torch.stack(
            [inverse, local[:, 0] * scale / lens[0, 0], local[:, 1] * scale / lens[1, 1]], 1
        )

    def _random(self) -> Tensor:
        """One number in 0..1 per pixel, drawn on the CPU, whatever the device."""
        return torch.rand(len(self._pixels), generator=self._generator).to(self._low)

    def _random_start(self) -> tuple[Tensor, Tensor]:
        """The best of some random planes."""
        self.plane = self._low.new_zeros(len(self._pixels), 3)
        self.cost = torch.full_like(self._low, torch.inf)
        for _ in range(RANDOM_STARTS):
            inverse = self._low + (self._high - self._low) * self._random()
            slope = inverse * torch.tan(MAX_TILT * self._random().sqrt())
            self.propose(self._with_slope(inverse, slope, torch.zeros_like(self.plane)))
        return self.plane, self.cost

    def _perturbed(self, share: float) -> Tensor:
        """The planes, changed by at most a share of a quarter of what is possible."""
        reach = 0.25 * share * (self._high - self._low)
        inverse = self.plane[:, 0] + reach * (2 * self._random() - 1)
        return self._with_slope(inverse, share * inverse * self._random(), self.plane)

    def _with_slope(self, inverse: Tensor, slope: Tensor, plane: Tensor) -> Tensor:
        """Planes with another inverse depth, and a slope added in a random direction."""
        angle = 2 * math.pi * self._random()
        lens = self._views.intrinsics[self._view]
        u = plane[:, 1] + slope * angle.cos() / lens[0, 0]
        v = plane[:, 2] + slope * angle.sin() / lens[1, 1]
        return torch.stack([inverse, u, v], 1)

    def _from_neighbor(self, down: int, right: int) -> Tensor:
        """The planes of pixels some rows down and columns to the right, extended to here."""
        height, width = self._index.shape
        row, column = self._pixels.unbind(1)
        row = (row + down).clamp(0, height - 1)
        column = (column + right).clamp(0, width - 1)
        found = self._index[row, column]
        itself = torch.arange(len(found), device=found.device)
        other = torch.where(found < 0, itself, found)
        plane = self.plane[other]
        back = (self._pixels - self._pixels[other]).float()
        inverse = plane[:, 0] + plane[:, 1] * back[:, 1] + plane[:, 2] * back[:, 0]
        return torch.cat([inverse[:, None], plane[:, 1:]], 1)


class PatchComparison:
    """How alike the patches around pixels of one view look in the nearest other views."""

    def __init__(self, views: StereoViews, view: int, pixels: Tensor) -> None:
        self._views = views
        self._others = views.nearest_views(view, NEIGHBOR_VIEWS)
        self._centers = pixel_centers(pixels)
        self._line = _patch_line(self._centers)
        self._offsets = _patch_offsets(self._line)
        self._turn, self._shift = self._epipolar(view)
        self._turned = self._turn @ self._centers.T
        self._color = views.color[view][:, pixels[:, 0], pixels[:, 1]]
        samples = self._own_samples(view)
        self._weight = self._weights(view, pixels, samples)
        self._mean = (self._weight * samples).sum(0)
        variance = (self._weight * samples**2).sum(0) - self._mean**2
        self._deviation = variance.clamp_min(0).sqrt() + GRAY_NOISE
        self._weighted = self._weight * samples

    def cost(self, plane: Tensor) -> Tensor:
        """1 - correlation of gray + difference of mean color, of planes [pixels, 3], [pixels]."""
        center, along_u, along_v = self._homography(plane)
        costs = []
        for number, other in enumerate(self._others):
            patch = self._patch(other, center[number], along_u[number], along_v[number])
            color = self._color_at(other, center[number])
            difference = (color - self._color).abs().sum(0).clamp_max(1.0)
            costs.append(1 - self._correlation(patch) + difference)
        stacked = torch.stack(costs)
        best = torch.topk(stacked, min(BEST_VIEWS, len(costs)), dim=0, largest=False).values
        return best.mean(0)

    def _correlation(self, patch: Tensor) -> Tensor:
        """Of the own patch and another's [samples, pixels], in place; 0 where both are plain."""
        weighted = self._weight * patch
        mean = weighted.sum(0)
        variance = weighted.mul_(patch).sum(0) - mean**2
        deviation = variance.clamp_min(0).sqrt() + GRAY_NOISE
        covariance = patch.mul_(self._weighted).sum(0) - mean * self._mean
        return covariance / (self._deviation * deviation)

    def _epipolar(self, view: int) -> tuple[Tensor, Tensor]:
        """Per other view: maps from own pixels, [others, 3, 3] and [others, 3].

        A pixel p of inverse depth w is at turn p + shift w in homogeneous coordinates, -1..1
        across the canvas as torch samples images.
        """
        views = self._views
        width, height = views.size.tolist()
        canvas = views.size.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1.0]])
        turns, shifts = [], []
        for other in self._others:
            rotation = views.rotation[other] @ views.rotation[view].T
            translation = views.translation[other] - rotation @ views.translation[view]
            lens = canvas @ views.intrinsics[other]
            turns.append(lens @ rotation @ views.intrinsics[view].inverse())
            shifts.append(lens @ translation)
        return torch.stack(turns), torch.stack(shifts)

    def _homography(self, plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where the center and one step of u and of v go, each [others, 3, pixels]."""
        shift = self._shift[:, :, None]
        center = self._turned + shift * plane[:, 0]
        along_u = self._turn[:, :, :1] + shift * plane[:, 1]
        along_v = self._turn[:, :, 1:2] + shift * plane[:, 2]
        return center, along_u, along_v

    def _patch(self, other: int, center: Tensor, along_u: Tensor, along_v: Tensor) -> Tensor:
        """The gray of another view at all samples of the patches, [samples, pixels]."""
        at_u = center[:, None] + self._line[:, None] * along_u[:, None]
        at_v = self._line[:, None] * along_v[:, None]
        position = (at_u[:, None] + at_v[:, :, None]).flatten(1, 2)
        # Planes of u and of v, as they are: to interleave them takes longer than to sample.
        grid = position[:2].mul_(position[2].clamp_min_(1e-6).reciprocal_())
        gray = self._views.gray[other][None, None]
        return F.grid_sample(gray, grid.permute(1, 2, 0)[None], align_corners=False)[0, 0]

    def _color_at(self, other: int, center: Tensor) -> Tensor:
        """The mean color of another view where the centers are, [3, pixels]."""
        grid = (center[:2] / center[2].clamp_min(1e-6)).T[None, None]
        image = self._views.color[other][None]
        return F.grid_sample(image, grid, align_corners=False)[0, :, 0]

    def _own_samples(self, view: int) -> Tensor:
        """The gray of the own patches, [samples, pixels]."""
        return self._at_patch(self._views.gray[view])

    def _at_patch(self, image: Tensor) -> Tensor:
        """An image [height, width] at the own patches, [samples, pixels]."""
        pixels = self._centers[None, :, :2] + self._offsets[:, None]
        grid = pixels / self._views.size * 2 - 1
        return F.grid_sample(image[None, None], grid[None], align_corners=False)[0, 0]

    def _weights(self, view: int, pixels: Tensor, samples: Tensor) -> Tensor:
        """Weights of the samples of the own patches, of sum 1, [samples, pixels]."""
        gray = self._views.gray[view][pixels[:, 0], pixels[:, 1]]
        near = torch.exp(-(self._offsets**2).sum(1) / PATCH_VARIANCE)[:, None]
        alike = torch.exp(-(samples - gray).abs() / SAME_SURFACE_GRAY)
        inside = self._at_patch(self._views.mask[view]) > 0.9
        weight = near * alike * inside
        return weight / weight.sum(0).clamp_min(1e-6)


def _patch_line(like: Tensor) -> Tensor:
    """Offsets in pixels of the samples along one side of a patch, [side]."""
    line = torch.arange(PATCH_SIDE, dtype=like.dtype, device=like.device) - PATCH_SIDE // 2
    return line * PATCH_STEP


def _patch_offsets(line: Tensor) -> Tensor:
    """Offsets (u, v) in pixels of the samples of a patch, row by row, [samples, 2]."""
    v, u = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([u.flatten(), v.flatten()], 1)


def _index_of(pixels: Tensor, shape: torch.Size) -> Tensor:
    """The number of every pixel, -1 where there is none, [height, width]."""
    index = pixels.new_full(tuple(shape), -1)
    index[tuple(pixels.T)] = torch.arange(len(pixels), device=pixels.device)
    return index
