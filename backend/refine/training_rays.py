# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views as rays: their geometry and colors, and their samples near the surface."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from kernels.compositing import ray_offsets
from kernels.core.workers import map_per_core

from ..field.config import HALF_SIDE
from ..mesh.view_colors import without_background
from ..shared.cameras import pixel_rays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..field.ray_sampling import Samples
    from ..shared.cameras import Normalization
    from ..shared.progress import Progress
    from ..views.views import View
    from .narrow_band import NarrowBand

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

    def part(self, rays: slice) -> TrainingRays:
        """Consecutive rays; nothing is copied."""
        columns = (self.origins, self.directions, self.colors, self.coverage)
        return TrainingRays(*(column[rays] for column in columns))

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
        corners: rows of the band around each sample, [samples, 8] int32.
        weights: trilinear, of these rows, [samples, 8].
    """

    ray: Tensor
    follows: Tensor
    points: Tensor
    corners: Tensor
    weights: Tensor


@dataclass(frozen=True)
class SampledRays:
    """Rays, and their samples in a narrow band.

    Attributes:
        rays: the pixels.
        samples: of these rays.
        offsets: samples before each ray, [rays + 1] int64.
    """

    rays: TrainingRays
    samples: BandSamples
    offsets: Tensor

    def __len__(self) -> int:
        """How many rays there are."""
        return len(self.rays)


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


def sample_in_batches(
    rays: TrainingRays,
    band: NarrowBand,
    size: int,
    generator: torch.Generator,
    progress: Progress,
) -> list[SampledRays]:
    """All rays in equal parts of about `size` consecutive ones, sampled; no ray, no part.

    A step that takes a part gathers nothing, which would cost as much as the step. Every ray has a
    random shift of its own, a fraction of a voxel, so that the rays of a view do not all meet a
    surface at the same phase.
    """
    if len(rays) == 0:
        return []
    count = max(1, round(len(rays) / size))
    edges = [len(rays) * number // count for number in range(count + 1)]
    shift = torch.rand(len(rays), generator=generator).to(rays.origins)

    def sample(part: slice) -> SampledRays:
        return sample_rays(rays.part(part), band, shift[part])

    first, *others = (slice(*edge) for edge in pairwise(edges))
    # The first alone makes the tables of the band, which all others read.
    return [sample(first), *map_per_core(sample, others, shift.device, progress.check)]


def sample_rays(rays: TrainingRays, band: NarrowBand, shift: Tensor) -> SampledRays:
    """Sample rays once per voxel, from where they enter the band to where they leave it inside.

    Memory grows with rays x steps.

    Args:
        rays: the pixels.
        band: where samples lie.
        shift: of the samples of each ray, in voxels, [rays].
    """
    shifted = rays.origins + band.spacing * shift[:, None] * rays.directions
    found = band.sampler.sample(shifted, rays.directions)
    kept = torch.nonzero(~_hidden(found, band, len(rays)))[:, 0]
    ray, points = (column.index_select(0, kept) for column in (found.ray, found.points))
    # What is hidden ends where its ray left the band: what is kept continues as before.
    follows = continues(found).index_select(0, kept)
    samples = BandSamples(ray, follows, points, *band.corners(points))
    return SampledRays(rays, samples, ray_offsets(ray, len(rays)))


def bytes_per_ray(spacing: float) -> int:
    """What sampling takes for a ray along the diagonal of the model's box."""
    return int(BYTES_PER_STEP * 2 * HALF_SIDE * 3**0.5 / spacing)


def continues(samples: Samples) -> Tensor:
    """Whether the next sample continues this one, [samples] bool."""
    joined = (samples.ray[1:] == samples.ray[:-1]) & (samples.start[1:] == samples.end[:-1])
    return torch.cat([joined, joined.new_zeros(min(1, len(samples.ray)))])


def _hidden(samples: Samples, band: NarrowBand, rays: int) -> Tensor:
    """Samples behind a point where their ray left the band towards the inside, [samples] bool."""
    if len(samples.ray) == 0:
        return torch.zeros_like(samples.ray, dtype=torch.bool)
    voxel = ((samples.points + band.half_side) / band.spacing).round().long()
    x, y, z = voxel.clamp(0, band.distance.shape[0] - 1).unbind(1)
    sinks = ~continues(samples) & (band.distance[z, y, x] < -band.spacing)
    before = sinks.cumsum(0) - sinks.long()
    first = ray_offsets(samples.ray, rays).index_select(0, samples.ray)
    return before > before.index_select(0, first)
