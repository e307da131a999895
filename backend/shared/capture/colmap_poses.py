# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as COLMAP writes them: from world to camera, a quaternion and a translation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..cameras import opencv_to_opengl

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..cameras import Floats


def colmap_to_camera_to_world(qvec_wxyz: ArrayLike, tvec: ArrayLike) -> Floats:
    """The pose [4, 4] of a line in COLMAP's images.txt, with OpenGL camera axes, in COLMAP's world.

    Args:
        qvec_wxyz: [4], rotation from world to camera as a quaternion, scalar first.
        tvec: [3], translation from world to camera.
    """
    world_to_camera = _rotation(np.asarray(qvec_wxyz, dtype=np.float64))
    pose = np.eye(4)
    pose[:3, :3] = world_to_camera.T
    pose[:3, 3] = -world_to_camera.T @ np.asarray(tvec, dtype=np.float64)
    return opencv_to_opengl(pose)


def camera_to_world_to_colmap(camera_to_world: ArrayLike) -> tuple[Floats, Floats]:
    """The inverse of `colmap_to_camera_to_world`: a unit quaternion [4] and a translation [3].

    Where the matrix is a rotation up to rounding only, the quaternion is one; the position is kept.
    """
    pose = opencv_to_opengl(camera_to_world)
    (a, b, c), (d, e, f), (g, h, i) = pose[:3, :3].T
    # 4 q q^T, whose rows are multiples of q: the longest one is the most exact.
    products = np.array(
        [
            [1 + a + e + i, h - f, c - g, d - b],
            [h - f, 1 + a - e - i, b + d, c + g],
            [c - g, b + d, 1 - a + e - i, f + h],
            [d - b, c + g, f + h, 1 - a - e + i],
        ]
    )
    longest = products[int(np.argmax(products.diagonal()))]
    quaternion: Floats = longest / np.copysign(np.linalg.norm(longest), longest[0])
    return quaternion, -_rotation(quaternion) @ pose[:3, 3]


def _rotation(quaternion: Floats) -> Floats:
    """The rotation [3, 3] of a quaternion [4] of any length but zero, scalar first."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
