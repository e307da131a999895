# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh of a network's field: the published recipe, step by step, gives the same triangles."""

from __future__ import annotations

import itertools
import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.measure import marching_cubes

from backend.field.config import HALF_SIDE
from backend.field.decoders import DirectDecoder
from backend.field.density import render_step
from backend.field.field import TwoLevelField, VolumeField
from backend.field.grids import distances_by_plane, grid_points
from backend.field.volumes import DenseVolume, SparseVolume
from backend.mesh.network_surface import (
    LAYERS_PER_CHUNK,
    OccupancySearch,
    SurfaceSettings,
    extract_network_surface,
    fill_cavities,
    smooth,
)
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.errors import Cancelled, NoSurface
from backend.shared.progress import Progress
from kernels.core.sparse_grid import Bricks

SETTINGS = SurfaceSettings(
    HALF_SIDE, render_step(HALF_SIDE, 1024), resolution=25, cells=34, smoothing=0
)
FLOATER = torch.tensor([-0.35, -0.35, -0.35])
AXES = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # a quarter turn about z


def lumpy_ball(points: torch.Tensor, radius: float = 0.24) -> torch.Tensor:
    """An object somewhat off the center, [n]."""
    bumps = 0.02 * torch.sin(11 * points[:, 0]) * torch.cos(9 * points[:, 1] + points[:, 2])
    distance: torch.Tensor = (points - torch.tensor([0.06, 0.02, -0.05])).norm(dim=1) - radius
    return distance + bumps


def imagined(points: torch.Tensor) -> torch.Tensor:
    """The same with a hidden cavity, and with a floater of which the coarse level knows nothing."""
    cavity = 0.09 - (points - torch.tensor([0.06, 0.02, -0.05])).norm(dim=1)
    floater = (points - FLOATER).norm(dim=1) - 0.06
    return torch.minimum(torch.maximum(lumpy_ball(points), cavity), floater)


def two_levels(coarse=lumpy_ball, fine=imagined) -> TwoLevelField:
    """Both levels as rows of signed distance; the fine one covers the cube but for one face."""
    features = torch.zeros(4, 14, 14, 14)
    features[0] = coarse(grid_points(HALF_SIDE, 14, "zyx")).view(14, 14, 14)
    dense = DenseVolume(features, HALF_SIDE)
    count = 28
    rows = torch.zeros(count**3, 4)
    rows[:, 0] = fine(grid_points(HALF_SIDE, count, "zyx"))
    index = torch.arange(count**3).view(count, count, count).int()
    index[-3:] = -1
    decoder, sparse = DirectDecoder(3), SparseVolume(rows, Bricks(index), dense)
    return TwoLevelField(VolumeField(dense, decoder, 60.0), VolumeField(sparse, decoder, 200.0))


def published(field: TwoLevelField, settings: SurfaceSettings) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces by the specification's own words: every cell, every point, one by one."""
    cells, count, half = settings.cells, settings.resolution, settings.half_side
    jitter = []
    for first in range(0, cells, LAYERS_PER_CHUNK):
        random = torch.Generator().manual_seed(settings.seed * cells + first)
        jitter.append(
            torch.rand(min(LAYERS_PER_CHUNK, cells - first), cells, cells, 3, generator=random)
        )
    z, y, x = np.meshgrid(*[np.arange(cells)] * 3, indexing="ij")
    inside_cell = np.stack([x, y, z], -1) + torch.cat(jitter).numpy()
    points = torch.from_numpy(inside_cell / cells * 2 * half - half).float().view(-1, 3)
    sdf = field.coarse.signed_distance(points).view(cells, cells, cells)
    s = field.coarse.inverse_std
    sigma = s * (0.5 + 0.5 * torch.sign(sdf) * torch.expm1(-sdf.abs() * s))
    alpha = (1 - torch.exp(-settings.step * sigma)).numpy()  # float32, as its mean would be
    occupied = alpha > min(1e-4, alpha.mean(dtype=np.float64))
    occupied = ndimage.maximum_filter(occupied, size=9, mode="constant")
    line = np.linspace(-half, half, count, dtype=np.float32)
    where = np.clip(((line + half) / (2 * half) * cells).astype(int), 0, cells - 1)
    grid = np.empty((count, count, count), np.float32)
    for i in range(count):
        plane = torch.tensor([[line[i], y, z] for y in line for z in line])
        kept = occupied[where[None, :], where[:, None], where[i]]
        values = field.signed_distance(plane).numpy().reshape(count, count)
        grid[i] = np.where(kept, values, 1.0)
    vertices, faces, _, _ = marching_cubes(flooded(grid), 0.0)
    return vertices / (count - 1) * 2 * half - half, faces


def flooded(grid: np.ndarray) -> np.ndarray:
    """Positive values that no walk from a corner reaches become negative."""
    last = len(grid) - 1
    waiting = [c for c in itertools.product((0, last), repeat=3) if grid[c] > 0]
    reached = set(waiting)
    while waiting:
        cell = waiting.pop()
        for axis, step in itertools.product(range(3), (-1, 1)):
            near = tuple(v + step * (a == axis) for a, v in enumerate(cell))
            if all(0 <= v <= last for v in near) and grid[near] > 0 and near not in reached:
                reached.add(near)
                waiting.append(near)
    result = -np.abs(grid)
    for cell in reached:
        result[cell] = grid[cell]
    return np.where(grid > 0, result, grid)


