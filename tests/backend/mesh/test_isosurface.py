# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Isosurfaces of signed distances with a known zero level set."""

from __future__ import annotations

import math

import pytest
import torch
import trimesh
from skimage.measure import marching_cubes

from backend.field.config import HALF_SIDE
from backend.mesh.isosurface import extract_isosurface
from backend.shared.errors import Cancelled, NoSurface
from backend.shared.progress import Progress

CELLS = 64
STEP = 2 * HALF_SIDE / CELLS
CENTER = torch.tensor([0.06, -0.03, 0.1])


def sphere(points, radius=0.4):
    """Distance to a sphere that is not in the middle."""
    return (points - CENTER).norm(dim=1) - radius


def torus(points):
    """Distance to a ring around the z axis, 0.3 wide and 0.1 thick."""
    around = torch.hypot(points[:, 0], points[:, 1]) - 0.3
    return torch.hypot(around, points[:, 2]) - 0.1


def extract(distance, cells=CELLS, progress=None):
    return extract_isosurface(distance, HALF_SIDE, cells, progress or Progress())


def as_trimesh(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


# Linear interpolation along an edge of length h misses a function with second derivative k by at
# most k h^2 / 8; k is the largest curvature, one over the smallest radius. Volumes follow from
# moving the whole surface by that much; triangles cut off another half of it.
@pytest.mark.parametrize(
    ("distance", "radius", "volume", "area"),
    [
        (sphere, 0.4, 4 / 3 * math.pi * 0.4**3, 4 * math.pi * 0.4**2),
        (torus, 0.1, 2 * math.pi**2 * 0.3 * 0.1**2, 4 * math.pi**2 * 0.3 * 0.1),
    ],
    ids=["sphere", "torus"],
)
def test_surface_lies_where_it_should(distance, radius, volume, area):
    """The surface is closed, faces outward and lies within a fraction of a cell of the true one."""
    mesh = extract(distance)
    error = STEP**2 / (8 * radius)
    off = distance(torch.from_numpy(mesh.vertices)).abs().max().item()
    assert off <= error + 1e-6  # of float32
    assert off <= 0.05 * STEP
    solid = as_trimesh(mesh)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    # The middle of a chord of length sqrt(3) h lies 3 h^2 / (8 r) below the arc.
    assert solid.volume == pytest.approx(volume, abs=4 * error * area)


def test_orientation_and_axes():
    """x, y and z come out as they went in."""
    mesh = extract(lambda points: torch.maximum(torus(points), points[:, 0]))
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert low == pytest.approx([-0.4, -0.4, -0.1], abs=STEP)
    assert high == pytest.approx([0.0, 0.4, 0.1], abs=STEP)


@pytest.mark.parametrize("distance", [sphere, torus])
def test_narrow_band_is_enough(distance):
    """Evaluating near the surface only gives the very mesh that evaluating everywhere gives."""
    evaluated = 0

    def counted(points):
        nonlocal evaluated
        evaluated += len(points)
        return distance(points)

    mesh = extract(counted)
    axis = torch.linspace(-HALF_SIDE, HALF_SIDE, CELLS + 1)
    everywhere = distance(torch.cartesian_prod(axis, axis, axis)).reshape((CELLS + 1,) * 3)
    vertices, faces, _, _ = marching_cubes(everywhere.numpy(), 0.0)
    assert mesh.vertices == pytest.approx(vertices * STEP - HALF_SIDE, abs=1e-3 * STEP)
    assert (mesh.faces == faces).all()
    assert evaluated < 0.5 * (CELLS + 1) ** 3


@pytest.mark.parametrize("value", [1.0, -1.0, 0.0])
def test_no_surface(value):
    """A volume that is all outside or all inside has no surface, and says so."""
    with pytest.raises(NoSurface):
        extract(lambda points: torch.full_like(points[:, 0], value))


def test_border_of_the_box_closes_the_surface():
    """What reaches beyond the box is cut off there, and still closed."""
    solid = as_trimesh(extract(lambda points: points[:, 2] - 0.1))
    assert solid.is_watertight
    # The closing faces lie up to a cell outside the box.
    side = 2 * HALF_SIDE
    closing = side**2 + 4 * side * (HALF_SIDE + 0.1)
    assert 0 <= solid.volume - side**2 * (HALF_SIDE + 0.1) <= closing * STEP


@pytest.mark.parametrize("plane", [0.0, 0.013, -0.201])
def test_jump_closes_the_surface(plane):
    """Where the distance jumps, as at the end of what the views see, the surface has no hole."""

    def seen_below(points):
        side = points @ torch.tensor([0.6, 0.0, 0.8]) - plane
        return torch.where(side > 0, torch.full_like(side, 1e3), sphere(points))

    # Between up to -0.8 and 1000 the zero lies less than a thousandth of an edge away.
    solid = as_trimesh(extract(seen_below))
    assert solid.is_watertight
    assert solid.volume > 0
    assert (solid.vertices @ [0.6, 0.0, 0.8]).max() <= plane + 2e-3 * STEP


def test_resolution_is_rounded_up():
    """The number of cells is rounded up to a multiple of four."""
    assert len(extract(sphere, 29).faces) == len(extract(sphere, 32).faces)
    assert len(extract(sphere, 33).faces) > len(extract(sphere, 32).faces)


def test_cancel():
    """A cancel stops the extraction."""
    cancelled = Progress()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        extract(sphere, progress=cancelled)
