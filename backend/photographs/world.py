# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world for cameras that came without one: which way is up, where the object is, the scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..shared.cameras import meeting_point
from ..shared.up_axis import level_direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..shared.cameras import Floats

MEAN_DISTANCE = 1.0
"""Of the cameras from the object, in the new world: structure from motion knows no lengths."""

UNCERTAIN_TILT = 0.35
"""Root mean square of the sine by which cameras may be rolled, before up is uncertain."""


@dataclass(frozen=True)
class World:
    """The similarity from the world of the cameras to one with the object at 0 and +z up.

    x_new = scale * rotation @ (x - center).

    Attributes:
        rotation: [3, 3].
        center: [3], that the cameras look at.
        scale: new units per old one.
        tilt: root mean square of the sine by which the cameras are rolled; near 0 it is known
            which way is up.
    """

    rotation: Floats
    center: Floats
    scale: float
    tilt: float

    @property
    def is_up_certain(self) -> bool:
        """Whether the cameras were held level."""
        return self.tilt < UNCERTAIN_TILT

    def apply_to_pose(self, camera_to_world: Floats) -> Floats:
        """The pose [4, 4] of a camera in the new world."""
        pose = np.eye(4)
        pose[:3, :3] = self.rotation @ camera_to_world[:3, :3]
        pose[:3, 3] = self.scale * (self.rotation @ (camera_to_world[:3, 3] - self.center))
        return pose


def guess_world(poses: Sequence[Floats]) -> World:
    """The world in which cameras are held level, look at 0 and are one unit away.

    Up is that of `level_direction`. The first camera looks along +y, as at Blender's front view.

    Args:
        poses: [4, 4] each, OpenGL axes.
    """
    cameras = np.stack(poses)
    positions = cameras[:, :3, 3]
    center = meeting_point(positions, cameras[:, :3, 2])
    level = level_direction(poses)
    up = level.direction
    front = center - positions[0]
    front = front - up * (up @ front)
    if np.linalg.norm(front) < 1e-6 * np.linalg.norm(center - positions[0]):
        upward = cameras[0, :3, 1]
        front = upward - up * (up @ upward)
    front = front / np.linalg.norm(front)
    rotation = np.stack([np.cross(front, up), front, up])
    distance = float(np.linalg.norm(positions - center, axis=1).mean())
    return World(rotation, center, MEAN_DISTANCE / distance, level.tilt)
