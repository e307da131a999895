# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made objects as cameras see them: images, coverage, and what is true at every pixel.

Rays go through a lattice of half pixels: the centers, edges and corners of all pixels. A pixel is
the mean of its nine, weighted as a tent, so that edges are soft and small print does not flicker.
Depth, normals and materials are those of the ray through the center.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...shared.srgb import linear_to_srgb
from ..datasets.sample import Sample
from .shading import Surface, Visibility, shade, visibility
from .tracing import Rays, trace

if TYPE_CHECKING:
    from torch import Tensor

    from .cameras import Cameras
    from .light import Light
    from .shapes.shape import Shape

BLOCK = 8
"""Side in lattice points of the blocks whose rays are first followed as one cone."""

TOLERANCE, FINEST = 0.02, 5e-5
"""Distance from the surface at which a ray has met it: pixels at depth 1, model units at least."""

COARSE = 2e-3
"""The same for the cones around the rays of a block, in model units."""

LAST_STEPS = 3
"""Towards the surface after that, back or forth."""

NORMAL_STEP = 1.5e-3
"""Of the differences that normals are taken from, in model units."""

ALIKE = 0.01
"""Difference of distance, in model units, up to which neighbors have the light of one of them."""

LATTICE_POINTS_PER_CHUNK = 1 << 21

BRIGHTNESS = (0.34, 0.62)
"""Range of the mean displayed brightness of the object, over all views."""

_TENT = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class Scene:
    """What is rendered.

    Attributes:
        shape: of the object, with its materials.
        light: around it.
        cameras: that see it.
        brightness: 0..1, where in its range that of the images lies.
    """

    shape: Shape
    light: Light
    cameras: Cameras
    brightness: float


@dataclass(frozen=True)
class _Lattice:
    """Values at the points of the lattice of all views.

    Attributes:
        shape: views, rows and columns.
        origins: of the rays, [views, 3].
        directions: of the rays, unit, [n, 3].
        distance: along the rays, infinite where there is nothing, [n].
    """

    shape: tuple[int, int, int]
    origins: Tensor
    directions: Tensor
    distance: Tensor

    def view_of(self, index: Tensor) -> Tensor:
        """The views of lattice points."""
        return index // (self.shape[1] * self.shape[2])

    def centers(self, values: Tensor) -> Tensor:
        """Values [n, ...] at the centers of pixels, [views, height, width, ...]."""
        return values.reshape(*self.shape, *values.shape[1:])[:, 1::2, 1::2]

    def averaged(self, values: Tensor) -> Tensor:
        """Values [n, channels] averaged over pixels, [views, channels, height, width]."""
        planes = values.reshape(*self.shape, -1).permute(0, 3, 1, 2)
        tent = values.new_tensor(_TENT)
        kernel = (tent[:, None] * tent).expand(planes.shape[1], 1, 3, 3)
        return F.conv2d(planes, kernel, stride=2, groups=planes.shape[1])


@dataclass(frozen=True)
class _Pixels:
    """What the pixels of some views show.

    Attributes:
        radiance: of the object, where it shows, and of what is behind, [views, 3, height, width].
        masks: coverage, [views, height, width].
        depth: at the centers, [views, height, width].
        normals: at the centers, [views, 3, height, width].
        materials: at the centers, [views, 5, height, width].
    """

    radiance: Tensor
    masks: Tensor
    depth: Tensor
    normals: Tensor
    materials: Tensor


