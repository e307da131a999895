# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that is guessed from cameras: up, center, scale and front."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from backend.photographs.world import guess_world
from backend.shared.cameras import look_at


def test_world_of_level_cameras():
    """Level cameras of any height in a world turned, moved and scaled have +z up again."""
    angles = np.linspace(0.0, 5.0, 9)
    heights = np.tile((0.2, 1.5, 3.0), 3)
    poses = [
        look_at((3 * np.cos(a), 3 * np.sin(a), h), (0, 0, 0))
        for a, h in zip(angles, heights, strict=True)
    ]
    turn = Rotation.from_rotvec((0.4, -1.2, 2.0)).as_matrix()
    moved = []
    for pose in poses:
        other = pose.copy()
        other[:3, :3] = turn @ pose[:3, :3]
        other[:3, 3] = 7.0 * turn @ pose[:3, 3] + (1.0, 2.0, 3.0)
        moved.append(other)
    world = guess_world(moved)
    assert world.is_up_certain
    assert world.center == pytest.approx((1.0, 2.0, 3.0))
    found = [world.apply_to_pose(pose) for pose in moved]
    distances = [np.linalg.norm(pose[:3, 3]) for pose in found]
    assert np.mean(distances) == pytest.approx(1.0)
    for pose, true in zip(found, poses, strict=True):
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
        # Up is up again, and the first camera is in front.
        assert pose[2, :3] == pytest.approx(true[2, :3], abs=1e-9)
        assert pose[2, 3] == pytest.approx(true[2, 3] * distances[0] / np.hypot(3, 0.2), abs=1e-9)
    assert found[0][0, 3] == pytest.approx(0.0, abs=1e-9)
    assert found[0][1, 3] < 0.0


def test_rolled_cameras():
    """Where cameras are rolled in all ways, up is uncertain."""
    directions = np.random.default_rng(0).normal(size=(20, 3))
    rolls = np.random.default_rng(1).normal(size=(20, 3))
    poses = [look_at(3 * d, (0, 0, 0), up) for d, up in zip(directions, rolls, strict=True)]
    assert not guess_world(poses).is_up_certain


def test_cameras_above():
    """A camera straight above the object has a front, too."""
    poses = [look_at((0, 0, 2), (0, 0, 0)), look_at((0.5, 0, 2), (0, 0, 0))]
    world = guess_world(poses)
    assert np.isfinite(world.rotation).all()
    assert world.rotation @ world.rotation.T == pytest.approx(np.eye(3))
