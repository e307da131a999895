# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Analytic surfaces, rendered and fitted: shells inside of shells, and lumps in hard light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from backend.field.config import HALF_SIDE
from backend.mesh.isosurface import extract_isosurface
from backend.refine import novel_view_error
from backend.refine.config import Level, RefineConfig
from backend.refine.refine import Refinement
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    pixel_rays,
)
from backend.shared.progress import Progress
from backend.views.views import View
from backend.views.visual_hull import VisualHull

MESH = 64
SIZE, RAYS = 48, 2  # pixels along a side of a view, rays along a side of a pixel
AROUND = Normalization((0.0, 0.0, 0.0), 1.0)
LIGHT = np.array([0.5, -0.4, 0.77])
LEVELS = (
    Level(24, 4.0, 60, (30, 60), "volsdf", 8e-3, 0.12, 0.5, 0.6),
    Level(36, 4.0, 120, (60, 200), "neus", 4e-3, 0.08, 2.0, 0.6),
)
CONFIG = RefineConfig(levels=LEVELS, rays_per_step=1024, seconds=600.0)
VOXEL = 2 * HALF_SIDE / (LEVELS[-1].resolution - 1)


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Small meshes to compare and to color from, so that these tests are quick."""
    monkeypatch.setattr(novel_view_error, "RESOLUTION", MESH)


@dataclass(frozen=True)
class Shells:
    """A ball in a hollow ball whose top is cut off, so that the inner one is visible.

    Closed shells would look like the outer one alone: what no ray reaches, no fit can know.
    """

    grown: float = 0.0  # all surfaces moved outwards by this
    outer: float = 0.44
    wall: float = 0.12
    inner: float = 0.16
    rim: float = 0.05

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Signed distance [n] of points [n, 3], near the edges of the rim a lower bound."""
        radius = points.norm(dim=1)
        shell = (radius - (self.outer - self.wall / 2)).abs() - self.wall / 2
        cup = torch.maximum(shell, points[:, 2] - self.rim)
        return torch.minimum(cup, radius - self.inner) - self.grown


@dataclass(frozen=True)
class Lumps:
    """A ball with bumps a few voxels wide and one high."""

    radius: float = 0.36
    height: float = 0.03
    density: float = 17.0

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """About the signed distance [n] of points [n, 3]: its slope is 1 within a tenth."""
        x, y, z = (self.density * points).unbind(1)
        bumps = torch.sin(x) * torch.sin(y) * torch.sin(z)
        return (points.norm(dim=1) - self.radius - self.height * bumps) / 1.1


