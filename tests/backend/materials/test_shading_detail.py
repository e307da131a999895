# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lumps of a fit: taken out where known light would show them, kept where the views do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import trimesh

from backend.materials.environment_map import EnvironmentMap, pixel_directions
from backend.materials.light_transport import Light, trace_light
from backend.materials.observations import Observations
from backend.materials.ray_caster import RayCaster
from backend.materials.shading_detail import without_lumps
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

RADIUS = 0.4
HEIGHT, WAVES = 0.006, 30.0
"""Of the lumps: normals turn by up to ten degrees, over a quarter of the radius."""


@pytest.fixture(scope="module")
def sphere() -> trimesh.Trimesh:
    """Faces and unit vertices of a fine sphere."""
    return trimesh.creation.icosphere(5, 1.0)


@pytest.fixture(scope="module")
def lumpy(sphere) -> SurfaceGraph:
    """What a fit makes of the sphere."""
    unit = np.asarray(sphere.vertices)
    lumps = HEIGHT * np.prod(np.sin(WAVES * RADIUS * unit + [0.3, 1.1, 2.0]), axis=1) * 2.0
    vertices = unit * (RADIUS + lumps)[:, None]
    return SurfaceGraph(TriangleMesh(vertices, np.asarray(sphere.faces, dtype=np.int64)))


@pytest.fixture(scope="module")
def light(lumpy):
    """From one side, on the lumpy sphere."""
    directions, _ = pixel_directions(32, 64)
    side = 0.1 + np.clip(directions @ np.array([0.6, 0.0, 0.8]), 0.0, None)
    environment = EnvironmentMap(np.repeat(side[..., None], 3, axis=2))
    dark = torch.zeros_like(lumpy.vertices)
    return trace_light(lumpy, RayCaster(lumpy.mesh), Light(environment), dark, Progress())


def seen_as(irradiance: Tensor, base_color: Tensor | float) -> Observations:
    """Two views that see all of a matt surface."""
    radiance = base_color * irradiance / torch.pi
    weight = torch.ones(len(radiance), 2)
    directions = torch.ones(len(radiance), 2, 3)
    return Observations(torch.stack([radiance] * 2, dim=1), weight, directions)


def degrees(first: Tensor, second: Tensor) -> float:
    """The mean angle between unit vectors, [n, 3] each."""
    half_chord = 0.5 * (first - second).norm(dim=1)
    return float((2.0 * half_chord.asin()).rad2deg().mean())


def true_normals(sphere: trimesh.Trimesh) -> Tensor:
    """Those of the sphere without lumps, unit, [vertices, 3]."""
    return torch.from_numpy(np.asarray(sphere.vertices)).float()


def test_lumps_that_the_views_do_not_show_go(sphere, lumpy, light):
    """Under light from one side, an even color of the radiance of a sphere says it is one."""
    true = true_normals(sphere)
    seen = seen_as(light.irradiance_on(true), 0.5)
    assert degrees(light.normals, true) > 3.0
    assert degrees(
        without_lumps(lumpy, seen, seen.mean_radiance, light).normals, true
    ) < 0.35 * degrees(light.normals, true)


def test_bumps_that_the_views_show_stay(lumpy, light):
    """Where radiance varies as the normals say, they are right."""
    seen = seen_as(light.irradiance_on(light.normals), 0.5)
    assert (
        degrees(without_lumps(lumpy, seen, seen.mean_radiance, light).normals, light.normals) < 0.1
    )


def test_a_pattern_says_nothing(sphere, lumpy, light):
    """Where the color varies more than the light would, the shape of the fit is trusted."""
    true = true_normals(sphere)
    pattern = torch.where(torch.sin(60.0 * true).prod(dim=1, keepdim=True) > 0.0, 0.7, 0.1)
    seen = seen_as(light.irradiance_on(true), pattern)
    assert (
        degrees(without_lumps(lumpy, seen, seen.mean_radiance, light).normals, light.normals) < 0.1
    )


def test_what_no_view_sees_stays(sphere, lumpy, light):
    """Without evidence nothing is changed."""
    seen = seen_as(light.irradiance_on(true_normals(sphere)), 0.5)
    unseen = Observations(seen.radiance, torch.zeros_like(seen.weight), seen.direction)
    assert (
        degrees(without_lumps(lumpy, unseen, unseen.mean_radiance, light).normals, light.normals)
        < 1e-3
    )


def test_irradiance_follows_the_normals(sphere, lumpy, light):
    """On new normals there is as much light as on a surface that has them."""
    true = true_normals(sphere)
    turned = light.on(true)
    np.testing.assert_allclose(turned.normals, true)
    directions, solid_angles = pixel_directions(32, 64)
    cosine = np.clip(np.einsum("hwk,nk->nhw", directions, true[::400]), 0.0, None)
    flux = light.environment.radiance * solid_angles[..., None]
    exact = np.einsum("nhw,hwc->nc", cosine, flux)
    np.testing.assert_allclose(turned.irradiance[::400], exact, atol=0.06 * exact.mean())
