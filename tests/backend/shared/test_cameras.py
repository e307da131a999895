# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinhole cameras, their rays and poses, and the axes of other programs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shared.cameras import (
    Intrinsics,
    Normalization,
    check_camera_to_world,
    fibonacci_sphere,
    gltf_to_world,
    intrinsics_from_fov,
    look_at,
    meeting_point,
    opencv_to_opengl,
    pixel_rays,
    project,
    world_to_gltf,
)
from backend.shared.capture.colmap_poses import colmap_to_camera_to_world
from backend.shared.errors import BadCamera


def test_nerf_synthetic_angle():
    """The field of view of the NeRF synthetic scenes is Blender's default camera at 800 px."""
    lens = intrinsics_from_fov(800, 800, 0.6911112)
    assert lens.fx == pytest.approx(1111.1111, abs=1e-3)
    assert (lens.fy, lens.cx, lens.cy) == (lens.fx, 400, 400)


def test_scaled_and_cropped_intrinsics_agree():
    """Points project to the same positions in resized or cropped images."""
    lens = Intrinsics(8, 6, 10, 11, 3.5, 3.2)
    points = np.array([(0.2, 0.1, -2.0), (-0.4, 0.3, -3.0)])
    pixels, _ = project(points, lens, np.eye(4))
    scaled, _ = project(points, lens.scaled(16, 24), np.eye(4))
    cropped, _ = project(points, lens.cropped(2, 1, 4, 4), np.eye(4))
    assert scaled == pytest.approx(pixels * (2, 4), abs=1e-12)
    assert cropped == pytest.approx(pixels - (2, 1), abs=1e-12)


def test_projection_of_points_behind_the_camera():
    """Their depth is negative; points in the camera's plane have no pixel."""
    lens = intrinsics_from_fov(10, 10, 1.0)
    pixels, depth = project([(0, 0, 2), (1, 0, 0), (0, 0, -2)], lens, np.eye(4))
    assert depth.tolist() == [-2, 0, 2]
    assert np.isnan(pixels[1]).all()
    assert pixels[2].tolist() == [5, 5]


unit_interval = st.floats(-1, 1)
vectors = st.tuples(unit_interval, unit_interval, unit_interval)
quaternions = st.tuples(*[unit_interval] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(quaternion=quaternions, translation=vectors)
def test_rays_and_projection_are_inverse(quaternion, translation):
    """The point at depth d on a pixel's ray projects to that pixel's center at depth d."""
    pose = colmap_to_camera_to_world(quaternion, translation)
    lens = Intrinsics(5, 4, 6.0, 7.0, 2.2, 1.9)
    origin, directions = pixel_rays(lens, pose)
    pixels, depth = project((origin + 2.5 * directions).reshape(-1, 3), lens, pose)
    rows, columns = np.mgrid[0:4, 0:5] + 0.5
    assert depth == pytest.approx(2.5, abs=1e-12)
    expected = np.stack([columns.ravel(), rows.ravel()], axis=-1)
    assert pixels == pytest.approx(expected, abs=1e-12)


def test_opencv_axes_flip_the_camera_not_the_world():
    """Converting OpenCV axes keeps the camera's position and x axis, and is its own inverse."""
    pose = look_at((1, 2, 3), (0, 0, 0.5))
    flipped = opencv_to_opengl(pose)
    assert (flipped[:, [0, 3]] == pose[:, [0, 3]]).all()
    assert (flipped[:, [1, 2]] == -pose[:, [1, 2]]).all()
    assert (opencv_to_opengl(flipped) == pose).all()


def test_pose_spherical():
    """NeRF's pose_spherical(0, -30, 4) is the camera at that position looking at the origin."""
    pose = look_at((0, 3.4641016, 2), (0, 0, 0))
    assert pose[:3, 2] == pytest.approx((0, 0.866, 0.5), abs=5e-5)
    assert pose[:3, 3] == pytest.approx((0, 3.4641, 2), abs=5e-5)


@given(position=vectors, target=vectors, up=vectors)
def test_look_at_is_a_pose(position, target, up):
    """Any position and target give a right-handed rotation with the target in the image center."""
    distance = math.dist(position, target)
    if distance < 1e-6 or math.hypot(*up) < 1e-6:
        return
    pose = look_at(position, target, up)
    check_camera_to_world(pose, "view")
    lens = intrinsics_from_fov(100, 100, 1.0)
    pixels, depth = project([target], lens, pose)
    assert pixels[0] == pytest.approx((50, 50), abs=1e-6)
    assert depth[0] == pytest.approx(distance, rel=1e-9)


@pytest.mark.parametrize("direction", [(0, 0, 1), (0, 0, -1)])
def test_look_at_along_up(direction):
    """Looking straight down or up keeps the image's right side at the world's +x, or its mirror."""
    pose = look_at(direction, (0, 0, 0))
    assert abs(pose[0, 0]) == pytest.approx(1)
    assert pose[:3, 1] == pytest.approx((0, 1, 0))
    with pytest.raises(ValueError, match="own position"):
        look_at(direction, direction)


def test_marker_is_not_mirrored():
    """The world's right, up and near are right, up and near in the image."""
    pose = look_at((0, -5, 0), (0, 0, 0))
    lens = intrinsics_from_fov(100, 100, 0.5)
    pixels, depth = project([(1, 0, 0), (0, 0, 1), (0, -1, 0)], lens, pose)
    assert pixels[0, 0] > 50
    assert pixels[1, 1] < 50
    assert depth[2] < depth[0]


@pytest.mark.parametrize("count", [0, 1, 2, 16, 100])
def test_fibonacci_sphere_is_even(count):
    """The directions have unit length and cover the sphere evenly."""
    directions = fibonacci_sphere(count)
    assert directions.shape == (count, 3)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)
    assert directions[:, 2].sum() == pytest.approx(0, abs=1e-12)
    if count >= 16:
        cosines = directions @ directions.T - 2 * np.eye(count)
        nearest = np.arccos(cosines.max(axis=1))
        # A cap of area 4 pi / n has the angular radius 2 / sqrt(n); neighbors lie within two.
        assert nearest.min() > 2 / math.sqrt(count)
        assert nearest.max() < 4 / math.sqrt(count)