@pytest.mark.parametrize(
    "case", ["object", "nothing known", "nearly empty", "other seed and sizes"]
)
def test_the_mesh_is_that_of_the_published_recipe(case) -> None:
    """Asking only the cells that matter changes no triangle, whatever decides the threshold."""
    field, settings = two_levels(), SETTINGS
    if case == "nothing known":  # the coarse level is clear: the mean decides, of nothing
        field = two_levels(coarse=lambda points: lumpy_ball(points) + 0.36)
    if case == "nearly empty":  # only its densest cell is above the mean
        field = two_levels(coarse=lambda points: lumpy_ball(points) + 0.31)
    if case == "other seed and sizes":
        settings = replace(SETTINGS, seed=3, cells=37, resolution=22)
    vertices, faces = published(field, settings)
    mesh = extract_network_surface(field, np.eye(3), settings, Progress())
    assert len(faces) > 50
    assert np.array_equal(mesh.faces, faces)
    # A rounding of the distance moves a vertex by itself over the slope of the distance.
    np.testing.assert_allclose(mesh.vertices, vertices, atol=2e-5)


def test_floaters_go_and_cavities_close() -> None:
    """What only the fine level imagines is not in the mesh; one closed surface is left."""
    mesh = extract_network_surface(two_levels(), np.eye(3), SETTINGS, Progress())
    assert (np.linalg.norm(mesh.vertices - FLOATER.numpy(), axis=1) > 0.15).all()
    assert np.linalg.norm(mesh.vertices - [0.06, 0.02, -0.05], axis=1).min() > 0.18
    edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()


def test_the_mesh_is_turned_into_the_normalized_frame() -> None:
    """x_normalized = rotation @ x_model."""
    plain, turned = (
        extract_network_surface(two_levels(), axes, SETTINGS, Progress())
        for axes in (np.eye(3), AXES)
    )
    np.testing.assert_allclose(turned.vertices, plain.vertices @ AXES.T)
    assert np.abs(turned.vertices - plain.vertices).max() > 0.1


def test_few_cells_are_asked() -> None:
    """A usual object needs its own cells and their neighbors, not the whole box."""
    fractions: list[float] = []
    progress = Progress(lambda _stage, fraction, _message: fractions.append(fraction))
    search = OccupancySearch(two_levels().coarse, SETTINGS, progress)
    everything = torch.ones_like(search.sampled)
    search.sample(everything)
    before = search.occupied.clone()
    search.sample(everything)  # once is enough
    assert torch.equal(search.occupied, before)
    sampled: list[torch.Tensor] = []
    sample = OccupancySearch.sample

    def listening(self, wanted, *threshold):
        sample(self, wanted, *threshold)
        sampled.append(self.sampled)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OccupancySearch, "sample", listening)
        extract_network_surface(two_levels(), np.eye(3), SETTINGS, progress)
    assert 0 < sampled[-1].float().mean() < 0.2
    assert 0 <= min(fractions) < max(fractions) <= 0.4


def test_cancel_is_heard() -> None:
    """A cancelled job stops at the next plane."""
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        extract_network_surface(two_levels(), np.eye(3), SETTINGS, progress)


def test_no_surface_is_an_error() -> None:
    """A field that is nowhere negative is an error, not turned into an empty mesh."""
    empty = two_levels(fine=lambda points: points.norm(dim=1) + 0.5)
    with pytest.raises(NoSurface):
        extract_network_surface(empty, np.eye(3), SETTINGS, Progress())


def test_planes_are_what_points_give() -> None:
    """The grid of a dense volume an axis at a time is the grid point by point."""
    field = two_levels().coarse
    points = grid_points(HALF_SIDE, 21, "zyx")
    planes = distances_by_plane(field, HALF_SIDE, 21)
    found, distances = (torch.cat(parts) for parts in zip(*planes, strict=True))
    torch.testing.assert_close(found, points)
    torch.testing.assert_close(distances, field.signed_distance(points), atol=1e-6, rtol=0)


def test_cavities_are_found_by_faces_only() -> None:
    """A gap that touches the outside at an edge alone is hidden."""
    grid = np.full((7, 7, 7), -1.0, np.float32)
    grid[[0, -1]] = grid[:, [0, -1]] = grid[:, :, [0, -1]] = 1
    grid[3, 3, 3], grid[1, 1, 3] = 2, 3
    filled = fill_cavities(grid)
    assert filled[3, 3, 3] == -2
    assert filled[1, 1, 3] == 3
    grid[1, 1, 3], grid[2, 2, 3] = -1, 3  # beside the outside along an edge would be (1, 1)
    assert fill_cavities(grid)[2, 2, 3] == -3
    assert np.array_equal(fill_cavities(grid), flooded(grid))


SMOOTH = """
import bpy, json, sys
vertices, faces = json.load(sys.stdin)
mesh = bpy.data.meshes.new("m")
mesh.from_pydata(vertices, [], faces)
thing = bpy.data.objects.new("m", mesh)
bpy.context.scene.collection.objects.link(thing)
modifier = thing.modifiers.new("s", "SMOOTH")
modifier.factor, modifier.iterations = 1.0, 10
moved = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
print("MOVED" + json.dumps([list(v.co) for v in moved.vertices]))
"""


def test_smoothing_is_that_of_blender(blender_python) -> None:
    """Ten passes move every vertex to where Blender's Smooth modifier puts it."""
    mesh = extract_network_surface(two_levels(), np.eye(3), SETTINGS, Progress())
    given = json.dumps([mesh.vertices.tolist(), mesh.faces.tolist()])
    done = subprocess.run(
        [str(blender_python), "-c", SMOOTH], input=given, capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("MOVED"))
    expected = np.array(json.loads(line.removeprefix("MOVED")))
    found = smooth(mesh, 10).vertices
    assert np.abs(found - mesh.vertices).max() > 0.003
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_lone_vertices_stay_finite() -> None:
    """A vertex without an edge has no neighbors to go to."""
    mesh = TriangleMesh(np.eye(4, 3), np.array([[0, 1, 2]]))
    assert np.isfinite(smooth(mesh, 2).vertices).all()