def render(scene: Scene, name: str) -> Sample:
    """All views of a scene.

    Args:
        scene: to be rendered.
        name: of the sample.
    """
    cameras, device = scene.cameras, scene.light.background.device
    at_once = max(1, LATTICE_POINTS_PER_CHUNK // (2 * cameras.size + 1) ** 2)
    parts = [_rendered(replace(scene, cameras=some)) for some in cameras.chunks(at_once)]
    joined = _Pixels(
        *(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(_Pixels))
    )
    return Sample(
        name=name,
        images=_exposed(joined, scene.brightness),
        masks=joined.masks,
        camera_to_world=torch.from_numpy(cameras.camera_to_world).float().to(device),
        intrinsics=torch.from_numpy(cameras.intrinsics).float().to(device),
        depth=joined.depth,
        normals=joined.normals,
        base_color=joined.materials[:, :3].contiguous(),
        roughness=joined.materials[:, 3].contiguous(),
        metallic=joined.materials[:, 4].contiguous(),
    )


def _rendered(scene: Scene) -> _Pixels:
    """All views of a scene whose rays fit into memory at once."""
    lattice = _traced(scene, scene.light.background.device)
    hit = torch.nonzero(lattice.distance.isfinite())[:, 0]
    surface = _surface(scene, lattice, hit)
    light = shade(surface, scene.light, _visibility(scene, lattice, hit, surface))
    radiance, masks = _averaged(scene, lattice, hit, light)
    return _Pixels(
        radiance=radiance,
        masks=masks,
        depth=_depth(scene, lattice),
        normals=_at_centers(lattice, hit, surface.normals),
        materials=_at_centers(lattice, hit, surface.materials),
    )


def _traced(scene: Scene, device: torch.device) -> _Lattice:
    """Where the rays of all views meet the object: first in blocks, then one by one."""
    origins, directions = scene.cameras.rays(device)
    views, rows, columns, _ = directions.shape
    start = _block_starts(scene, origins, _filled(directions))
    start = start.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[:, :rows, :columns]
    flat = directions.reshape(-1, 3)
    rays = Rays.through_sphere(origins.repeat_interleave(rows * columns, 0), flat)
    near = torch.maximum(rays.near, start.reshape(-1))
    rays = Rays(rays.origins, flat, near, torch.where(near.isfinite(), rays.far, -1.0))
    pixel = float(scene.cameras.intrinsics[:, 0].max()) ** -1
    distance = trace(scene.shape.distance, rays, max(FINEST, TOLERANCE * pixel))
    hit = torch.nonzero(distance.isfinite())[:, 0]
    distance[hit] = _approached(scene, rays.choose(hit), distance[hit])
    return _Lattice((views, rows, columns), origins, flat, distance)


def _approached(scene: Scene, rays: Rays, met: Tensor) -> Tensor:
    """Where rays are nearest to the surface that they have met, [n]: some only graze it."""
    gap = scene.shape.distance(rays.at(met))
    for _ in range(LAST_STEPS):
        further = scene.shape.distance(rays.at(met + gap))
        nearer = further.abs() < gap.abs()
        met = torch.where(nearer, met + gap, met)
        gap = torch.where(nearer, further, 0.5 * gap)
    return met


def _filled(directions: Tensor) -> Tensor:
    """The directions with rows and columns added until blocks fill them, [views, r, c, 3]."""
    rows, columns = directions.shape[1:3]
    more = [0, -columns % BLOCK, 0, -rows % BLOCK]
    planes = F.pad(directions.permute(3, 0, 1, 2), more, mode="replicate")
    return planes.permute(1, 2, 3, 0)


def _block_starts(scene: Scene, origins: Tensor, directions: Tensor) -> Tensor:
    """Distances that all rays of a block are free for, [views, blocks, blocks]; or infinite."""
    views, rows, columns, _ = directions.shape
    blocks = directions.reshape(views, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK, 3)
    blocks = blocks.transpose(2, 3).flatten(3, 4)
    axes = F.normalize(blocks.mean(dim=3), dim=-1)
    spread = float((blocks - axes[..., None, :]).norm(dim=-1).max())
    flat = axes.reshape(-1, 3)
    starts = origins.repeat_interleave(flat.shape[0] // views, 0)
    # The cone may touch the sphere where its axis does not.
    distance = (starts.norm(dim=1) - 0.55).clamp_min(0.0)
    far = starts.norm(dim=1) + 0.55
    found = trace(scene.shape.distance, Rays(starts, flat, distance, far), COARSE, spread)
    # A point of the cone's surface is no farther along its own ray than along the axis.
    return (found * (1.0 - spread)).reshape(axes.shape[:3])


def _surface(scene: Scene, lattice: _Lattice, hit: Tensor) -> Surface:
    """The surface where rays have met it."""
    directions = lattice.directions[hit]
    distance = lattice.distance[hit]
    points = lattice.origins[lattice.view_of(hit)] + distance[:, None] * directions
    normals = scene.shape.normals(points, NORMAL_STEP)
    # Where differences see around an edge, the normal is turned towards the camera.
    away = (normals * directions).sum(dim=1, keepdim=True).clamp_min(-1e-3)
    normals = F.normalize(normals - (away + 1e-3) * directions, dim=1)
    width = 0.5 * scene.cameras.pixel
    return Surface(points, normals, -directions, scene.shape.materials(points, width))


def _visibility(scene: Scene, lattice: _Lattice, hit: Tensor, surface: Surface) -> Visibility:
    """The visibility of light; points near the center of their pixel have that of the center."""
    _, rows, columns = lattice.shape
    number = torch.full_like(lattice.distance, -1, dtype=torch.long)
    number[hit] = torch.arange(len(hit), device=hit.device)
    view, row, column = (
        hit // (rows * columns), hit // columns % rows, hit % columns,
    )  # fmt: skip
    center_row = (row | 1).clamp_max(rows - 2)
    center_column = (column | 1).clamp_max(columns - 2)
    center = (view * rows + center_row) * columns + center_column
    alike = (lattice.distance[center] - lattice.distance[hit]).abs() < ALIKE
    owner = torch.where(alike, number[center], number[hit])
    chosen, inverse = owner.unique(return_inverse=True)
    part = Surface(
        surface.points[chosen],
        surface.normals[chosen],
        surface.views[chosen],
        surface.materials[chosen],
    )
    return visibility(scene.shape.distance, part, scene.light.lamps).at(inverse)


def _averaged(scene: Scene, lattice: _Lattice, hit: Tensor, light: Tensor) -> tuple[Tensor, Tensor]:
    """Radiance [views, 3, height, width] and masks [views, height, width].

    Light is averaged over the part of a pixel that shows the object; behind it is the background of
    the ray through the center.
    """
    values = light.new_zeros(len(lattice.distance), 4)
    values[hit, :3], values[:, 3] = light, lattice.distance.isfinite().float()
    averaged = lattice.averaged(values)
    masks = averaged[:, 3]
    of_object = averaged[:, :3] / masks[:, None].clamp_min(1e-6)
    directions = lattice.centers(lattice.directions)
    background = scene.light.behind(directions.reshape(-1, 3))
    background = background.reshape(*directions.shape[:3], 3).permute(0, 3, 1, 2)
    return torch.where(masks[:, None] > 0.0, of_object, background), masks


def _exposed(pixels: _Pixels, brightness: float) -> Tensor:
    """Images in sRGB, [views, 3, height, width], the object about as bright as it should be."""
    low, high = BRIGHTNESS
    shown = (pixels.radiance * pixels.masks[:, None]).sum() / (3.0 * pixels.masks.sum())
    wanted = (low + (high - low) * brightness) ** 2.2
    return _displayed(pixels.radiance * (wanted / shown.clamp_min(1e-6)))


def _displayed(linear: Tensor) -> Tensor:
    """Linear RGB as sRGB, clipped to 0..1."""
    return torch.from_numpy(linear_to_srgb(linear.clamp(0.0, 1.0).cpu().numpy())).to(linear)


def _at_centers(lattice: _Lattice, hit: Tensor, values: Tensor) -> Tensor:
    """Values [hits, channels] at the centers of pixels, zero where there is nothing.

    They are returned as [views, channels, height, width].
    """
    full = values.new_zeros(len(lattice.distance), values.shape[1])
    full[hit] = values
    return lattice.centers(full).permute(0, 3, 1, 2).contiguous()


def _depth(scene: Scene, lattice: _Lattice) -> Tensor:
    """Depth along the optical axes at the centers of pixels, zero where there is nothing."""
    distance = lattice.centers(lattice.distance)
    axes = torch.from_numpy(-scene.cameras.camera_to_world[:, :3, 2]).to(distance)
    share = torch.einsum("vrci,vi->vrc", lattice.centers(lattice.directions), axes)
    return torch.where(distance.isfinite(), distance * share, torch.zeros_like(distance))
