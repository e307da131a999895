# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The visual hull: contains the object, ends at the silhouettes, also with views that cut it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from backend.field.config import HALF_SIDE
from backend.mesh.isosurface import extract_isosurface
from backend.shared.cameras import (
    Normalization,
    fibonacci_sphere,
    intrinsics_from_fov,
    look_at,
    project,
)
from backend.shared.capture.reader import read_capture
from backend.shared.errors import ObjectOutOfFrame
from backend.shared.progress import Progress
from backend.views.views import View, load_views
from backend.views.visual_hull import VisualHull, estimate_bounding_sphere

CPU = torch.device("cpu")
# The captures of these tests lie around the world's origin, at the size of the model.
SAME = Normalization(center=(0.0, 0.0, 0.0), scale=1.0)
SIZE = 96
# What a pixel spans at the center of the object, in model units.
PIXEL = 1.5 / intrinsics_from_fov(SIZE, SIZE, np.radians(40)).fx
BOX = np.array([0.28, 0.22, 0.34])


@pytest.fixture(scope="module")
def views_of(tmp_path_factory, make_capture):
    """A function that returns 16 views of a shape, without its bounding sphere."""
    cache = {}

    def load(shape):
        if shape not in cache:
            folder = make_capture(tmp_path_factory.mktemp("hull") / shape, 16, SIZE, shape)
            cache[shape] = load_views(read_capture(folder)).views
        return cache[shape]

    return load


def hull_distance(views, points, normalization=SAME):
    """Signed distance [n] of points [n, 3] to the hull of views."""
    hull = VisualHull.from_views(views, normalization, CPU)
    return hull.signed_distance(torch.tensor(np.asarray(points), dtype=torch.float32)).numpy()


def surface_points(shape):
    """Points [n, 3] all over the true surface."""
    directions = fibonacci_sphere(2000)
    if shape == "sphere":
        return 0.4 * directions
    return directions / np.abs(directions / BOX).max(axis=1, keepdims=True)


def cropped(view, top=0, bottom=0, left=0, right=0):
    """A view cropped by some pixels at each side."""
    height, width = view.mask.shape
    part = (slice(top, height - bottom), slice(left, width - right))
    lens = view.intrinsics.cropped(left, top, width - left - right, height - top - bottom)
    return replace(view, image=view.image[part], mask=view.mask[part], intrinsics=lens)


def solid(views, cells=96):
    """The hull of views as a closed mesh."""
    hull = VisualHull.from_views(views, SAME, CPU)
    mesh = extract_isosurface(hull.signed_distance, HALF_SIDE, cells, Progress())
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@pytest.mark.parametrize("shape", ["sphere", "box"])
def test_the_hull_contains_the_object(views_of, shape):
    """No point of the true surface lies outside by more than a pixel."""
    assert hull_distance(views_of(shape), surface_points(shape)).max() <= PIXEL


@pytest.mark.parametrize("shape", ["sphere", "box", "arch"])
def test_the_hull_ends_at_the_silhouettes(views_of, shape):
    """A point outside one mask is outside, a point inside all masks is inside."""
    views = views_of(shape)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (5000, 3))
    background, object_everywhere = np.zeros(5000, bool), np.ones(5000, bool)
    for view in views:
        pixels, _ = project(points, view.intrinsics, view.camera_to_world)
        column, row = np.floor(pixels).astype(int).clip(2, SIZE - 3).T
        around = [view.mask[row + i, column + j] for i in range(-2, 3) for j in range(-2, 3)]
        background |= np.max(around, axis=0) == 0
        object_everywhere &= np.min(around, axis=0) == 1
    distance = hull_distance(views, points)
    assert background.sum() > 1000
    assert object_everywhere.sum() > 100
    assert (distance[background] > 0).all()
    assert (distance[object_everywhere] < 0).all()


def test_distance_has_slope_one(views_of):
    """Away from the surface of a sphere the distance grows with slope one, as meshing assumes."""
    directions = fibonacci_sphere(300)
    outside = hull_distance(views_of("sphere"), 0.46 * directions)
    inside = hull_distance(views_of("sphere"), 0.34 * directions)
    # The nearest of 16 outlines is at most 35 degrees off: there the distance is 0.46 cos - 0.4.
    assert inside == pytest.approx(-0.06, abs=2 * PIXEL)
    assert outside.max() <= 0.06 + 2 * PIXEL
    assert outside.mean() >= 0.03


def test_points_outside_the_frames(views_of):
    """Points inside fewer than two frames are outside the hull."""
    far = [[30.0, 0, 0], [0, -30.0, 0], [0, 0, 30.0]]
    assert (hull_distance(views_of("sphere"), far) > 0).all()


CUTS = ({"bottom": 40}, {"top": 35, "left": 30}, {"right": 45}, {"top": 30, "bottom": 30})


