# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials from radiance: light that is traced, materials that are found, textures that hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from torch.nn.functional import normalize

from backend.materials.environment_map import (
    EnvironmentMap,
    fibonacci_directions,
    pixel_directions,
)
from backend.materials.estimate import (
    LONGEST_EDGE,
    LONGEST_IN_PIXELS,
    estimate_materials,
    longest_edge,
    weld,
)
from backend.materials.fitting import MATT, Material, fit_materials, respond
from backend.materials.light_transport import Light, trace_light
from backend.materials.observations import Observations, observe
from backend.materials.ray_caster import NO_HIT, RayCaster
from backend.materials.surface_graph import SurfaceGraph
from backend.materials.texture import bake_materials
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.unwrap import unwrap
from backend.pipeline import normalize_scene
from backend.shared.capture.reader import read_capture
from backend.shared.errors import Cancelled
from backend.shared.progress import Progress
from backend.views.views import load_views

UNIFORM = EnvironmentMap(np.ones((64, 128, 3)))


def ball(radius=0.4, subdivisions=3) -> TriangleMesh:
    """A sphere around the origin."""
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    return TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces, dtype=np.int64))


@pytest.fixture(scope="module")
def window() -> EnvironmentMap:
    """A dim room with a bright window of about 15 degrees, high on one side, and a warm floor."""
    directions, _ = pixel_directions(128, 256)
    bright = directions @ (np.array([0.8, 0.3, 0.52]) / np.linalg.norm([0.8, 0.3, 0.52])) > 0.966
    floor = np.clip(-directions[..., 2:], 0, None) * [0.5, 0.3, 0.15]
    return EnvironmentMap(0.15 + floor + 12.0 * bright[..., None])


def traced(mesh, environment, radiance=0.0):
    """The light on a mesh that itself shines evenly."""
    graph, rays = SurfaceGraph(mesh), RayCaster(mesh)
    own = torch.full_like(graph.vertices, radiance)
    return graph, trace_light(graph, rays, Light(environment), own, Progress())


def test_rays_hit_what_is_in_the_way():
    """A ray towards the sphere hits a face on its near side; one past it hits nothing."""
    mesh = ball()
    rays = RayCaster(mesh)
    origins = torch.tensor([[0.0, 0.0, 2.0], [0.6, 0.0, 2.0]])
    down = torch.tensor([[0.0, 0.0, -1.0]]).expand(2, 3)
    face = rays.first_hit(origins, down)
    assert mesh.vertices[mesh.faces[face[0]]].mean(axis=0)[2] > 0.35
    assert face[1] == NO_HIT
    assert rays.is_blocked(origins, down).tolist() == [True, False]


def test_irradiance_of_a_convex_body_is_that_of_the_open_sky(window):
    """Nothing shades a sphere: irradiance is the integral over the upper hemisphere."""
    graph, light = traced(ball(), window)
    directions, solid_angles = pixel_directions(128, 256)
    flux = window.radiance * solid_angles[..., None]
    cosine = np.clip(np.einsum("hwk,nk->nhw", directions, graph.shading_normals[::40]), 0, None)
    exact = np.einsum("nhw,hwc->nc", cosine, flux)
    error = np.abs(light.irradiance[::40].numpy() - exact) / exact.mean()
    assert error.max() < 0.06
    assert light.openness[:, 0].numpy() == pytest.approx(np.sqrt(4 * np.pi), rel=1e-5)


def test_a_deep_hole_is_dark_and_bounces_fill_it():
    """Inside a tube closed below little sky is seen; walls that shine give it back."""
    tube = trimesh.creation.annulus(0.2, 0.3, 0.8, sections=64)
    floor = trimesh.creation.cylinder(0.3, 0.05, sections=64).apply_translation([0, 0, -0.42])
    mesh = trimesh.util.concatenate([tube, floor]).subdivide().subdivide()
    mesh = TriangleMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces, dtype=np.int64))
    inside = (np.linalg.norm(mesh.vertices[:, :2], axis=1) < 0.1) & (mesh.vertices[:, 2] > -0.4)
    assert inside.any()
    _, dark = traced(mesh, UNIFORM)
    _, lit = traced(mesh, UNIFORM, radiance=1.0)
    # The opening of radius .2 at .8 above the floor: sin^2 of atan(1 / 4), of pi.
    assert float(dark.irradiance[inside].mean()) == pytest.approx(np.pi / 17, rel=0.35)
    np.testing.assert_allclose(lit.irradiance[inside], np.pi, rtol=0.1)


