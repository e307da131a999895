# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volume rendering: opacity, surface points, depth, appearance over white; differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.compositing import ray_offsets, ray_sums, ray_weights

from .field import gradient

if TYPE_CHECKING:
    from .field import Field
    from .ray_sampling import RaySampler, Samples

OPAQUE = 0.98
"""A ray below this opacity has no surface point of its own."""


@dataclass(frozen=True)
class Absorption:
    """How the light of each ray is spread over its samples.

    Attributes:
        samples: steps along the rays.
        thickness: [samples], optical thickness of each step.
        weights: [samples], share of the ray's light that each step absorbs.
        opacity: [rays], the sum of the weights.
        offsets: samples before each ray, [rays + 1] int64.
    """

    samples: Samples
    thickness: Tensor
    weights: Tensor
    opacity: Tensor
    offsets: Tensor

    @property
    def alpha(self) -> Tensor:
        """Opacity of each step, [samples]."""
        return 1 - torch.exp(-self.thickness)

    @property
    def valid(self) -> Tensor:
        """Whether a ray meets a surface, [rays] bool."""
        return self.opacity > OPAQUE

    def gather(self, values: Tensor) -> Tensor:
        """The weighted sum per ray of [samples, channels], [rays, channels]."""
        return ray_sums(self.weights[:, None] * values, self.samples.ray, self.offsets)

    def surface_points(self) -> Tensor:
        """[rays, 3] where the rays end, on average.

        QUIRK 5 (docs/deviations.md): the point of a ray that is not opaque is pulled towards the
        origin of the world.
        """
        return self.gather(self.samples.points) / self.opacity.clamp(min=OPAQUE)[:, None]

    def over_white(self, appearance: Tensor) -> Tensor:
        """Composite [samples, channels] in 0..1 over white, [rays, channels] in 0..1."""
        return self.gather(appearance) + (1 - self.opacity)[:, None]

    def normals(self, field: Field, width: float) -> Tensor:
        """Unit normals of the surface points, outwards, zero where there is none, [rays, 3].

        Args:
            field: that was rendered.
            width: over which the slope of its distance is measured, about a voxel.
        """
        slope = gradient(field.signed_distance, self.surface_points(), width)
        return F.normalize(slope, dim=1) * self.valid[:, None]

    def depth(self, origins: Tensor, forward: Tensor) -> Tensor:
        """Distance of the surface points along the viewing direction, 0 where there is none.

        Args:
            origins: [rays, 3].
            forward: [rays, 3] or [3], the unit viewing direction of the camera (-z).
        """
        return ((self.surface_points() - origins) * forward).sum(-1) * self.valid


def absorb(field: Field, origins: Tensor, directions: Tensor, sampler: RaySampler) -> Absorption:
    """Sample a field along rays and accumulate its density.

    Args:
        field: gives the density.
        origins: [rays, 3] world units of the model.
        directions: [rays, 3] unit length.
        sampler: of the rays.
    """
    samples = sampler.sample(origins, directions)
    thickness = field.density(samples.points) * (samples.end - samples.start)
    return composite(samples, thickness, origins.shape[0])


def composite(samples: Samples, thickness: Tensor, rays: int) -> Absorption:
    """Spread the light of `rays` rays over samples of known optical thickness [samples]."""
    offsets = ray_offsets(samples.ray, rays)
    weights = ray_weights(thickness, samples.ray, offsets)
    opacity = ray_sums(weights[:, None], samples.ray, offsets)[:, 0]
    return Absorption(samples, thickness, weights, opacity, offsets)
