# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up follows from level cameras, and a result is turned by its node only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.shared.cameras import fibonacci_sphere, look_at, opencv_to_opengl
from backend.shared.up_axis import choose_up, estimate_up, stored_rotation

Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0, 0, 0, 1.0]])
"""From a +z up world to a +y up one."""


def poses_around(count=12, world=None, roll=0.0):
    """Level cameras around an object in a +z up world, moved to another; roll in degrees."""
    generator = np.random.default_rng(0)
    poses = []
    for direction in fibonacci_sphere(count):
        pose = look_at(2.0 * direction, (0.0, 0.0, 0.0))
        angle = np.radians(roll) * generator.normal()
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        poses.append((np.eye(4) if world is None else world) @ pose @ turn)
    return poses


def test_z_up_cameras_change_nothing():
    """In a +z up world the direction is exactly +z, also if the cameras roll a little."""
    for roll in (0.0, 3.0):
        up = choose_up("auto", poses_around(roll=roll), own=False)
        assert up.is_z
        assert up.source == "cameras"
        assert up.warnings() == ()
        np.testing.assert_array_equal(up.rotation, np.eye(3))


def test_y_up_cameras():
    """In a +y up world the direction is +y, and its rotation takes y to z."""
    up = choose_up("auto", poses_around(world=Y_UP), own=False)
    np.testing.assert_array_equal(up.direction, (0.0, 1.0, 0.0))
    np.testing.assert_allclose(up.rotation @ (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), atol=1e-12)
    assert "--up z" in up.warnings()[0]


@pytest.mark.parametrize("up", [(0, 0, -1), (0, -1, 0), (1, 0, 0), (0.6, 0.0, 0.8), (1, 2, -2)])
def test_any_direction(up):
    """Worlds upside down, as of COLMAP, or turned at random."""
    direction = np.array(up) / np.linalg.norm(up)
    world = np.eye(4)
    world[:3, :3] = look_at(direction, (0, 0, 0))[:3, :3]
    found = estimate_up(poses_around(world=world, roll=2.0))
    assert found is not None
    assert found.direction @ direction > np.cos(np.radians(2.0))
    np.testing.assert_allclose(found.rotation @ found.direction, (0, 0, 1), atol=1e-9)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_one_ring_of_a_turntable():
    """A ring of level cameras says which way is up."""
    angles = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
    ring = [look_at((2 * np.cos(a), 2 * np.sin(a), 0.8), (0, 0, 0)) for a in angles]
    found = estimate_up([Y_UP @ pose for pose in ring])
    assert found is not None
    np.testing.assert_array_equal(found.direction, (0.0, 1.0, 0.0))


def test_cameras_that_do_not_say():
    """Cameras that roll at random, or hang upside down and upright, keep +z."""
    rolled = choose_up("auto", poses_around(world=Y_UP, roll=90.0), own=False)
    both = poses_around(world=Y_UP)
    both[::2] = [pose @ np.diag([-1.0, -1.0, 1.0, 1.0]) for pose in both[::2]]
    for up in (rolled, choose_up("auto", both, own=False)):
        assert up.is_z
        assert up.source == "assumed"


def test_stated_axes():
    """A stated axis is used whatever the cameras say, and LSRM's own captures are +z up."""
    poses = poses_around(world=Y_UP)
    assert choose_up("z", poses, own=False).is_z
    assert choose_up("auto", poses, own=True).is_z
    up = choose_up("y", [opencv_to_opengl(pose) for pose in poses], own=True)
    np.testing.assert_array_equal(up.direction, (0.0, 1.0, 0.0))
    assert up.warnings() == ()


def test_stored_rotation(tmp_path):
    """The rotation of a result comes from its report; any other mesh has none."""
    mesh = tmp_path / "mesh.glb"
    np.testing.assert_array_equal(stored_rotation(mesh), np.eye(3))
    for text in ("{}", "[]", "{", '{"up": {"rotation": 3}}'):
        (tmp_path / "report.json").write_text(text)
        np.testing.assert_array_equal(stored_rotation(mesh), np.eye(3))
    up = choose_up("y", poses_around(), own=False)
    (tmp_path / "report.json").write_text(json.dumps({"up": up.to_dict()}))
    np.testing.assert_allclose(stored_rotation(mesh), up.rotation, atol=1e-8)
