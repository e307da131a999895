# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up in the world of a capture: stated, or estimated from the cameras."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .cameras import Floats

REPORT_NAME = "report.json"

# An estimate this near to an axis of the world, in degrees, is that axis.
SNAP_DEGREES = 10.0
# People and rigs keep the horizon level to about this angle, in degrees (root mean square).
MAX_ROLL_DEGREES = 10.0
# How much more the cameras' right vectors spread along any other direction than along "up".
MIN_SPREAD_RATIO, MIN_TILT = 2.0, 0.01
# The mean of the cosine between the cameras' up vectors and "up".
MIN_UPRIGHT = 0.3


@dataclass(frozen=True)
class Up:
    """The direction that is up.

    Attributes:
        direction: [3], unit vector in the world of the capture.
        source: `stated`, `cameras`, or `assumed` where the cameras do not say.
        roll_degrees: how level the cameras are about it, root mean square; None if stated.
    """

    direction: Floats
    source: str
    roll_degrees: float | None = None

    @property
    def rotation(self) -> Floats:
        """The smallest rotation [3, 3] of the world that takes the direction to +z."""
        z = np.array([0.0, 0.0, 1.0])
        axis, cosine = np.cross(self.direction, z), float(self.direction @ z)
        if cosine < -1.0 + 1e-9:
            return np.diag([1.0, -1.0, -1.0])
        cross = np.cross(np.eye(3), axis)
        rotation: Floats = np.eye(3) + cross + cross @ cross / (1.0 + cosine)
        return rotation

    @property
    def is_z(self) -> bool:
        """Whether nothing is to turn."""
        return bool(self.direction[2] == 1.0)

    def warnings(self) -> tuple[str, ...]:
        """For the artist: that the result is turned, and how sure that is."""
        if self.is_z or self.source == "stated":
            return ()
        x, y, z = self.direction
        warning = (
            f"The result is turned upright: the cameras are level about ({x:.3g}, {y:.3g}, "
            f"{z:.3g}), to {self.roll_degrees:.1f} degrees. --up z keeps the world of the views."
        )
        return (warning,)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "direction": self.direction.round(6).tolist(),
            "source": self.source,
            "roll_degrees": None if self.roll_degrees is None else round(self.roll_degrees, 2),
            "rotation": self.rotation.round(9).tolist(),
        }


def choose_up(choice: str, poses: Sequence[Floats], *, own: bool) -> Up:
    """The direction that is up.

    Args:
        choice: `z` or `y` of the world of the capture; `auto` estimates it.
        poses: camera to world, [4, 4] each.
        own: whether the capture is LSRM's, whose world is +z up.
    """
    if choice == "y":
        return Up(np.array([0.0, 1.0, 0.0]), "stated")
    z = np.array([0.0, 0.0, 1.0])
    if choice == "z" or own:
        return Up(z, "stated")
    return estimate_up(poses) or Up(z, "assumed")


@dataclass(frozen=True)
class Level:
    """The direction about which cameras are level.

    Attributes:
        direction: [3], unit vector; the cameras' own up vectors point there in the sum.
        tilt: root mean square of the sine by which the cameras are rolled.
        spread: root mean square of the right vectors along the direction where they spread second
            least; if it is not larger than the tilt, the direction is not known.
        upright: mean cosine between the direction and the cameras' own up vectors.
    """

    direction: Floats
    tilt: float
    spread: float
    upright: float


def level_direction(poses: Sequence[Floats]) -> Level:
    """The direction about which cameras are level, whatever they look at.

    A level camera's right vector is horizontal: "up" is the direction along which the right vectors
    spread least, and points where the cameras' own up vectors do.

    Args:
        poses: camera to world, [4, 4] each, OpenGL camera axes.
    """
    rights = np.stack([pose[:3, 0] for pose in poses])
    ups = np.stack([pose[:3, 1] for pose in poses])
    squares, directions = np.linalg.eigh(rights.T @ rights / len(rights))
    direction = directions[:, 0] * (1.0 if (ups @ directions[:, 0]).sum() >= 0.0 else -1.0)
    tilt, spread, _ = np.sqrt(squares.clip(0.0, 1.0)).tolist()
    return Level(direction, tilt, spread, float((ups @ direction).mean()))


def estimate_up(poses: Sequence[Floats]) -> Up | None:
    """The direction about which the cameras are level and upright; None if there is no clear one.

    Args:
        poses: camera to world, [4, 4] each, OpenGL camera axes.
    """
    level = level_direction(poses)
    roll = math.degrees(math.asin(level.tilt))
    clear = level.spread >= MIN_SPREAD_RATIO * max(level.tilt, MIN_TILT)
    if not (clear and level.upright >= MIN_UPRIGHT and roll <= MAX_ROLL_DEGREES):
        return None
    return Up(_snapped(level.direction), "cameras", roll)


def stored_rotation(mesh: Path) -> Floats:
    """The rotation [3, 3] by which a result was turned upright; the identity if it was not.

    Args:
        mesh: a file of a result folder, or any other mesh.
    """
    report = mesh.with_name(REPORT_NAME)
    try:
        rotation = json.loads(report.read_text("utf-8"))["up"]["rotation"]
        found: Floats = np.array(rotation, dtype=np.float64).reshape(3, 3)
    except (OSError, ValueError, KeyError, TypeError):
        return np.eye(3)
    return found


def _snapped(direction: Floats) -> Floats:
    """The axis of the world that is near to a direction, or the direction."""
    largest = int(np.abs(direction).argmax())
    axis = np.zeros(3)
    axis[largest] = math.copysign(1.0, direction[largest])
    near: bool = float(direction @ axis) >= math.cos(math.radians(SNAP_DEGREES))
    return axis if near else direction