@pytest.mark.parametrize(
    "material",
    [MATT, Material(0.25), Material(0.55), Material(0.35, 1.0), Material(0.7, 1.0)],
    ids=str,
)
def test_the_material_of_synthetic_radiance_is_found(window, material):
    """Radiance by the model itself gives its base color back, and its kind of material."""
    graph, light = traced(ball(), window)
    base = 0.4 + 0.3 * torch.sin(graph.vertices * torch.tensor([6.0, 7.0, 8.0]))
    cameras = 1.5 * torch.from_numpy(fibonacci_directions(12)).float()
    towards = normalize(cameras - graph.vertices[:, None], dim=-1)
    cosine = (towards * graph.shading_normals[:, None]).sum(dim=-1)
    response = respond(material, towards, light)
    radiance = base[:, None] * response.gain + response.offset
    weight = torch.where(cosine > 0.1, cosine**2, 0.0) * (radiance.amax(dim=-1) < 1.0)
    seen = Observations(radiance, weight / weight.mean(), towards)
    found = fit_materials(graph, seen, light, Progress())
    assert found.specular == material.specular
    assert (found.metallic - material.metallic).abs().mean() < 0.05
    if material.specular:
        assert (found.roughness - material.roughness).abs().mean() < 0.1
    assert (found.base_color - base).abs()[seen.seen].mean() < 0.02
    assert found.residual < 1e-4


@pytest.fixture(scope="module")
def painted(make_capture, tmp_path_factory):
    """Views of a painted ball whose image is its base color, as uniform light of 1 shows it."""
    folder = make_capture(tmp_path_factory.mktemp("ball"), views=10, size=96)
    views = load_views(read_capture(folder))
    return views, normalize_scene(views), unwrap(ball(subdivisions=4), 256, Progress())


def test_uniform_light_leaves_the_color_of_a_convex_body(painted):
    """Under uniform light a matt sphere shows its base color, and so does the texture."""
    views, normalization, mesh = painted
    surface = estimate_materials(mesh, views.views, normalization, Light(UNIFORM), Progress())
    assert not surface.materials.specular
    textures = bake_materials(surface, views.views, normalization, Progress())
    graph = SurfaceGraph(weld(surface.mesh)[0])
    seen = observe(graph, RayCaster(graph.mesh), views.views, normalization, Progress())
    difference = surface.materials.base_color - seen.mean_radiance
    assert difference[seen.seen].abs().mean() < 0.02
    assert textures.base_color.shape == (256, 256, 3)
    assert textures.specular == 0.0
    np.testing.assert_allclose(textures.roughness, 1.0, atol=1e-5)
    np.testing.assert_allclose(textures.metallic, 0.0, atol=1e-5)


def test_materials_are_estimated_no_finer_than_views_show(painted):
    """In small views an edge has three pixels; in large ones it does not become ever shorter."""
    views, normalization, _ = painted
    edge = longest_edge(views.views, normalization)
    view = views.views[0]
    distance = np.linalg.norm(normalization.apply_to_pose(view.camera_to_world)[:3, 3])
    assert edge * view.intrinsics.fx / distance == pytest.approx(LONGEST_IN_PIXELS, rel=0.01)
    lens = view.intrinsics.scaled(8 * view.intrinsics.width, 8 * view.intrinsics.height)
    assert longest_edge([replace(view, intrinsics=lens)], normalization) == LONGEST_EDGE


def test_a_mesh_of_few_faces_has_materials_between_its_corners(painted):
    """The texture of a coarse mesh shows detail that its corners alone could not."""
    views, normalization, _ = painted
    coarse = unwrap(ball(subdivisions=2), 256, Progress())
    surface = estimate_materials(coarse, views.views, normalization, Light(UNIFORM), Progress())
    corners = surface.mesh.mesh.vertices[surface.mesh.mesh.faces]
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    assert edges.max() <= longest_edge(views.views, normalization)
    assert len(surface.materials.base_color) > 10 * len(weld(coarse)[0].vertices)
    shaded = surface.shade(coarse)
    assert shaded.mesh is coarse.mesh
    assert shaded.normals.shape == coarse.normals.shape
    # A sphere's normals are its directions also where the coarse faces are flat.
    outward = surface.mesh.mesh.vertices
    outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    assert (surface.mesh.normals * outward).sum(axis=1).min() > np.cos(np.radians(3.0))


