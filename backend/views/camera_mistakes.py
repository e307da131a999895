# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usual mistakes in the cameras of a capture, each with the function that corrects it.

They are tried where masks and cameras do not agree: the one whose correction brings the masks
together is the likely cause. A correction is a pure function of the intrinsics and the pose of one
view; sizes, and with them pixels, are those of the images as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..shared.cameras import Intrinsics, opencv_to_opengl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..shared.cameras import Floats

    Camera: TypeAlias = tuple[Intrinsics, Floats]
    Correction: TypeAlias = Callable[[Intrinsics, Floats], Camera]

# Width of the film, in millimeters, to which focal lengths of photography refer.
FILM_WIDTH = 36.0
# Factors on all focal lengths among which the best is searched.
FOCAL_FACTORS = (
    0.25,
    0.35,
    0.5,
    0.6,
    0.7,
    0.8,
    0.87,
    0.93,
    1.07,
    1.15,
    1.25,
    1.4,
    1.6,
    2.0,
    3.0,
    4.0,
)


@dataclass(frozen=True)
class CameraMistake:
    """A mistake and its correction.

    Attributes:
        code: for programs.
        sentence: what is wrong, for the artist.
        advice: what to change in the poses; empty if the corrected intrinsics say it.
        correct: the correction.
        moves_world: whether the corrected poses lie in another world than the given ones.
    """

    code: str
    sentence: str
    correct: Correction
    advice: str = ""
    moves_world: bool = False

    def remedy(self, lenses: Sequence[Intrinsics]) -> str:
        """What to write, exactly.

        Args:
            lenses: of all views, at the size of their images.
        """
        if self.advice:
            return self.advice
        corrected = [self.correct(lens, np.eye(4))[0] for lens in lenses]
        first = corrected[0]
        pairs = {"fl_x": first.fx, "fl_y": first.fy, "cx": first.cx, "cy": first.cy}
        old = (lenses[0].fx, lenses[0].fy, lenses[0].cx, lenses[0].cy)
        changed = [
            f"{key} = {value:.6g}"
            for (key, value), before in zip(pairs.items(), old, strict=True)
            if abs(value - before) > 1e-9 * abs(value) or key in ("fl_x", "fl_y")
        ]
        where = "" if len(set(corrected)) == 1 else " (first view; the others likewise)"
        return f"Write {', '.join(changed)} for images of {first.width} x {first.height}{where}."


def _scaled_focal(factor: float, lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, fx=lens.fx * factor, fy=lens.fy * factor), pose


def _resized(factor: float, lens: Intrinsics, pose: Floats) -> Camera:
    """Intrinsics that are stated for an image of another size, with its principal point."""
    values = {key: getattr(lens, key) * factor for key in ("fx", "fy", "cx", "cy")}
    return replace(lens, **values), pose


def _angle_of_other_side(lens: Intrinsics, pose: Floats) -> Camera:
    return _scaled_focal(lens.height / lens.width, lens, pose)


def _square_from_x(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, fy=lens.fx), pose


def _square_from_y(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, fx=lens.fy), pose


def _exchanged_focal(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, fx=lens.fy, fy=lens.fx), pose


def _focal_in_millimeters(lens: Intrinsics, pose: Floats) -> Camera:
    return _scaled_focal(max(lens.width, lens.height) / FILM_WIDTH, lens, pose)


def _center_from_middle(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, cx=0.5 * lens.width + lens.cx, cy=0.5 * lens.height + lens.cy), pose


def _center_from_fraction(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, cx=lens.cx * lens.width, cy=lens.cy * lens.height), pose


def _exchanged_center(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, cx=lens.cy, cy=lens.cx), pose


def _center_from_below(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, cy=lens.height - lens.cy), pose


def _centered(lens: Intrinsics, pose: Floats) -> Camera:
    return replace(lens, cx=0.5 * lens.width, cy=0.5 * lens.height), pose


def _opencv_axes(lens: Intrinsics, pose: Floats) -> Camera:
    return lens, opencv_to_opengl(pose)


def _inverted(lens: Intrinsics, pose: Floats) -> Camera:
    return lens, np.linalg.inv(pose).astype(np.float64)


def _inverted_opencv(lens: Intrinsics, pose: Floats) -> Camera:
    return _opencv_axes(*_inverted(lens, pose))


def _mirrored(axis: int, lens: Intrinsics, pose: Floats) -> Camera:
    """The pose in a mirrored world; a camera axis is reversed, which keeps it a rotation."""
    world, camera = np.ones(4), np.ones(4)
    world[2], camera[axis] = -1.0, -1.0
    return lens, world[:, None] * pose * camera


