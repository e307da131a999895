# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a lens in each dialect of transforms.json.

The dialects are those of NeRF synthetic scenes, Stanford-ORB, instant-ngp, nerfstudio, the LSRM
release, and LSRM itself. They differ in the keys of the intrinsics; the poses are the same
in all. A value of the frame overrides the one at the top level of the file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..cameras import Intrinsics, check_intrinsics
from ..errors import BadCamera
from ..lenses import Distortion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..lenses import Lens

    Values: TypeAlias = dict[str, Any]
    Size: TypeAlias = tuple[int, int]

PERSPECTIVE_MODELS = frozenset(
    {"PERSPECTIVE", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV"}
)
FISHEYE_MODELS = frozenset(
    {"OPENCV_FISHEYE", "RADIAL_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "FISHEYE", "SIMPLE_FISHEYE"}
)
RADIAL_KEYS = ("k1", "k2", "k3", "k4", "k5", "k6")
TANGENTIAL_KEYS = ("p1", "p2")
# Lens models of instant-ngp that are not read.
OTHER_LENS_KEYS = ("ftheta_p0", "latlong", "equirectangular")
# An undistorted image that is so much larger, or smaller, than the one on disk is a wrong number.
MAX_GROWTH = 16.0
# Pixels along the longer side of an image; no file format of photographs has more.
MAX_SIDE = 1e6
SHUTTER_KEYS = ("rolling_shutter", "transform_matrix_start", "transform_matrix_end")
# Focal length in pixels, field of view in radians, in degrees; the first one present is used.
FOCAL_KEYS_X = ("fl_x", "camera_angle_x", "x_fov")
FOCAL_KEYS_Y = ("fl_y", "camera_angle_y", "y_fov")
# Relative difference between two focal lengths of one frame that is worth a warning.
FOCAL_TOLERANCE = 0.005
# Relative difference between the shapes of images that resizing does not make.
SHAPE_TOLERANCE = 0.05
# In pixels; what is beyond is a mistake, and its rays cannot be computed.
MIN_FOCAL, MAX_FOCAL = 1e-3, 1e9


def stated_size(frame: Values, top: Values, name: str) -> Size | None:
    """Width and height of an image according to transforms.json, or None.

    Some programs write resolution times percentage without rounding; Blender truncates it.

    Raises:
        BadCamera: if they are not numbers from 1 to a million.
    """
    width = _number(frame, top, "w", name)
    height = _number(frame, top, "h", name)
    if width is None or height is None:
        return None
    if not 1.0 <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise BadCamera(
            f"The image size of view {name} is stated as {width:g} x {height:g}.",
            "Write w and h in pixels, or omit both.",
        )
    return math.floor(width + 1e-6), math.floor(height + 1e-6)


def stated_center(frame: Values, top: Values, name: str) -> tuple[float, float] | None:
    """The principal point (u, v) according to transforms.json, or None.

    Raises:
        BadCamera: if it is not two finite numbers.
    """
    cx, cy = _number(frame, top, "cx", name), _number(frame, top, "cy", name)
    return None if cx is None or cy is None else (cx, cy)


def read_intrinsics(frame: Values, top: Values, name: str, size: Size) -> Intrinsics:
    """The intrinsics of a frame.

    Args:
        frame: the frame's values.
        top: the values at the top level of the file.
        name: of the view, for error messages.
        size: width and height of the image that the values refer to.

    Raises:
        BadCamera: if the focal length is missing or impossible.
    """
    width, height = size
    focal = _focal_lengths(frame, name, size) or _focal_lengths(top, name, size)
    if focal is None:
        raise BadCamera(
            f"View {name} has no focal length: none of {', '.join(FOCAL_KEYS_X)} is given.",
            "Export intrinsics with the poses.",
        )
    cx = _number(frame, top, "cx", name)
    cy = _number(frame, top, "cy", name)
    lens = Intrinsics(
        width=width,
        height=height,
        fx=focal[0],
        fy=focal[1],
        cx=0.5 * width if cx is None else cx,
        cy=0.5 * height if cy is None else cy,
    )
    return check_intrinsics(lens, name)


def check_shared_angle(frames: Sequence[Values], top: Values, sizes: Sequence[Size]) -> None:
    """Refuse one angle of view for images of different shapes, as of a camera that was turned.

    The same lens has another horizontal angle in a portrait than in a landscape picture.

    Args:
        frames: the values of every frame.
        top: the values at the top level of the file.
        sizes: width and height of the image of every frame.

    Raises:
        BadCamera: with the shapes, if the angle would mean different focal lengths.
    """
    for keys, side in ((FOCAL_KEYS_X, 0), (FOCAL_KEYS_Y, 1)):
        key = next((key for key in keys if top.get(key) is not None), None)
        if key is None or key.startswith("fl_") or isinstance(top[key], list):
            continue
        all_keys = (*FOCAL_KEYS_X, *FOCAL_KEYS_Y)
        shared = {
            size
            for frame, size in zip(frames, sizes, strict=True)
            if all(frame.get(other) is None for other in all_keys)
        }
        shapes = {size[0] / size[1] for size in shared}
        sides = {size[side] for size in shared}
        if len(sides) > 1 and max(shapes) > (1.0 + SHAPE_TOLERANCE) * min(shapes):
            found = ", ".join(f"{width} x {height}" for width, height in sorted(shared))
            raise BadCamera(
                f"One {key} cannot fit images of different shapes ({found}).",
                "Give every frame its own camera_angle_x, or fl_x and fl_y in pixels.",
            )


def focal_length_warning(frame: Values, top: Values, name: str, size: Size) -> str | None:
    """A warning if the focal length and the field of view of a frame do not agree, else None."""
    for values in (frame, top):
        for keys, side in ((FOCAL_KEYS_X, size[0]), (FOCAL_KEYS_Y, size[1])):
            focal = [value for key in keys if (value := _focal(values, key, side, name))]
            if len(focal) > 1 and max(focal) > (1.0 + FOCAL_TOLERANCE) * min(focal):
                return (
                    f"{keys[0]} = {focal[0]:.6g} and the field of view, which means "
                    f"{focal[1]:.6g}, disagree; {keys[0]} is used."
                )
    return None


def _focal_lengths(values: Values, name: str, size: Size) -> tuple[float, float] | None:
    """Fx and fy from one level of the file; equal if only one is given, None if neither is."""
    width, height = size
    fx = next((f for key in FOCAL_KEYS_X if (f := _focal(values, key, width, name))), None)
    fy = next((f for key in FOCAL_KEYS_Y if (f := _focal(values, key, height, name))), None)
    if fx is None and fy is None:
        return None
    return fx or fy or 0.0, fy or fx or 0.0


def _focal(values: Values, key: str, side: int, name: str) -> float | None:
    """The focal length of one key in pixels: f = (side / 2) / tan(angle / 2) for an angle."""
    value = _number(values, {}, key, name)
    if value is None:
        return None
    if key.startswith("fl_"):
        focal, possible = value, MIN_FOCAL <= value <= MAX_FOCAL
    else:
        angle = math.radians(value) if key.endswith("_fov") else value
        possible = 0.0 < angle < math.pi
        focal = 0.5 * side / math.tan(0.5 * angle) if possible else 0.0
    if not possible:
        raise BadCamera(
            f"View {name} has {key} = {value:g}, which no camera has.",
            "Give fl_x and fl_y in pixels, camera_angle_x in radians and x_fov in degrees.",
        )
    return focal


def _number(frame: Values, top: Values, key: str, name: str) -> float | None:
    """A number of the frame, else of the top level, else None.

    Raises:
        BadCamera: if the value is not a finite number.
    """
    value = frame[key] if frame.get(key) is not None else top.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadCamera(
            f"View {name} has {key} = {value}, which is not a finite number.",
            "Correct the value in transforms.json or export the cameras again.",
        )
    return float(value)


def read_distortion(frame: Values, top: Values, name: str) -> Distortion:
    """The distortion of a frame's lens; no lens parameter is ignored.

    Raises:
        BadCamera: if the lens or the shutter is of a kind that is not read.
    """
    values = {**top, **{key: value for key, value in frame.items() if value is not None}}
    model = str(values.get("camera_model") or "PERSPECTIVE").upper()
    is_fisheye = bool(values.get("is_fisheye")) or model in FISHEYE_MODELS
    other = [key for key in OTHER_LENS_KEYS if values.get(key)]
    if model not in PERSPECTIVE_MODELS | FISHEYE_MODELS or other:
        raise BadCamera(
            f"View {name} was taken through a lens that is not read ({', '.join(other) or model}).",
            "Undistort the images first, for example with `colmap image_undistorter`; the folder "
            "that it writes can be opened.",
        )
    shutter = [key for key in SHUTTER_KEYS if key in values and _any_nonzero(values[key])]
    if shutter:
        raise BadCamera(
            f"View {name} has a rolling shutter ({', '.join(shutter)}).",
            "Use photographs, or video frames taken while the camera stood still.",
        )
    radial = [_number(frame, top, key, name) or 0.0 for key in RADIAL_KEYS]
    tangential = [_number(frame, top, key, name) or 0.0 for key in TANGENTIAL_KEYS]
    unknown = [*radial[4:], *tangential] if is_fisheye else []
    if any(unknown):
        raise BadCamera(
            f"View {name} has a fisheye lens with k5, k6, p1 or p2, which its model does not have.",
            "Give k1 to k4 of OPENCV_FISHEYE, or another camera_model.",
        )
    k1, k2, k3, k4, k5, k6 = radial
    p1, p2 = tangential
    return Distortion((k1, k2, k3, k4, k5, k6), (p1, p2), is_fisheye)


def lens_values(distortion: Distortion) -> Values:
    """The keys of transforms.json that `read_distortion` reads."""
    model = "OPENCV_FISHEYE" if distortion.is_fisheye else "OPENCV"
    if any(distortion.radial[2:]) and not distortion.is_fisheye:
        model = "FULL_OPENCV"
    numbers = zip(
        (*RADIAL_KEYS, *TANGENTIAL_KEYS),
        (*distortion.radial, *distortion.tangential),
        strict=True,
    )
    return {"camera_model": model, **{key: value for key, value in numbers if value}}


def undistorted_intrinsics(lens: Lens, name: str) -> Intrinsics:
    """The pinhole camera onto which the image of a lens is undistorted.

    Raises:
        BadCamera: if the distortion is that of no lens.
    """
    with np.errstate(all="ignore"):
        size = lens.pinhole_size()
        growth = float(size[0] * size[1]) / (lens.intrinsics.width * lens.intrinsics.height)
    if min(size) < 1.0 or not 1.0 / MAX_GROWTH <= growth <= MAX_GROWTH:
        values = zip(
            (*RADIAL_KEYS, *TANGENTIAL_KEYS),
            (*lens.distortion.radial, *lens.distortion.tangential),
            strict=True,
        )
        listed = ", ".join(f"{key} = {value:g}" for key, value in values if value)
        raise BadCamera(
            f"View {name} has a distortion ({listed}) that no lens has: undistorted, its image "
            f"would be {size[0]:.3g} x {size[1]:.3g} pixels.",
            "Check the focal length and the distortion, or export the cameras again.",
        )
    return lens.pinhole()


def _any_nonzero(value: Any) -> bool:
    """Whether any number in nested lists, or the value itself, is not zero."""
    if isinstance(value, list):
        return any(_any_nonzero(item) for item in value)
    return bool(value)
