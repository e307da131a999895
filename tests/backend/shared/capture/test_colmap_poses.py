# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's poses: its documentation's sample, and there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shared.capture.colmap_poses import camera_to_world_to_colmap, colmap_to_camera_to_world

numbers = st.floats(-1.0, 1.0)
quaternions = st.tuples(numbers, numbers, numbers, numbers).filter(
    lambda values: np.linalg.norm(values) > 0.1
)


@pytest.mark.parametrize(
    ("qvec", "tvec", "center", "view", "up"),
    [
        ((1, 0, 0, 0), (0, 0, 4), (0, 0, -4), (0, 0, 1), (0, -1, 0)),
        ((0, 1, 0, 0), (0, 0, 4), (0, 0, 4), (0, 0, -1), (0, 1, 0)),
        (
            (0.851773, 0.0165051, 0.503764, -0.142941),
            (-0.737434, 1.02973, 3.74354),
            (3.79695, -0.36138, -1.03482),
            (-0.8629, -0.1159, 0.4919),
            (0.22688, -0.95859, 0.17213),
        ),
    ],
    ids=["identity", "half turn", "colmap documentation"],
)
def test_colmap_poses(qvec, tvec, center, view, up):
    """COLMAP's world-to-camera lines are converted to poses with OpenGL axes."""
    pose = colmap_to_camera_to_world(qvec, tvec)
    assert pose[:3, 3] == pytest.approx(center, abs=5e-5)
    assert -pose[:3, 2] == pytest.approx(view, abs=5e-5)
    assert pose[:3, 1] == pytest.approx(up, abs=5e-5)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1, abs=1e-12)


@given(quaternions, st.tuples(*[st.floats(-100.0, 100.0)] * 3))
def test_there_and_back(quaternion, translation):
    """A pose is the same after it was written and read, half turns among them."""
    pose = colmap_to_camera_to_world(quaternion, translation)
    written = camera_to_world_to_colmap(pose)
    assert colmap_to_camera_to_world(*written) == pytest.approx(pose, rel=0, abs=1e-12)
    assert written[0][0] >= 0.0


def test_rounded_matrices_keep_their_position():
    """Of a rotation in float32 a rotation is written, near to it, and the position far away."""
    pose = colmap_to_camera_to_world((0.3, -0.5, 0.7, 0.2), (400.0, -3e3, 7.0))
    rounded = pose.astype(np.float32).astype(np.float64)
    read = colmap_to_camera_to_world(*camera_to_world_to_colmap(rounded))
    assert read[:3, 3] == pytest.approx(rounded[:3, 3], rel=1e-13)
    assert read[:3, :3] == pytest.approx(pose[:3, :3], abs=2e-7)
    assert read[:3, :3].T @ read[:3, :3] == pytest.approx(np.eye(3), abs=1e-14)
