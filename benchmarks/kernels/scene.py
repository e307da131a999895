# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens and routing of a real object for benchmarks: geometry from silhouettes, no network."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from backend.field.grids import grid_points
from backend.model.config.presets import preset
from backend.model.preprocess import from_views
from backend.model.routing.release_cameras import Cameras
from backend.model.routing.routing import SurfaceMaps
from backend.model.routing.routing_tables import SparseTokens, plan_by_geometry
from backend.model.routing.selection import foreground_patches, image_tokens, volume_tokens
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    pixel_rays,
)
from backend.shared.capture.capture import BoundingSphere
from backend.shared.capture.reader import read_capture
from backend.shared.progress import Progress
from backend.views.views import View, Views, load_views
from backend.views.visual_hull import VisualHull, estimate_bounding_sphere
from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from backend.model.config.model_config import ModelConfig
    from backend.model.preprocess import ViewTensors

    Distance = Callable[[torch.Tensor], torch.Tensor]

SHELL = 3.5
"""Tokens up to this many voxels from the surface are kept, as a dilation by 3 voxels keeps them."""

CPU = torch.device("cpu")
DIRECTIONS = ("volume_to_volume", "volume_to_image", "image_to_image", "image_to_volume")
_TRACING_STEPS = 48
_PIXELS = 128  # of a silhouette of the toy


@dataclass(frozen=True)
class Scene:
    """The routing of one object, one plan per direction of attention.

    Attributes:
        name: of the object.
        plans: of the four directions.
        seconds: that the routing took.
        tokens: of the object alone, in the order of the plans; None if it is repeated.
    """

    name: str
    plans: dict[str, RoutingPlan]
    seconds: float = 0.0
    tokens: SparseTokens | None = None

    def repeated(self, queries: int) -> Scene:
        """The object repeated as further instances until it has about `queries` volume tokens.

        So counts scale while the blocks that neighboring queries share stay those of the object.
        """
        times = max(1, round(queries / self.plans["volume_to_volume"].queries))
        plans = {name: _repeat(plan, times) for name, plan in self.plans.items()}
        return Scene(f"{self.name} x {times}", plans)


def views_of(capture: Path | None) -> tuple[Views, str]:
    """The views of a capture folder, and the name of its object; without one, the toy."""
    if capture is None:
        return toy_views(), "toy"
    folder = capture.resolve()
    views = load_views(read_capture(folder), Progress(), max_size=768)
    return views, folder.parent.name if folder.name == "views" else folder.name


def scene_of(views: Views, name: str, resolution: int = 96, device: torch.device = CPU) -> Scene:
    """Route the shell of the visual hull at resolution^3, and the patches on the object.

    Args:
        views: of the object; at most the sixteen of the released configuration are used.
        name: what to call the object.
        resolution: of the volume, a multiple of 8; images have 8 pixels per voxel.
        device: where to compute, and where the plans shall be.
    """
    config = _config(resolution, len(views.views))
    sphere = views.bounding_sphere or estimate_bounding_sphere(views.views)
    normalization = Normalization.from_sphere(sphere.center, sphere.radius)
    shown = views.views[: config.routing.views]
    hull = VisualHull.from_views(shown, normalization, device).signed_distance
    tensors = from_views(shown, normalization, config)
    points = grid_points(config.half_side, resolution, "zyx", device)
    voxel = 2 * config.half_side / (resolution - 1)
    near = (hull(points).abs() < SHELL * voxel).view(1, *[resolution] * 3)
    kept = foreground_patches(tensors.mask[None].to(device), config.sparse.encoder.patch_size)
    size = config.selection.block_size
    tokens = SparseTokens(image_tokens(kept, size), volume_tokens(near, size), 1)
    geometry = (tensors.cameras, tensors.windows, tensors.frame_sizes)
    cameras = Cameras(*(each.to(device) for each in geometry))
    maps = surface_of(tensors, hull, resolution, device)
    begin = now(device)
    plan = plan_by_geometry(tokens, maps, (cameras,), config)
    plans = {each: getattr(plan.routes, each).plan for each in DIRECTIONS}
    return Scene(name, plans, now(device) - begin, tokens)


def surface_of(
    tensors: ViewTensors, distance: Distance, size: int, device: torch.device = CPU
) -> SurfaceMaps:
    """Where each view's pixels meet the surface, by walking its distance along the rays."""
    origins, directions = (r.reshape(-1, 3).to(device) for r in tensors.surface_rays(size))
    depth = origins.norm(dim=1) - math.sqrt(3) / 2
    for _ in range(_TRACING_STEPS):
        depth = depth + distance(origins + depth[:, None] * directions).clamp(-0.1, 0.1)
    points = origins + depth[:, None] * directions
    hit = distance(points).abs() < 1 / size
    shape = (1, len(tensors.mask), size, size)
    return SurfaceMaps(points.view(*shape, 3), hit.float().view(shape))


def toy_views(count: int = 16) -> Views:
    """Silhouettes of a bumpy ball from all around, for benchmarks without a capture."""
    views = []
    for number, direction in enumerate(fibonacci_sphere(count)):
        intrinsics = intrinsics_from_fov(_PIXELS, _PIXELS, math.radians(40))
        pose = look_at(1.6 * direction, np.zeros(3))
        origin, rays = pixel_rays(intrinsics, pose)
        steps = np.linspace(1.0, 2.2, 64)[:, None, None, None]
        along = torch.from_numpy(origin + steps * rays)
        mask = (toy_distance(along) < 0).any(0).numpy().astype(np.float32)
        image = np.ones((_PIXELS, _PIXELS, 3), np.float32)
        views.append(View(f"{number:04}", image, mask, intrinsics, pose))
    return Views(tuple(views), BoundingSphere((0.0, 0.0, 0.0), 0.5), ())


def toy_distance(points: torch.Tensor) -> torch.Tensor:
    """About the signed distance of points [..., 3] to a ball of radius 0.4 with bumps."""
    bumps = torch.sin(11 * points).prod(-1)
    distance: torch.Tensor = points.norm(dim=-1) - 0.4 - 0.06 * bumps
    return distance


def _config(resolution: int, views: int) -> ModelConfig:
    """The released configuration at another resolution, in the capture's own orientation."""
    config = preset("lsrm-rgb")
    transformer = replace(config.sparse.transformer, volume_resolution=resolution)
    sparse = replace(config.sparse, image_size=8 * resolution, transformer=transformer)
    routing = replace(config.routing, views=min(views, config.routing.views))
    return replace(config, relative_pose=False, sparse=sparse, routing=routing)


def _repeat(plan: RoutingPlan, times: int) -> RoutingPlan:
    table = None if plan.table is None else plan.table.repeat(1, times, 1)
    blocks = Blocks(
        _repeat_offsets(plan.blocks.token_offsets, times),
        _repeat_offsets(plan.blocks.instance_offsets, times),
    )
    offsets, order = _repeat_offsets(plan.query_offsets, times), plan.order
    if order is not None:
        first = plan.queries * torch.arange(times, device=order.device)
        order = (order + first[:, None]).flatten()
    return RoutingPlan(offsets, blocks, table, plan.tile, order)


def _repeat_offsets(offsets: torch.Tensor, times: int) -> torch.Tensor:
    sizes = offsets.diff().repeat(times)
    return torch.cat([offsets[:1], sizes.cumsum(0).to(offsets.dtype)])


def now(device: torch.device) -> float:
    """The time once all work of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