def test_views_that_cut_the_object(views_of):
    """Although half of the views cut the object at various sides, the shape is complete."""
    views = views_of("box")
    mixed = [cropped(view, **CUTS[i // 2 % 4]) if i % 2 else view for i, view in enumerate(views)]
    assert sum(bool(view.cut) for view in mixed) == 8
    assert hull_distance(mixed, surface_points("box")).max() <= PIXEL
    whole, after = solid(views), solid(mixed)
    assert after.is_watertight
    assert whole.volume <= after.volume <= 1.15 * whole.volume


def test_cut_views_give_no_constraint_beyond_the_cut(views_of):
    """Beyond the side that cuts the object, a view does not change the shape."""
    views = views_of("box")
    cut = [cropped(views[0], bottom=40), *views[1:]]
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (4000, 3))
    pixels, _ = project(points, views[0].intrinsics, views[0].camera_to_world)
    beyond = pixels[:, 1] > SIZE - 40
    others = hull_distance(views[1:], points[beyond])
    assert hull_distance(cut, points[beyond]) == pytest.approx(others, abs=1e-6)
    # Before it, what the view has seen still counts, but for the part of the outline that is gone.
    before = pixels[:, 1] < SIZE - 50
    sign = np.sign(hull_distance(views, points[before]))
    assert (np.sign(hull_distance(cut, points[before])) == sign).all()


def test_all_views_cut_the_object(views_of):
    """The surface is closed even where no view shows the end of the object."""
    views = [cropped(view, bottom=40) for view in views_of("sphere")]
    low = [view for view in views if abs(view.camera_to_world[2, 3]) < 0.9]
    assert all(view.cut == {"bottom"} for view in low)
    mesh = solid(low)
    assert mesh.is_watertight
    assert mesh.volume > 0


# Grid nodes of the search lie 1/63 apart, in units of the sphere found before: half a diagonal of
# a cell, 0.0137 of its diameter, 2.8 % of its radius, is added twice.
MAX_RELATIVE_RADIUS = 1.06


@pytest.mark.parametrize("shape", ["sphere", "box"])
def test_bounding_sphere(views_of, shape):
    """The estimated sphere contains the object, and is hardly larger than its hull."""
    views = views_of(shape)
    sphere = estimate_bounding_sphere(views)
    points = surface_points(shape)
    assert np.linalg.norm(points - sphere.center, axis=1).max() <= sphere.radius
    hull = np.linalg.norm(solid(views).vertices - sphere.center, axis=1).max()
    assert sphere.radius <= MAX_RELATIVE_RADIUS * hull
    assert sphere.radius <= 1.1 * np.linalg.norm(points, axis=1).max()


def test_bounding_sphere_of_a_small_object():
    """A tiny object between the points of the first grid is found."""
    # The nodes are 3 / 63 apart, the nearest 0.041 from the middle.
    radius = 1.2 * PIXEL
    assert radius < 0.4 * 3 / 63
    sphere = estimate_bounding_sphere([disk_view(v, radius=1.2) for v in fibonacci_sphere(12)])
    # A tenth of a pixel is how well an outline is known.
    assert np.linalg.norm(sphere.center) + radius - 0.1 * PIXEL <= sphere.radius
    assert sphere.radius <= 1.3 * radius


def test_moved_and_scaled_world(views_of):
    """The same capture at another position and in other units gives the same shape."""
    views, offset, scale = views_of("box"), np.array([500.0, -300, 200]), 100.0
    moved = []
    for view in views:
        pose = view.camera_to_world.copy()
        pose[:3, 3] = scale * pose[:3, 3] + offset
        moved.append(replace(view, camera_to_world=pose))
    original, other = estimate_bounding_sphere(views), estimate_bounding_sphere(moved)
    assert other.radius == pytest.approx(scale * original.radius, rel=1e-4)
    assert (np.array(other.center) - offset) / scale == pytest.approx(original.center, abs=1e-4)
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (2000, 3))
    normalization = Normalization.from_sphere(offset, 0.5 * scale)
    # Positions in float32: 1.5 times 2^-24, a few times over.
    distance = hull_distance(moved, points, normalization)
    assert distance == pytest.approx(hull_distance(views, points), abs=1e-5)


def disk_view(direction, radius, shift=0.0):
    """A view along a direction to the origin, with a disk in the mask, shifted down by pixels."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5 - SIZE / 2
    mask = (radius + 0.5 - np.hypot(x, y - shift)).clip(0, 1).astype(np.float32)
    lens = intrinsics_from_fov(SIZE, SIZE, np.radians(40))
    image = np.ones((SIZE, SIZE, 3), np.float32)
    return View("disk", image, mask, lens, look_at(1.5 * np.asarray(direction), (0, 0, 0)))


def test_silhouettes_without_a_common_point():
    """Silhouettes that exclude each other are an error, not an empty mesh."""
    views = [disk_view((1, 0, 0), 8, shift=-25), disk_view((0, 1, 0), 8, shift=25)]
    with pytest.raises(ObjectOutOfFrame, match="2 views"):
        estimate_bounding_sphere(views)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_other_device(views_of):
    """Silhouettes on the GPU give the same distances for points on the CPU."""
    points = torch.rand(1000, 3) - 0.5
    hull = VisualHull.from_views(views_of("box"), SAME, torch.device("cuda"))
    distance = hull.signed_distance(points).numpy()
    assert distance == pytest.approx(hull_distance(views_of("box"), points), abs=1e-5)
