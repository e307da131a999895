# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinhole cameras, their poses and rays, and the conventions of other programs.

One convention throughout. A camera's axes are OpenGL's and Blender's: +x right, +y up, it looks
along -z, and `camera_to_world` maps camera coordinates to the world. Pixel coordinates are
continuous: (0, 0) is the upper-left corner of the image, u points right, v points down, and the
center of pixel (column, row) lies at (column + 0.5, row + 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .errors import BadCamera

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]

# A rotation written with four decimals is this near to orthonormal; a scaled object's is not.
ROTATION_TOLERANCE = 1e-3
# A rotation that is orthonormal to the precision of float32 is not changed.
ROTATION_NOISE = 1e-6
# Lengths beyond this, or below its reciprocal, are errors: the distance between two atoms, and the
# way to the stars. Powers of what is computed from them stay within the range of float32.
MAX_LENGTH = 1e12
# Focal lengths in units of the longer side of the image: fields of view from 179.9 degrees to a
# fifth of an arc second. The principal point lies within so many sides.
MIN_FOCAL, MAX_FOCAL = 1e-3, 1e6
MAX_OFF_CENTER = 1e3
# Of the sphere around the object, in model space.
MODEL_RADIUS = 0.5
WEISZFELD_STEPS = 30


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without its pose.

    Attributes:
        width: of the image, in pixels.
        height: of the image, in pixels.
        fx: focal length, in units of a pixel's width.
        fy: focal length, in units of a pixel's height.
        cx: of the principal point, in pixels from the left edge of the image.
        cy: of the principal point, in pixels from the upper edge of the image.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, width: int, height: int) -> Intrinsics:
        """The intrinsics of the image resized to another number of pixels."""
        x, y = width / self.width, height / self.height
        return Intrinsics(width, height, self.fx * x, self.fy * y, self.cx * x, self.cy * y)

    def limited(self, max_size: int | None) -> Intrinsics:
        """The intrinsics of the image averaged down to a longest side of `max_size` pixels."""
        longest = max(self.width, self.height)
        if max_size is None or longest <= max_size:
            return self
        scale = max_size / longest
        return self.scaled(max(1, round(self.width * scale)), max(1, round(self.height * scale)))

    def cropped(self, left: float, top: float, width: int, height: int) -> Intrinsics:
        """The intrinsics of a part of the image; its upper-left corner is (left, top) in pixels."""
        return Intrinsics(width, height, self.fx, self.fy, self.cx - left, self.cy - top)


def intrinsics_from_fov(width: int, height: int, fov_x: float) -> Intrinsics:
    """Intrinsics with square pixels and a centered principal point.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        fov_x: horizontal field of view, in radians.
    """
    focal = 0.5 * width / math.tan(0.5 * fov_x)
    return Intrinsics(width, height, focal, focal, 0.5 * width, 0.5 * height)


def check_intrinsics(lens: Intrinsics, name: str) -> Intrinsics:
    """Check that focal lengths and principal point are in the range of real cameras.

    Args:
        lens: of an image with one pixel or more.
        name: of the view, for error messages.

    Raises:
        BadCamera: if they are not.
    """
    side = max(lens.width, lens.height)
    if not MIN_FOCAL * side <= min(lens.fx, lens.fy) <= max(lens.fx, lens.fy) <= MAX_FOCAL * side:
        raise BadCamera(
            f"View {name} has focal lengths of {lens.fx:.4g} and {lens.fy:.4g} pixels, which no "
            f"camera has whose image is {lens.width} x {lens.height} pixels.",
            "Give fl_x and fl_y in pixels, camera_angle_x in radians and x_fov in degrees.",
        )
    if max(abs(lens.cx), abs(lens.cy)) > MAX_OFF_CENTER * side:
        raise BadCamera(
            f"View {name} has its principal point at ({lens.cx:.4g}, {lens.cy:.4g}), far outside "
            f"its image of {lens.width} x {lens.height} pixels.",
            "Give cx and cy in pixels from the upper-left corner, or omit both.",
        )
    return lens


def check_camera_to_world(matrix: Any, name: str) -> Floats:
    """Check a pose and return it as an array.

    Args:
        matrix: 4 rows (or the upper 3) of 4 numbers, camera to world, OpenGL axes.
        name: of the view, for error messages.

    Returns:
        [4, 4]; a coarsely rounded rotation is made orthonormal.

    Raises:
        BadCamera: if it is not 4x4, contains NaN or infinity, or is not a rotation and translation.
    """
    pose = _pose_array(matrix, name)
    if not (np.abs(pose) < MAX_LENGTH).all():
        raise BadCamera(
            f"The camera pose of view {name} has a number that is not finite or too large.",
            "Remove the view from transforms.json or export its pose again.",
        )
    if np.abs(pose[3] - (0.0, 0.0, 0.0, 1.0)).max() > ROTATION_TOLERANCE:
        raise BadCamera(
            f"The last row of the camera pose of view {name} is {pose[3].tolist()}, not 0 0 0 1.",
            "Write camera-to-world matrices in row order; this one may be transposed.",
        )
    pose[:3, :3] = _checked_rotation(pose[:3, :3], name)
    return pose


