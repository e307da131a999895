# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views of a field whose gradient is taken in chunks, so that memory does not grow with pixels.

Views are rendered without a gradient; the losses of whole images give the gradient of every pixel;
then chunks of rays are rendered again, from the same samples, to push these gradients into the
field. What the network predicted is a leaf there: its gradient is complete before the backward of
the network begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...field.renderer import composite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...field.field import Field
    from ...field.ray_sampling import RaySampler
    from ...field.renderer import Absorption


@dataclass(frozen=True)
class Rays:
    """Rays of some views, in the model frame.

    Attributes:
        origins: [rays, 3].
        directions: [rays, 3], unit.
        forward: [rays, 3], the unit viewing direction of the ray's camera.
    """

    origins: Tensor
    directions: Tensor
    forward: Tensor

    def __len__(self) -> int:
        """How many rays there are."""
        return len(self.origins)

    @classmethod
    def joined(cls, parts: list[Rays]) -> Rays:
        """The rays of some views, one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(torch.cat(column) for column in columns))

    def to(self, like: Tensor) -> Rays:
        """The same on the device and in the type of a tensor."""
        return Rays(*(each.to(like) for each in vars(self).values()))

    def part(self, rows: slice) -> Rays:
        """Some of the rays."""
        return Rays(self.origins[rows], self.directions[rows], self.forward[rows])


@dataclass(frozen=True)
class Rendering:
    """What a field shows along rays.

    Attributes:
        appearance: [rays, channels] in 0..1, over white.
        opacity: [rays].
        depth: [rays], along the viewing direction, model units; 0 where no surface is seen.
        normals: [rays, 3], unit, from the slope of the distance; None if they are not wanted.
    """

    appearance: Tensor
    opacity: Tensor
    depth: Tensor
    normals: Tensor | None

    @property
    def tensors(self) -> list[Tensor]:
        """Those that there are."""
        return [each for each in vars(self).values() if each is not None]

    @classmethod
    def joined(cls, parts: list[Rendering]) -> Rendering:
        """Renderings of chunks of rays, one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        joined: list[Any] = [None if each[0] is None else torch.cat(each) for each in columns]
        return cls(*joined)

    def leaves(self) -> Rendering:
        """The same values, with gradients of their own."""
        found: list[Any] = [
            each if each is None else each.detach().requires_grad_() for each in vars(self).values()
        ]
        return Rendering(*found)


@dataclass(frozen=True)
class Renderer:
    """How rays are rendered.

    Attributes:
        sampler: of the rays.
        rays_per_chunk: rendered together.
        normal_width: over which the slope of the distance is measured, model units; None where
            normals are not wanted.
    """

    sampler: RaySampler
    rays_per_chunk: int
    normal_width: float | None = None

    @torch.no_grad()
    def render(self, field: Field, rays: Rays) -> Rendering:
        """All rays, without a gradient."""
        return Rendering.joined([self._render(field, part) for _, part in self._chunks(rays)])

    def push_gradient(self, field: Field, rays: Rays, gradient: list[Tensor]) -> None:
        """Add to the gradients of what the field is made of.

        Args:
            field: that was rendered, its volumes leaves.
            rays: that were rendered.
            gradient: of each tensor of the rendering.
        """
        for rows, part in self._chunks(rays):
            with torch.enable_grad():
                found = self._render(field, part).tensors
            pairs = [
                (tensor, grad[rows])
                for tensor, grad in zip(found, gradient, strict=True)
                if tensor.requires_grad
            ]
            if pairs:
                tensors, grads = zip(*pairs, strict=True)
                torch.autograd.backward(tensors, grads)

    def _chunks(self, rays: Rays) -> Iterator[tuple[slice, Rays]]:
        for first in range(0, len(rays), self.rays_per_chunk):
            rows = slice(first, first + self.rays_per_chunk)
            yield rows, rays.part(rows)

    def _render(self, field: Field, rays: Rays) -> Rendering:
        samples = self.sampler.sample(rays.origins, rays.directions)
        density, appearance = field.radiance(samples.points)
        light = composite(samples, density * (samples.end - samples.start), len(rays))
        appearance = light.over_white(appearance)
        depth = light.depth(rays.origins, rays.forward)
        normals = None
        if self.normal_width is not None:
            normals = slope_normals(field, light, self.normal_width)
        return Rendering(appearance, light.opacity, depth, normals)


def slope_normals(field: Field, light: Absorption, width: float) -> Tensor:
    """Unit normals of rays, [rays, 3]: of every sample by forward differences, then composited."""
    points = light.samples.points
    here = field.signed_distance(points)
    ahead = [field.signed_distance(points + step) for step in width * torch.eye(3).to(points)]
    slope = torch.stack([each - here for each in ahead], 1)
    return F.normalize(light.gather(F.normalize(slope, dim=1)), dim=1)