def hits(shape, origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Lengths [n] at which unit rays meet a shape, infinite where they miss: sphere tracing."""
    length = torch.zeros(len(origins), dtype=origins.dtype)
    for _ in range(80):
        length += shape(origins + length[:, None] * directions)
    met = (shape(origins + length[:, None] * directions).abs() < 1e-3) & (length < 3)
    return torch.where(met, length, torch.inf)


def slope(shape, points: torch.Tensor) -> torch.Tensor:
    """The unit outward normals [n, 3] at points of the surface."""
    offsets = 1e-4 * torch.eye(3, dtype=points.dtype)
    ahead = [shape(points + offset) - shape(points - offset) for offset in offsets]
    return torch.nn.functional.normalize(torch.stack(ahead, 1), dim=1)


def painted(points: torch.Tensor) -> torch.Tensor:
    """A color [n, 3] that varies slowly enough for the pixels of a view."""
    phases = torch.tensor([0.0, 2.0, 4.0])
    return 0.55 + 0.35 * torch.sin(19 * points + phases) * torch.cos(13 * points.roll(1, 1))


def plain(points: torch.Tensor) -> torch.Tensor:
    """One gray, [n, 3]."""
    return torch.full_like(points, 0.7)


def lit(shape, points: torch.Tensor) -> torch.Tensor:
    """The brightness [n, 1] under one sharp light, with the shadows that the shape casts."""
    light = torch.from_numpy(LIGHT / np.linalg.norm(LIGHT)).to(points)
    normals = slope(shape, points)
    start = points + 0.01 * normals
    free = torch.isinf(hits(shape, start, light.expand_as(start)))
    return 0.15 + 0.85 * ((normals @ light).clamp(min=0) * free)[:, None]


def photographs(shape, count: int, colors) -> tuple[View, ...]:
    """Views from all around; `colors` [n, 3] of points [n, 3] of the surface."""
    lens = intrinsics_from_fov(SIZE, SIZE, np.radians(42.0))
    views = []
    for number, direction in enumerate(fibonacci_sphere(count)):
        pose = look_at(1.5 * direction, np.zeros(3))
        origin, rays = pixel_rays(lens.scaled(RAYS * SIZE, RAYS * SIZE), pose)
        rays = torch.from_numpy(rays).view(-1, 3)
        rays = torch.nn.functional.normalize(rays, dim=1)
        start = torch.from_numpy(origin).expand_as(rays)
        length = hits(shape, start, rays)
        seen = length.isfinite()
        points = start[seen] + length[seen, None] * rays[seen]
        color = torch.ones(len(rays), 3, dtype=torch.float64)
        color[seen] = colors(points)
        pixels = torch.cat([color, seen[:, None].double()], 1).view(SIZE, RAYS, SIZE, RAYS, 4)
        pixels = pixels.mean((1, 3)).float().numpy()
        views.append(View(str(number), pixels[..., :3], pixels[..., 3], lens, pose))
    return tuple(views)


def seen_points(shape, views: tuple[View, ...]) -> torch.Tensor:
    """Where the central rays of pixels meet the surface and not its outline, [n, 3]."""
    found = []
    for view in views:
        origin, rays = pixel_rays(view.intrinsics, view.camera_to_world)
        rays = torch.nn.functional.normalize(torch.from_numpy(rays).view(-1, 3), dim=1)
        start = torch.from_numpy(origin).expand_as(rays)
        length = hits(shape, start, rays)
        points = (start + length[:, None] * rays)[length.isfinite()]
        facing = (slope(shape, points) * rays[length.isfinite()]).sum(1) < -0.3
        found.append(points[facing])
    return torch.cat(found)


def test_shells_in_shells_are_recovered() -> None:
    """From a start a voxel off, all that is seen of both shells ends within 1/2 voxel."""
    truth, start = Shells(), Shells(grown=-VOXEL)
    views = photographs(truth, 24, painted)
    field = Refinement(views, AROUND, HALF_SIDE, CONFIG).run(start, Progress())
    assert field is not None
    seen = seen_points(truth, views)
    seen = seen[seen[:, 2] < truth.rim - VOXEL]  # the rim's edges are sharper than any voxel
    radius = seen.norm(dim=1)
    surfaces = {
        "outside": radius > truth.outer - truth.wall / 2,
        "inside of the wall": (radius > truth.inner + 0.06) & (radius < truth.outer - 0.08),
        "inner ball": radius < truth.inner + 0.01,
    }
    for name, part in surfaces.items():
        points = seen[part].float()
        assert len(points) > 100, name
        torch.testing.assert_close(start(points), torch.full((len(points),), VOXEL))
        with torch.no_grad():
            off = field.signed_distance(points).abs()
        assert off.mean() < VOXEL / 2, name


@pytest.mark.parametrize("paint", ["painted", "plain"])
def test_hard_light_is_no_shape(paint: str) -> None:
    """Shading and cast shadows are painted on, not carved in: no worse than the hull.

    A painted surface comes out better. Of a plain one the shading is all there is to see; where the
    fit makes of it what other views deny, the hull is kept.
    """
    truth = Lumps()
    colors = painted if paint == "painted" else plain
    views = photographs(truth, 16, lambda points: colors(points) * lit(truth, points))
    assert np.concatenate([v.image[v.mask == 1] for v in views]).min() < 0.11  # in the shadow
    hull = VisualHull.from_views(views, AROUND, torch.device("cpu")).signed_distance
    field = Refinement(views, AROUND, HALF_SIDE, CONFIG).run(None, Progress())
    before, after = (
        surface_error(truth, shape) for shape in (hull, field.signed_distance if field else hull)
    )
    assert after <= before
    if paint == "painted":
        assert field is not None
        assert after < 0.8 * before


def surface_error(truth: Lumps, distance) -> float:
    """The mean distance of a surface from the true one, in voxels."""
    with torch.no_grad():
        mesh = extract_isosurface(distance, HALF_SIDE, MESH, Progress())
    return truth(torch.from_numpy(mesh.vertices).float()).abs().mean().item() / VOXEL