def test_meeting_point_of_optical_axes():
    """Cameras that look at a point meet there."""
    target = (0.3, -0.2, 0.7)
    poses = [look_at(4 * direction, target) for direction in fibonacci_sphere(5)]
    axes = [-pose[:3, 2] for pose in poses]
    assert meeting_point([p[:3, 3] for p in poses], axes) == pytest.approx(target, abs=1e-12)


def test_meeting_point_of_parallel_lines():
    """For parallel lines the point is between their origins."""
    point = meeting_point([(0, 0, 0), (2, 0, 0)], [(0, 0, 1), (0, 0, 5)])
    assert point == pytest.approx((1, 0, 0))


def test_normalization_of_a_cube():
    """The scale, a camera, a corner, and the inverse."""
    normalization = Normalization.from_sphere((10, -3, 1), math.sqrt(3))
    assert normalization.scale == pytest.approx(0.288675, abs=5e-7)
    pose = check_camera_to_world(look_at((10, -9, 1), (10, -3, 1)), "view")
    moved = normalization.apply_to_pose(pose)
    assert moved[:3, 3] == pytest.approx((0, -1.732051, 0), abs=5e-7)
    assert (moved[:3, :3] == pose[:3, :3]).all()
    corner = normalization.apply((11, -2, 2))
    assert corner == pytest.approx([0.288675] * 3, abs=5e-7)
    assert np.linalg.norm(corner) == pytest.approx(0.5)
    assert normalization.invert(corner) == pytest.approx((11, -2, 2), abs=1e-12)


@given(center=vectors, radius=st.floats(1e-3, 1e3), point=vectors)
def test_normalization_keeps_pixels(center, radius, point):
    """The normalized camera sees normalized points at the same pixels."""
    normalization = Normalization.from_sphere(center, radius, margin=0.05)
    middle = np.array(center)
    rim = normalization.apply(middle + np.array([0, 0, radius]))
    assert np.linalg.norm(rim) == pytest.approx(0.475, rel=1e-9)
    pose = look_at(middle + radius * np.array([0, -3, 1]), middle)
    world = middle + radius * np.array(point) / 2
    lens = intrinsics_from_fov(256, 256, 0.7)
    before, _ = project([world], lens, pose)
    after, _ = project([normalization.apply(world)], lens, normalization.apply_to_pose(pose))
    # Positions near a center of size 1 have too few digits for a radius of 1e-3.
    assert after == pytest.approx(before, abs=1e-6)


def test_gltf_axes():
    """The axes measured with Blender's glTF importer, and the inverse."""
    assert gltf_to_world((0, 1, 0)).tolist() == [0, 0, 1]
    assert gltf_to_world((0, 0, 1)).tolist() == [0, -1, 0]
    points = np.arange(12.0).reshape(2, 2, 3)
    assert (gltf_to_world(world_to_gltf(points)) == points).all()
    assert np.linalg.det(world_to_gltf(np.eye(3))) == 1


def test_check_pose_keeps_correct_poses():
    """A pose of double or single precision is not changed."""
    pose = look_at((1, 2, 3), (0, 0, 0))
    assert (check_camera_to_world(pose.tolist(), "view") == pose).all()
    single = pose.astype(np.float32)
    assert (check_camera_to_world(single, "view") == single).all()
    assert (check_camera_to_world(pose[:3], "view") == pose).all()


def test_check_pose_repairs_rounding():
    """A pose rounded to four decimals is replaced by the nearest rotation."""
    pose = look_at((1, 2, 3), (0, 0, 0))
    repaired = check_camera_to_world(np.round(pose, 4), "view")
    assert repaired == pytest.approx(pose, abs=1e-4)
    assert repaired[:3, :3].T @ repaired[:3, :3] == pytest.approx(np.eye(3), abs=1e-14)


GOOD = look_at((1, 2, 3), (0, 0, 0))
BAD_POSES = {
    "none": (None, "4x4"),
    "text": ("identity", "4x4"),
    "ragged": ([[1, 0, 0, 0], [0, 1]], "4x4"),
    "rotation only": (np.eye(3), "4x4"),
    "nan": (GOOD * np.where(np.eye(4), np.nan, 1), "not finite"),
    "infinite": (GOOD + np.diag([np.inf, 0, 0, 0]), "not finite"),
    "transposed": (GOOD.T, "last row"),
    "zero": (np.diag([0, 0, 0, 1]), "not a rotation"),
    "scaled": (GOOD @ np.diag([2, 2, 2, 1]), "not a rotation"),
    "slightly scaled": (GOOD @ np.diag([1.002, 1.002, 1.002, 1]), "not a rotation"),
    "sheared": (GOOD + np.eye(4, k=1) * [0, 0.1, 0, 0], "not a rotation"),
    "mirrored": (GOOD @ np.diag([-1, 1, 1, 1]), "mirrors"),
}


@pytest.mark.parametrize(("matrix", "message"), BAD_POSES.values(), ids=BAD_POSES.keys())
def test_check_pose_rejects_wrong_matrices(matrix, message):
    """A matrix that is not a pose is an error with the view's name and a remedy."""
    with pytest.raises(BadCamera, match=message) as caught:
        check_camera_to_world(matrix, "chair_07")
    assert "chair_07" in caught.value.message
    assert caught.value.remedy
