# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cleaning takes away, and what it must not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from backend.field.config import HALF_SIDE
from backend.mesh.cleaning import decimate, keep_solid_parts
from backend.mesh.isosurface import extract_isosurface
from backend.mesh.triangle_mesh import TriangleMesh
from backend.shared.errors import NoSurface
from backend.shared.progress import Progress


def ball(points, radius, center=(0.0, 0.0, 0.0)):
    return (points - torch.tensor(center)).norm(dim=1) - radius


def extract(distance, cells=64):
    return extract_isosurface(distance, HALF_SIDE, cells, Progress())


def as_trimesh(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def volumes(mesh):
    """The volumes of the loose pieces, the largest first."""
    pieces = as_trimesh(mesh).split(only_watertight=False)
    return sorted((piece.volume for piece in pieces), reverse=True)


def sphere_volume(radius):
    return 4 / 3 * math.pi * radius**3


def test_hidden_cavity_is_removed():
    """A closed cavity is filled; the outside stays as it is."""
    hollow = extract(lambda points: torch.maximum(ball(points, 0.4), -ball(points, 0.2)))
    assert len(volumes(hollow)) == 2
    solid = keep_solid_parts(hollow)
    assert volumes(solid) == pytest.approx([sphere_volume(0.4)], rel=0.01)
    assert len(solid.vertices) == len(np.unique(solid.faces))


def test_floaters_are_removed():
    """Specks beside the object go: 0.03 beside 0.4 is 0.6 % of the surface."""
    speckled = extract(
        lambda points: torch.minimum(ball(points, 0.4), ball(points, 0.03, (0.4, 0.4, 0.4)))
    )
    assert len(volumes(speckled)) == 2
    assert volumes(keep_solid_parts(speckled)) == pytest.approx([sphere_volume(0.4)], rel=0.01)


def test_two_parts_are_kept():
    """An object of two parts of comparable sizes keeps both."""
    pair = extract(
        lambda points: torch.minimum(
            ball(points, 0.25, (-0.25, 0.0, 0.0)), ball(points, 0.15, (0.3, 0.0, 0.0))
        )
    )
    expected = [sphere_volume(0.25), sphere_volume(0.15)]
    assert volumes(keep_solid_parts(pair)) == pytest.approx(expected, rel=0.01)


def test_nothing_left():
    """A surface that is all inside out leaves nothing, and says so."""
    mesh = extract(lambda points: ball(points, 0.4))
    with pytest.raises(NoSurface):
        keep_solid_parts(TriangleMesh(mesh.vertices, mesh.faces[:, ::-1]))


def test_pieces_far_from_the_origin():
    """Whether a piece faces inward does not depend on where it stands."""
    mesh = extract(lambda points: ball(points, 0.4))
    moved = TriangleMesh(mesh.vertices + np.array([1e3, -1e3, 1e3]), mesh.faces)
    assert len(keep_solid_parts(moved).faces) == len(mesh.faces)


def slab(points):
    """Distance to a flat box, almost all of whose triangles can go."""
    return (points.abs() - torch.tensor([0.4, 0.4, 0.1])).amax(dim=1)


@pytest.mark.parametrize("faces", [5000, 500])
@pytest.mark.parametrize("distance", [lambda points: ball(points, 0.4), slab], ids=["ball", "slab"])
def test_decimation(distance, faces):
    """The requested number of faces is reached, and the surface stays closed and where it was."""
    mesh = extract(distance, 128)
    small = decimate(mesh, faces)
    # Collapsing an edge takes two faces.
    assert faces - 2 <= len(small.faces) <= faces
    assert as_trimesh(small).is_watertight
    assert as_trimesh(small).volume == pytest.approx(as_trimesh(mesh).volume, rel=0.01)
    # A sphere of radius r in n triangles: each of edge e, area sqrt(3)/4 e^2 = 4 pi r^2 / n, whose
    # middle lies e^2 / (6 r) below the sphere; three times that for triangles sqrt(3) times as
    # long. A quarter of a cell is what extraction takes off the slab's edges.
    edge_squared = 16 * math.pi * 0.4**2 / (math.sqrt(3) * faces)
    off = distance(torch.from_numpy(small.vertices)).abs().max().item()
    assert off <= 3 * edge_squared / (6 * 0.4) + 0.25 * 1.05 / 128


def test_small_mesh_is_left_alone():
    """A mesh with few enough faces is not touched."""
    mesh = extract(lambda points: ball(points, 0.4), 16)
    assert decimate(mesh, len(mesh.faces)) is mesh


def test_turned_boxes_do_not_cave_in():
    """Flat sides that are not parallel to the axes stay flat, however few faces are requested.

    Their thousands of edges cost nearly nothing; a corner is cut by at most a cell's diagonal.
    """
    turn = torch.from_numpy(Rotation.from_euler("xyz", [0.35, 0.5, 0.7]).as_matrix()).float()

    def toy(points):
        beyond = (points @ turn).abs() - torch.tensor([0.3, 0.2, 0.1])
        box = beyond.clamp(min=0).norm(dim=1) + beyond.amax(1).clamp(max=0)
        return torch.minimum(box, ball(points, 0.15, (0.0, 0.0, 0.25)))

    mesh = extract(toy, 128)
    small = decimate(mesh, 500)
    assert as_trimesh(small).volume == pytest.approx(as_trimesh(mesh).volume, rel=0.01)
    off = toy(torch.from_numpy(small.vertices).float()).abs().max().item()
    assert off < math.sqrt(3) * 2 * HALF_SIDE / 128