def test_twice_the_light_is_half_the_base_color(painted):
    """What is bright because the light is bright is not white."""
    views, normalization, mesh = painted
    bright = EnvironmentMap(2.0 * UNIFORM.radiance)
    once, twice = (
        estimate_materials(mesh, views.views, normalization, Light(light), Progress()).materials
        for light in (UNIFORM, bright)
    )
    np.testing.assert_allclose(twice.base_color, 0.5 * once.base_color, atol=0.01)


def test_two_runs_agree_to_the_bit(painted):
    """The same views give the same textures."""
    views, normalization, mesh = painted
    baked = []
    for _ in range(2):
        surface = estimate_materials(mesh, views.views, normalization, Light(UNIFORM), Progress())
        baked.append(bake_materials(surface, views.views, normalization, Progress()))
    np.testing.assert_array_equal(baked[0].base_color, baked[1].base_color)
    np.testing.assert_array_equal(baked[0].roughness, baked[1].roughness)


@pytest.mark.parametrize("step", ["estimate", "bake"])
def test_cancel(painted, step):
    """A cancel ends both the estimate and the baking."""
    views, normalization, mesh = painted
    progress = Progress()
    if step == "estimate":
        progress.cancel()
        with pytest.raises(Cancelled):
            estimate_materials(mesh, views.views, normalization, Light(UNIFORM), progress)
        return
    surface = estimate_materials(mesh, views.views, normalization, Light(UNIFORM), Progress())
    progress.cancel()
    with pytest.raises(Cancelled):
        bake_materials(surface, views.views, normalization, progress)


def test_normals_lose_lumps_and_keep_edges():
    """A noisy plane becomes flat in shading; the normals of a cube's sides stay apart."""
    grid = np.stack(np.meshgrid(np.arange(30), np.arange(30), indexing="ij"), -1).reshape(-1, 2)
    noise = np.random.default_rng(0).normal(scale=0.05, size=len(grid))
    vertices = np.column_stack([grid, noise]).astype(float)
    corner = np.arange(29 * 30).reshape(29, 30)[:, :29].ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 30, corner + 31], 1),
            np.stack([corner, corner + 31, corner + 1], 1),
        ]
    )
    graph = SurfaceGraph(TriangleMesh(vertices, faces))
    before, after = graph.mesh.vertex_normals[:, 2], graph.shading_normals[:, 2].numpy()
    assert np.arccos(after.clip(-1, 1)).mean() < 0.5 * np.arccos(before.clip(-1, 1)).mean()
    box = trimesh.creation.box((1, 1, 1)).subdivide().subdivide().subdivide()
    cube = SurfaceGraph(TriangleMesh(np.asarray(box.vertices), np.asarray(box.faces)))
    middle = np.abs(cube.mesh.vertices).max(axis=1) == 0.5
    flat = middle & ((np.abs(cube.mesh.vertices) < 0.2).sum(axis=1) == 2)
    tilt = cube.shading_normals[flat].abs().amax(dim=1).clamp_max(1.0).acos().rad2deg()
    assert tilt.max() < 3.0


def test_unknown_vertices_are_filled_from_their_neighbors():
    """Values grow over the surface; a piece of its own without any gets the mean."""
    mesh = ball(subdivisions=2)
    apart = TriangleMesh(
        np.concatenate([mesh.vertices, mesh.vertices + 5.0]),
        np.concatenate([mesh.faces, mesh.faces + len(mesh.vertices)]),
    )
    graph = SurfaceGraph(apart)
    known = torch.zeros(len(apart.vertices), dtype=torch.bool)
    known[:10] = True
    values = torch.where(known[:, None], 0.25, 0.0)
    np.testing.assert_allclose(graph.filled(values, known), 0.25, rtol=1e-6)
    assert graph.filled(values, torch.ones_like(known)).equal(values)