def _pose_array(matrix: Any, name: str) -> Floats:
    """Nested lists or an array as [4, 4]; the last row may be missing."""
    try:
        pose = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pose = np.empty(0)
    if pose.shape == (3, 4):
        pose = np.vstack([pose, (0.0, 0.0, 0.0, 1.0)])
    if pose.shape != (4, 4):
        raise BadCamera(
            f"The camera pose of view {name} is not a matrix of 4x4 numbers.",
            "Give every frame a transform_matrix of four rows with four numbers each.",
        )
    return pose


def _checked_rotation(rotation: Floats, name: str) -> Floats:
    """The rotation [3, 3] nearest to a matrix that may only have rounding errors.

    Raises:
        BadCamera: if it is mirrored, scaled or sheared.
    """
    deviation = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    # Not by LAPACK, which divides by pivots of zero.
    determinant = float(rotation[0] @ np.cross(rotation[1], rotation[2]))
    if determinant < 0.0:
        raise BadCamera(
            f"The camera pose of view {name} mirrors the world (determinant {determinant:.4g}).",
            "Export camera-to-world matrices with right-handed axes and no negative scale.",
        )
    if deviation > ROTATION_TOLERANCE:
        raise BadCamera(
            f"The camera pose of view {name} is not a rotation: it is scaled or sheared "
            f"(error {deviation:.3g}, determinant {determinant:.4g}).",
            "Remove the scale of the camera and of its parents, then export the poses again.",
        )
    if deviation <= ROTATION_NOISE:
        return rotation
    left, _, right = np.linalg.svd(rotation)
    nearest: Floats = left @ right
    return nearest


def pinhole_projection(x: Any, y: Any, depth: Any, intrinsics: Intrinsics) -> tuple[Any, Any]:
    """The pixels (u, v) of points in camera coordinates.

    u = cx + fx * x / depth, v = cy - fy * y / depth. For numbers, numpy arrays and PyTorch tensors.

    Args:
        x: to the right.
        y: up.
        depth: -z, along the optical axis.
        intrinsics: of the camera.
    """
    u = intrinsics.cx + intrinsics.fx * x / depth
    v = intrinsics.cy - intrinsics.fy * y / depth
    return u, v


def pinhole_ray(u: Any, v: Any, intrinsics: Intrinsics) -> tuple[Any, Any]:
    """The (x, y) in camera coordinates that appear at the pixels (u, v), at depth 1."""
    return (u - intrinsics.cx) / intrinsics.fx, (intrinsics.cy - v) / intrinsics.fy


def project(
    points: ArrayLike, intrinsics: Intrinsics, camera_to_world: ArrayLike
) -> tuple[Floats, Floats]:
    """Project points of the world into the image.

    Args:
        points: [n, 3], world.
        intrinsics: of the camera.
        camera_to_world: [4, 4].

    Returns:
        pixels [n, 2] (u, v), NaN for points in the camera's own plane, and depth [n] along the
        optical axis, positive in front of the camera.
    """
    pose = np.asarray(camera_to_world, dtype=np.float64)
    local = (np.asarray(points, dtype=np.float64) - pose[:3, 3]) @ pose[:3, :3]
    depth = -local[:, 2]
    distance = np.where(depth == 0.0, np.nan, depth)
    pixels = pinhole_projection(local[:, 0], local[:, 1], distance, intrinsics)
    return np.stack(pixels, axis=-1), depth


def pixel_rays(intrinsics: Intrinsics, camera_to_world: ArrayLike) -> tuple[Floats, Floats]:
    """The rays through the centers of all pixels, in the world.

    Returns:
        origin [3] and directions [height, width, 3]. The directions are not normalized:
        `origin + depth * direction` has that depth along the optical axis.
    """
    pose = np.asarray(camera_to_world, dtype=np.float64)
    x = (np.arange(intrinsics.width) + 0.5 - intrinsics.cx) / intrinsics.fx
    # Not `pinhole_ray`: cy - row - 0.5 and cy - (row + 0.5) may differ in the last bit.
    y = (intrinsics.cy - np.arange(intrinsics.height) - 0.5) / intrinsics.fy
    local = np.empty((intrinsics.height, intrinsics.width, 3))
    local[..., 0] = x
    local[..., 1] = y[:, None]
    local[..., 2] = -1.0
    return pose[:3, 3].copy(), local @ pose[:3, :3].T


def opencv_to_opengl(camera_to_world: ArrayLike) -> Floats:
    """Convert a pose from OpenCV's camera axes (+y down, looks along +z) to OpenGL's, or back.

    The axes of the camera change, so the matrix is multiplied from the right; from the left it
    would change the world.
    """
    flipped: Floats = np.asarray(camera_to_world, dtype=np.float64) * (1.0, -1.0, -1.0, 1.0)
    return flipped


