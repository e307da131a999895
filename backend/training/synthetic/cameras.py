# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random cameras around the sphere of the object, and the rays of their pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from ...shared.cameras import MODEL_RADIUS, fibonacci_sphere, intrinsics_from_fov, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

NARROWEST, WIDEST = 22.0, 55.0
"""Fields of view, in degrees."""

HIGHEST = 0.97
"""Of the height of a camera, relative to its distance: above, up has no meaning."""


@dataclass(frozen=True)
class Cameras:
    """Square views of one size.

    Attributes:
        size: of the images, in pixels.
        camera_to_world: [views, 4, 4] float64.
        intrinsics: [views, 4] float64, fx, fy, cx, cy.
    """

    size: int
    camera_to_world: Floats
    intrinsics: Floats

    @property
    def pixel(self) -> float:
        """About the width of a pixel at the object, in model units."""
        away = np.linalg.norm(self.camera_to_world[:, :3, 3], axis=1)
        return float((away / self.intrinsics[:, 0]).mean())

    def chunks(self, views: int) -> Iterator[Cameras]:
        """The cameras, some views at a time."""
        for start in range(0, len(self.intrinsics), views):
            part = slice(start, start + views)
            yield Cameras(self.size, self.camera_to_world[part], self.intrinsics[part])

    def rays(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rays through the corners, the middles of the edges and the centers of all pixels.

        Returns:
            origins [views, 3] and unit directions [views, 2 size + 1, 2 size + 1, 3]; the center of
            pixel (row, column) is at (2 row + 1, 2 column + 1).
        """
        steps = np.arange(2 * self.size + 1) * 0.5
        fx, fy, cx, cy = (each[:, None, None] for each in self.intrinsics.T)
        x, y = np.broadcast_arrays((steps - cx) / fx, (cy - steps[:, None]) / fy)
        local = np.stack([x, y, np.full_like(x, -1.0)], axis=-1)
        local /= np.linalg.norm(local, axis=-1, keepdims=True)
        world = np.einsum("vij,vrcj->vrci", self.camera_to_world[:, :3, :3], local)
        origins = torch.from_numpy(self.camera_to_world[:, :3, 3]).float()
        return origins.to(device), torch.from_numpy(world).float().to(device)


def random_cameras(random: np.random.Generator, views: int, size: int) -> Cameras:
    """Cameras all around, from above only or in a ring, that each show the whole sphere."""
    directions = _directions(random, views)
    field = float(random.uniform(NARROWEST, WIDEST))
    varied = random.random() < 0.4
    poses, lenses = np.empty((views, 4, 4)), np.empty((views, 4))
    for index, direction in enumerate(directions):
        degrees = float(random.uniform(NARROWEST, WIDEST)) if varied else field
        lens = intrinsics_from_fov(size, size, math.radians(degrees))
        distance = MODEL_RADIUS / math.sin(0.5 * math.radians(degrees))
        distance *= random.uniform(1.0, 1.25)
        # What is free around the sphere lets the camera look past its middle.
        room = 0.5 * (distance * math.sin(0.5 * math.radians(degrees)) - MODEL_RADIUS)
        target = random.uniform(-1.0, 1.0, 3) * room / math.sqrt(3.0)
        pose = look_at(distance * direction, target)
        roll = float(random.normal(0.0, 0.05)) if varied else 0.0
        pose[:3, :3] = pose[:3, :3] @ Rotation.from_euler("z", roll).as_matrix()
        poses[index] = pose
        lenses[index] = lens.fx, lens.fy, lens.cx, lens.cy
    return Cameras(size, poses, lenses)


def _directions(random: np.random.Generator, views: int) -> Floats:
    """Unit vectors [views, 3] to the cameras, in random order."""
    kind = random.random()
    spread = random.normal(size=(views, 3)) * 0.35 / math.sqrt(views)
    if kind < 0.6:  # all around
        even = fibonacci_sphere(views)
        quaternion = random.normal(size=4)
        directions = even @ Rotation.from_quat(quaternion).as_matrix().T + spread
    elif kind < 0.8:  # from above, as of something on a table
        even = fibonacci_sphere(2 * views)[:views]
        directions = even @ Rotation.from_euler("z", random.uniform(0, math.tau)).as_matrix().T
        directions = directions + spread
    else:  # a ring or two
        turn = np.arange(views) * math.tau / views + random.uniform(0, math.tau)
        heights = random.choice(random.uniform(-0.2, 1.2, 2), views)
        flat = np.cos(heights)
        directions = np.stack([flat * np.cos(turn), flat * np.sin(turn), np.sin(heights)], axis=1)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    directions[:, 2] = directions[:, 2].clip(-HIGHEST, HIGHEST)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(random.permutation(directions))
