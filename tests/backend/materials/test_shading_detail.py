# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lumps of a fit: taken out where known light would show them, kept where the views do."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.materials.environment_map import EnvironmentMap, pixel_directions
from backend.materials.light_transport import Light, trace_light
from backend.materials.observations import Observations
from backend.materials.ray_caster import RayCaster
from backend.materials.shading_detail import without_lumps
from backend.materials.surface_graph import SurfaceGraph
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.progress import Progress

RADIUS = 0.4
HEIGHT, WAVES = 0.006, 30.0
"""Of the lumps: normals turn by up to ten degrees, over a quarter of the radius."""


@pytest.fixture(scope="module")
def sphere() -> np.ndarray:
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
    dark = np.zeros((len(lumpy.mesh.vertices), 3))
    return trace_light(lumpy, RayCaster(lumpy.mesh), Light(environment), dark, Progress())


def seen_as(irradiance: np.ndarray, base_color: np.ndarray | float) -> Observations:
    """Two views that see all of a matt surface."""
    radiance = base_color * irradiance / np.pi
    weight = np.ones((len(radiance), 2))
    return Observations(np.stack([radiance] * 2, axis=1), weight, np.ones((len(radiance), 2, 3)))


def degrees(first: np.ndarray, second: np.ndarray) -> float:
    """The mean angle between unit vectors, [n, 3] each."""
    return float(np.degrees(np.arccos((first * second).sum(axis=1).clip(-1, 1))).mean())


def test_lumps_that_the_views_do_not_show_go(sphere, lumpy, light):
    """Under light from one side, an even color of the radiance of a sphere says it is one."""
    true = np.asarray(sphere.vertices)
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
    true = np.asarray(sphere.vertices)
    pattern = np.where(np.sin(60.0 * true).prod(axis=1, keepdims=True) > 0.0, 0.7, 0.1)
    seen = seen_as(light.irradiance_on(true), pattern)
    assert (
        degrees(without_lumps(lumpy, seen, seen.mean_radiance, light).normals, light.normals) < 0.1
    )


def test_what_no_view_sees_stays(sphere, lumpy, light):
    """Without evidence nothing is changed."""
    seen = seen_as(light.irradiance_on(np.asarray(sphere.vertices)), 0.5)
    unseen = Observations(seen.radiance, np.zeros_like(seen.weight), seen.direction)
    assert (
        degrees(without_lumps(lumpy, unseen, unseen.mean_radiance, light).normals, light.normals)
        < 1e-3
    )


def test_irradiance_follows_the_normals(sphere, lumpy, light):
    """On new normals there is as much light as on a surface that has them."""
    true = np.asarray(sphere.vertices)
    turned = light.on(true)
    np.testing.assert_allclose(turned.normals, true)
    directions, solid_angles = pixel_directions(32, 64)
    cosine = np.clip(np.einsum("hwk,nk->nhw", directions, true[::400]), 0.0, None)
    flux = light.environment.radiance * solid_angles[..., None]
    exact = np.einsum("nhw,hwc->nc", cosine, flux)
    np.testing.assert_allclose(turned.irradiance[::400], exact, atol=0.06 * exact.mean())
