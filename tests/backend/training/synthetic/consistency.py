# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the views of a made object show one and the same surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from backend.mesh.view_geometry import Camera, sample_image
from backend.shared.cameras import Intrinsics
from backend.training.synthetic.tracing import Rays, trace

if TYPE_CHECKING:
    from torch import Tensor

    from backend.training.datasets.sample import Sample
    from backend.training.synthetic.shapes.shape import Shape

ABOVE = 6e-3
"""Model units that a point may lie behind a surface and still be the one that is seen."""

FACING = 0.2
"""The least cosine between the normal and the direction to a view that sees a point."""


def cameras_of(sample: Sample) -> list[Camera]:
    """The cameras of the views."""
    height, width = sample.masks.shape[1:]
    return [
        Camera(Intrinsics(width, height, *lens.tolist()), pose)
        for lens, pose in zip(sample.intrinsics, sample.camera_to_world, strict=True)
    ]


def points_of(sample: Sample, view: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points [n, 3] by the depth of a view, the centers of their pixels [n, 2], normals [n, 3]."""
    assert sample.depth is not None
    assert sample.normals is not None
    row, column = torch.nonzero(sample.depth[view] > 0, as_tuple=True)
    pixels = torch.stack([column, row], dim=1) + 0.5
    depth = sample.depth[view, row, column]
    fx, fy, cx, cy = sample.intrinsics[view]
    local = torch.stack(
        [(pixels[:, 0] - cx) / fx, (cy - pixels[:, 1]) / fy, -torch.ones_like(depth)], dim=1
    )
    pose = sample.camera_to_world[view]
    normals = sample.normals[view, :, row, column].T
    return (local * depth[:, None]) @ pose[:3, :3].T + pose[:3, 3], pixels, normals


def errors_by_rays(sample: Sample, shape: Shape) -> Tensor:
    """Pixels by which points of every view miss themselves, as seen from every other view.

    The ray of the other view meets the surface at the point itself; in front of it, which hides
    it and is left out; or, if depth and cameras do not agree, somewhere behind, or nowhere.
    """
    cameras = cameras_of(sample)
    tolerance = 0.05 / float(sample.intrinsics[:, 0].max())
    pairs, starts, ends, facing = [], [], [], []
    for first in range(len(cameras)):
        points, pixels, normals = points_of(sample, first)
        for other in cameras[:first] + cameras[first + 1 :]:
            away = torch.nn.functional.normalize(other.position - points, dim=1)
            pairs.append((cameras[first], pixels))
            starts.append(other.position.expand_as(points))
            ends.append(points)
            facing.append((away * normals).sum(dim=1) > FACING)
    away = torch.cat(ends) - torch.cat(starts)
    length = away.norm(dim=1)
    rays = Rays.through_sphere(torch.cat(starts), away / length[:, None])
    # One search for all pairs: most of its time is spent on few rays.
    chosen = torch.nonzero(torch.cat(facing))[:, 0]
    found = torch.zeros_like(length)
    found[chosen] = trace(shape.distance, rays.choose(chosen), tolerance)
    seen = torch.cat(facing) & (found > length - ABOVE)
    met = rays.at(found.clamp_max(10.0)).split([len(each) for each in ends])
    errors = [
        (camera.project(points)[0] - pixels).norm(dim=1)
        for (camera, pixels), points in zip(pairs, met, strict=True)
    ]
    return torch.cat(errors)[seen]


def errors_by_depth(sample: Sample) -> Tensor:
    """The same by the depth of the other view, where that is smooth around the point."""
    cameras, errors = cameras_of(sample), []
    assert sample.depth is not None
    for first, camera in enumerate(cameras):
        points, pixels, _ = points_of(sample, first)
        for second, other in enumerate(cameras):
            if first == second:
                continue
            at, depth = other.project(points)
            plane = sample.depth[second][None]
            high = torch.nn.functional.max_pool2d(plane, 3, 1, 1)
            low = -torch.nn.functional.max_pool2d(-plane, 3, 1, 1)
            pixel = 1.0 / other.intrinsics.fx
            smooth = (low > 0) & (high - low < 4.0 * pixel * plane)
            stacked = torch.cat([plane, smooth.float()])
            found, certain = sample_image(stacked, at).T
            seen = (certain > 0.99) & (depth < found + ABOVE)
            along = (points[seen] - other.position) * (found / depth)[seen, None]
            met = other.position + along
            errors.append((camera.project(met)[0] - pixels[seen]).norm(dim=1))
    return torch.cat(errors)