def _quarter_turned(turns: int, lens: Intrinsics, pose: Floats) -> Camera:
    """The camera rolled about its axis by quarter turns, counter-clockwise seen from behind it."""
    cos, sin = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[turns % 4]
    roll = np.eye(4)
    roll[:2, :2] = [[cos, -sin], [sin, cos]]
    if turns % 2:
        lens = replace(lens, fx=lens.fy, fy=lens.fx)
    return lens, pose @ roll


def _turn_advice(degrees: int) -> str:
    return (
        f"Turn the poses by {degrees} degrees about the optical axis, or the images and masks back."
    )


MISTAKES: tuple[CameraMistake, ...] = (
    CameraMistake(
        "center_from_middle",
        "cx, cy look like offsets from the middle of the image.",
        _center_from_middle,
    ),
    CameraMistake(
        "center_normalized",
        "cx, cy look like fractions of the image, 0 to 1.",
        _center_from_fraction,
    ),
    CameraMistake(
        "image_halved",
        "The intrinsics look like those of images twice as large.",
        partial(_resized, 0.5),
    ),
    CameraMistake(
        "image_doubled",
        "The intrinsics look like those of images half as large.",
        partial(_resized, 2.0),
    ),
    CameraMistake(
        "image_quartered",
        "The intrinsics look like those of images four times as large.",
        partial(_resized, 0.25),
    ),
    CameraMistake(
        "focal_length_halved",
        "The focal length looks like that of images twice as large.",
        partial(_scaled_focal, 0.5),
    ),
    CameraMistake(
        "focal_length_doubled",
        "The focal length looks like that of images half as large.",
        partial(_scaled_focal, 2.0),
    ),
    CameraMistake(
        "angle_of_other_side",
        "The angle of view looks like that of the other side of the image: Blender's camera angle "
        "is that of the longer side.",
        _angle_of_other_side,
    ),
    CameraMistake("focal_length_y", "fl_y looks wrong: fl_y = fl_x fits.", _square_from_x),
    CameraMistake("focal_length_x", "fl_x looks wrong: fl_x = fl_y fits.", _square_from_y),
    CameraMistake("focal_lengths_exchanged", "fl_x and fl_y look exchanged.", _exchanged_focal),
    CameraMistake(
        "focal_length_in_millimeters",
        f"The focal length looks like millimeters on {FILM_WIDTH:g} mm film.",
        _focal_in_millimeters,
    ),
    CameraMistake("center_exchanged", "cx and cy look exchanged.", _exchanged_center),
    CameraMistake(
        "center_from_below", "cy looks as if counted from the lower edge.", _center_from_below
    ),
    CameraMistake("center_off", "cx, cy look wrong: the middle of the image fits.", _centered),
    CameraMistake(
        "opencv_axes",
        "The camera axes look like OpenCV's (+y down, +z forward).",
        _opencv_axes,
        "The poses look like OpenCV's: multiply them by diag(1, -1, -1, 1) from the right.",
    ),
    CameraMistake(
        "world_to_camera",
        "The poses look inverted.",
        _inverted,
        "The poses look like world-to-camera matrices: invert them.",
        moves_world=True,
    ),
    CameraMistake(
        "world_to_camera_opencv",
        "The poses look inverted, with OpenCV's camera axes.",
        _inverted_opencv,
        "The poses look like OpenCV's world-to-camera matrices: invert them, then multiply by "
        "diag(1, -1, -1, 1) from the right.",
        moves_world=True,
    ),
    *(
        CameraMistake(
            f"left_handed_{'xyz'[axis]}",
            "The poses look like those of a left-handed world.",
            partial(_mirrored, axis),
            "Convert the poses to a right-handed world: multiply them by diag(1, 1, -1, 1) from "
            f"the left and by diag({', '.join('-1' if i == axis else '1' for i in range(3))}, 1) "
            "from the right.",
            moves_world=True,
        )
        for axis in (2, 0, 1)
    ),
    *(
        CameraMistake(
            f"turned_{90 * turns}",
            f"The images look turned by {90 * turns} degrees against their poses, as photographs "
            "with an EXIF orientation are.",
            partial(_quarter_turned, turns),
            _turn_advice(90 * turns),
        )
        for turns in (1, 2, 3)
    ),
)
"""In the order in which they are tried; of equals the first is named."""


def scaled_focal_length(factor: float) -> CameraMistake:
    """The mistake of a focal length that is wrong by any factor."""
    return CameraMistake(
        "focal_length",
        f"The focal length looks wrong: {factor:.3g} times as much fits best.",
        partial(_scaled_focal, factor),
    )
