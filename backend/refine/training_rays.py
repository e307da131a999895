# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views as rays: their geometry and colors, and their samples near the surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from kernels.core.chunk_size import rows_per_chunk
from kernels.core.segments import owners_of_sizes, ranges

from ..field.config import HALF_SIDE
from ..field.ray_sampling import RaySampler, Samples
from ..mesh.view_colors import without_background
from ..shared.cameras import pixel_rays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .narrow_band import NarrowBand

RAYS_PER_CHUNK = 1 << 12
"""On a CPU; on a GPU as many as its memory holds."""

BYTES_PER_STEP = 64
"""Of the candidates for a sample: numbers of rays and steps, distances, points, what is kept."""


@dataclass(frozen=True)
class TrainingRays:
    """Pixels of the views.

    Attributes:
        origins: [rays, 3], model space.
        directions: [rays, 3], unit.
        colors: of the object alone, sRGB in 0..1, [rays, 3].
        coverage: share of the pixel that shows the object, [rays].
    """

    origins: Tensor
    directions: Tensor
    colors: Tensor
    coverage: Tensor

    def __len__(self) -> int:
        """How many rays there are."""
        return len(self.coverage)

    def choose(self, index: Tensor) -> TrainingRays:
        """Some of the rays."""
        columns = (self.origins, self.directions, self.colors, self.coverage)
        return TrainingRays(*(column.index_select(0, index) for column in columns))

    def joined(self, other: TrainingRays) -> TrainingRays:
        """These rays and others."""
        return TrainingRays(
            torch.cat([self.origins, other.origins]),
            torch.cat([self.directions, other.directions]),
            torch.cat([self.colors, other.colors]),
            torch.cat([self.coverage, other.coverage]),
        )

    @classmethod
    def from_views(
        cls, views: Sequence[View], normalization: Normalization, halo: int, device: torch.device
    ) -> TrainingRays:
        """The rays through all masks and `halo` pixels around them."""
        parts: list[list[np.ndarray]] = [[], [], [], []]
        for view in views:
            near = _grown(view.mask > 0, halo)
            pose = normalization.apply_to_pose(view.camera_to_world)
            origin, directions = pixel_rays(view.intrinsics, pose)
            chosen = directions[near]
            chosen = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
            found = (
                np.broadcast_to(origin, chosen.shape),
                chosen,
                without_background(view)[near],
                view.mask[near],
            )
            for part, values in zip(parts, found, strict=True):
                part.append(values.astype(np.float32))
        return cls(*(torch.from_numpy(np.concatenate(part)).to(device) for part in parts))


@dataclass(frozen=True)
class BandSamples:
    """Samples inside a narrow band, ray after ray, near to far.

    Attributes:
        ray: of each sample, [samples] int64, ascending.
        follows: whether the next sample continues this one, [samples] bool.
        points: [samples, 3].
        cells: of the band, [samples] int32.
        weights: trilinear, of the corners of these cells, [samples, 8].
    """

    ray: Tensor
    follows: Tensor
    points: Tensor
    cells: Tensor
    weights: Tensor


@dataclass(frozen=True)
class RaySamples:
    """The samples of many rays, from which some are chosen at every step.

    Attributes:
        samples: along all rays.
        first: the first sample of every ray, and the end of the last, [rays + 1].
    """

    samples: BandSamples
    first: Tensor

    def of(self, rays: Tensor) -> BandSamples:
        """The samples of chosen rays, numbered in the order chosen."""
        first = self.first[rays]
        sizes = self.first[rays + 1] - first
        chosen, all_of_it = ranges(first, sizes), self.samples
        columns = (all_of_it.follows, all_of_it.points, all_of_it.cells, all_of_it.weights)
        found = (column.index_select(0, chosen) for column in columns)
        return BandSamples(owners_of_sizes(sizes), *found)


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask, dilated by some pixels."""
    if pixels == 0:
        return mask
    grown: np.ndarray = binary_dilation(mask, iterations=pixels)
    return grown


def pixels_for(views: Sequence[View], most: int) -> list[int]:
    """The longest side of every view at which all masks together have at most so many pixels.

    Within a fixed number of rays, averaged pixels hold more information than a random subset.
    """
    share = (most / max(1, sum(int((view.mask > 0).sum()) for view in views))) ** 0.5
    longest = [max(view.intrinsics.width, view.intrinsics.height) for view in views]
    return [max(1, int(min(1.0, share) * side)) for side in longest]


def sample_rays(rays: TrainingRays, band: NarrowBand, seed: int, progress: Progress) -> RaySamples:
    """Sample rays once per voxel, from where they enter the band to where they leave it inside.

    Every ray has a random shift of its own, a fraction of a voxel, so that the rays of a view do
    not all meet a surface at the same phase.
    """
    sampler = RaySampler(band.half_side, band.spacing, band.occupancy)
    generator = torch.Generator().manual_seed(seed)
    shift = band.spacing * torch.rand(len(rays), 1, generator=generator).to(rays.origins)
    origins, directions = rays.origins + shift * rays.directions, rays.directions
    chunks, size = [], rows_per_chunk(origins.device, bytes_per_ray(band.spacing), RAYS_PER_CHUNK)
    for start in range(0, max(1, len(rays)), size):
        progress.check()
        part = slice(start, start + size)
        found = sampler.sample(origins[part], directions[part])
        kept = torch.nonzero(~_hidden(found, band))[:, 0]
        ray, points = (column.index_select(0, kept) for column in (found.ray, found.points))
        # What is hidden ends where its ray left the band: what is kept continues as before.
        follows = continues(found).index_select(0, kept)
        chunks.append((ray + start, follows, points, *band.cells(points)))
    samples = BandSamples(*(torch.cat(column) for column in zip(*chunks, strict=True)))
    edges = torch.arange(len(rays) + 1, device=samples.ray.device)
    return RaySamples(samples, torch.searchsorted(samples.ray, edges))


def bytes_per_ray(spacing: float) -> int:
    """What sampling takes for a ray along the diagonal of the model's box."""
    return int(BYTES_PER_STEP * 2 * HALF_SIDE * 3**0.5 / spacing)


def continues(samples: Samples) -> Tensor:
    """Whether the next sample continues this one, [samples] bool."""
    joined = (samples.ray[1:] == samples.ray[:-1]) & (samples.start[1:] == samples.end[:-1])
    return torch.cat([joined, joined.new_zeros(min(1, len(samples.ray)))])


def _hidden(samples: Samples, band: NarrowBand) -> Tensor:
    """Samples behind a point where their ray left the band towards the inside, [samples] bool."""
    if len(samples.ray) == 0:
        return torch.zeros_like(samples.ray, dtype=torch.bool)
    voxel = ((samples.points + band.half_side) / band.spacing).round().long()
    x, y, z = voxel.clamp(0, band.distance.shape[0] - 1).unbind(1)
    sinks = ~continues(samples) & (band.distance[z, y, x] < -band.spacing)
    before = sinks.cumsum(0) - sinks.long()
    first = torch.searchsorted(samples.ray, samples.ray)
    return before > before[first]
