# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that is not known: it is found where it shows, and left alone where it does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from backend.materials import light_estimate
from backend.materials.environment_map import (
    EnvironmentMap,
    fibonacci_directions,
    pixel_directions,
)
from backend.materials.estimate import LEAST_EXPLAINED
from backend.materials.fitting import fit_matt
from backend.materials.light_estimate import EXPOSURE, estimate_light
from backend.materials.light_transport import Light, trace_light
from backend.materials.observations import Observations, gamma_encoded
from backend.materials.ray_caster import RayCaster
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.shared.radiance_hdr import sample_panorama

PAINTS = np.array([[0.6, 0.15, 0.1], [0.2, 0.3, 0.6], [0.75, 0.72, 0.65]])


@pytest.fixture(scope="module")
def statue() -> SurfaceGraph:
    """A ball with a smaller one on top."""
    balls = [trimesh.creation.icosphere(4, radius) for radius in (0.3, 0.2)]
    balls[1].apply_translation([0.0, 0.0, 0.3])
    mesh = trimesh.util.concatenate(balls)
    return SurfaceGraph(TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces)))


def room(contrast: float) -> EnvironmentMap:
    """White light from one side, and `contrast` times less from the other."""
    directions, _ = pixel_directions(32, 64)
    side = directions @ np.array([0.6, 0.0, 0.8])
    light = 0.5 + 0.5 * np.tanh(4.0 * side)
    return EnvironmentMap(np.repeat((1.0 + (contrast - 1.0) * light)[..., None], 3, axis=2))


def painted(graph: SurfaceGraph) -> torch.Tensor:
    """A base color of patches, [vertices, 3]."""
    patch = np.sin(graph.mesh.vertices @ (14.0 * fibonacci_directions(7)).T).sum(axis=1)
    return torch.from_numpy(PAINTS[np.digitize(patch, [-1.0, 1.0])]).float()


def show(graph: SurfaceGraph, environment: EnvironmentMap) -> Observations:
    """What views from all sides see of the painted surface, in a good exposure."""
    base, dark = painted(graph), torch.zeros_like(graph.vertices)
    light = trace_light(graph, RayCaster(graph.mesh), Light(environment), dark, Progress())
    radiance = base * light.irradiance / light.irradiance.mean() * EXPOSURE
    towards = graph.shading_normals[:, None].expand(-1, 2, 3)
    outside = light.irradiance.mean(dim=1) > 0.01 * light.irradiance.mean()
    weight = outside[:, None].float().expand(-1, 2)
    return Observations(torch.stack([radiance, radiance], dim=1), weight, towards)


def displayed_error(graph: SurfaceGraph, color: torch.Tensor) -> float:
    """The mean difference from the true base color as displayed."""
    return float((gamma_encoded(color) - gamma_encoded(painted(graph))).abs().mean())


def two_sides(environment: EnvironmentMap) -> np.ndarray:
    """The radiance from the bright side of the room and from the other, [2, 3]."""
    directions = np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]])
    return sample_panorama(environment.radiance, directions)


def test_light_from_one_side_is_found(statue):
    """The bright side is where the light is, and base color is nearer the paint than radiance."""
    seen, rays = show(statue, room(8.0)), RayCaster(statue.mesh)
    found = estimate_light(statue, rays, seen, Progress())
    assert found.unexplained < 1.0 - LEAST_EXPLAINED
    side, other = two_sides(found.environment)
    assert side.mean() > 3.0 * other.mean()
    light = trace_light(statue, rays, Light(found.environment), seen.mean_radiance, Progress())
    base = fit_matt(statue, seen, light).base_color
    assert displayed_error(statue, base) < 0.5 * displayed_error(statue, seen.mean_radiance)


def test_even_light_shows_nothing(statue):
    """Paint alone does not make a light that comes from one side."""
    found = estimate_light(statue, RayCaster(statue.mesh), show(statue, room(1.0)), Progress())
    side, other = two_sides(found.environment)
    assert 0.6 < side.mean() / other.mean() < 1.6


def test_two_estimates_agree_to_the_bit(statue, monkeypatch):
    """The same surface gives the same light, after any number of steps."""
    monkeypatch.setattr(light_estimate, "STEPS", 30)
    seen, rays = show(statue, room(8.0)), RayCaster(statue.mesh)
    once, again = (estimate_light(statue, rays, seen, Progress()) for _ in range(2))
    np.testing.assert_array_equal(once.environment.radiance, again.environment.radiance)


def test_little_is_no_evidence(statue):
    """A surface that is black, or hardly seen, has no light."""
    seen = show(statue, room(8.0))
    black = Observations(0.001 * seen.radiance, seen.weight, seen.direction)
    assert estimate_light(statue, RayCaster(statue.mesh), black, Progress()) is None


def test_cancel(statue):
    """A cancel ends the estimate."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        estimate_light(statue, RayCaster(statue.mesh), show(statue, room(8.0)), progress)