def fibonacci_sphere(count: int) -> Floats:
    """Evenly distributed unit vectors [count, 3]: a spiral of golden-angle steps from +z to -z."""
    index = np.arange(count)
    z = 1.0 - (2.0 * index + 1.0) / max(count, 1)
    azimuth = index * math.pi * (3.0 - math.sqrt(5.0))
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), z], axis=-1)


def look_at(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Floats:
    """The pose [4, 4] of a camera at a position that looks at a target.

    If it looks along `up`, the world's +y is used for `up`, as in Blender's top view.

    Raises:
        ValueError: if position and target coincide.
    """
    eye = np.asarray(position, dtype=np.float64)
    backward = eye - np.asarray(target, dtype=np.float64)
    distance = float(np.linalg.norm(backward))
    if distance == 0.0:
        raise ValueError("a camera cannot look at its own position")
    backward = backward / distance
    right = np.zeros(3)
    for direction in (up, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)):
        right = np.cross(np.asarray(direction, dtype=np.float64), backward)
        if np.linalg.norm(right) > 1e-6 * np.linalg.norm(direction):
            break
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(backward, right), backward], axis=-1)
    pose[:3, 3] = eye
    return pose


def meeting_point(
    origins: ArrayLike, directions: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """The point [3] with the smallest weighted sum of squared distances to lines.

    Solves sum_i w_i (I - d_i d_i^T) (x - o_i) = 0. For parallel lines the solution is
    not unique; it is the one nearest to the mean origin.

    Args:
        origins: [n, 3], a point on each line.
        directions: [n, 3], of any length except zero.
        weights: [n]; equal by default.
    """
    start = np.asarray(origins, dtype=np.float64)
    unit = np.asarray(directions, dtype=np.float64)
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    weight = np.ones(len(unit)) if weights is None else np.asarray(weights, dtype=np.float64)
    across = weight[:, None, None] * (np.eye(3) - unit[:, :, None] * unit[:, None, :])
    middle = start.mean(axis=0)
    pull = np.einsum("nij,nj->i", across, start - middle)
    offset = np.linalg.lstsq(across.sum(axis=0), pull, rcond=1e-9)[0]
    point: Floats = middle + offset
    return point


def nearest_point_to_rays(origins: Floats, directions: Floats) -> Floats:
    """The point [3] with the smallest sum of distances, not squared, to lines.

    It is robust against a minority of wrong lines. Weiszfeld's algorithm: repeated least squares
    with weights 1 / distance.

    Args:
        origins: [n, 3], a point on each line.
        directions: [n, 3], of any length except zero.
    """
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    point = meeting_point(origins, unit)
    for _ in range(WEISZFELD_STEPS):
        offset = point - origins
        along = (offset * unit).sum(axis=-1, keepdims=True) * unit
        distance = np.linalg.norm(offset - along, axis=-1)
        floor = 1e-6 * float(np.linalg.norm(offset, axis=-1).mean()) + 1e-300
        point = meeting_point(origins, unit, 1.0 / np.maximum(distance, floor))
    return point


@dataclass(frozen=True)
class Normalization:
    """The similarity that maps the world to model space, where the object has a radius of 0.5.

    x_model = scale * (x_world - center). Rotations and intrinsics do not change.

    Attributes:
        center: of the object, world.
        scale: model units per world unit.
    """

    center: tuple[float, float, float]
    scale: float

    @classmethod
    def from_sphere(cls, center: ArrayLike, radius: float, margin: float = 0.0) -> Normalization:
        """The normalization that maps a sphere of the world to the radius 0.5 * (1 - margin)."""
        x, y, z = np.asarray(center, dtype=np.float64).tolist()
        return cls((x, y, z), MODEL_RADIUS * (1.0 - margin) / radius)

    def apply(self, points: ArrayLike) -> Floats:
        """Points [..., 3] of the world in model space."""
        moved: Floats = self.scale * (np.asarray(points, dtype=np.float64) - self.center)
        return moved

    def invert(self, points: ArrayLike) -> Floats:
        """Points [..., 3] of model space in the world."""
        moved: Floats = np.asarray(points, dtype=np.float64) / self.scale + self.center
        return moved

    def apply_to_pose(self, camera_to_world: ArrayLike) -> Floats:
        """The pose [4, 4] of a camera in model space; its rotation does not change."""
        pose = np.array(camera_to_world, dtype=np.float64)
        pose[:3, 3] = self.apply(pose[:3, 3])
        return pose


def world_to_gltf(points: ArrayLike) -> Floats:
    """Convert points or normals [..., 3] from +z up to glTF's +y up: (x, z, -y)."""
    world = np.asarray(points, dtype=np.float64)
    return np.stack([world[..., 0], world[..., 2], -world[..., 1]], axis=-1)


def gltf_to_world(points: ArrayLike) -> Floats:
    """The inverse of `world_to_gltf`: (x, -z, y)."""
    gltf = np.asarray(points, dtype=np.float64)
    return np.stack([gltf[..., 0], -gltf[..., 2], gltf[..., 1]], axis=-1)
