# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes in the release's layouts: what is common to both, and the "real" photographs.

They exist so that the paper's benchmarks run on their own data. Both layouts end in
`preprocess.crop_view`; what is particular to each, down to the order of resizes, is here and in
`release_rig`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...shared.cameras import intrinsics_from_fov, pixel_rays
from ...shared.errors import BadCapture, BadImage
from ...shared.srgb import srgb_to_linear
from ...views.resize import resize_area
from ..preprocess import (
    CroppedView,
    SourceView,
    ViewTensors,
    Window,
    camera_vector,
    crop_view,
    float_tensor,
    object_window,
    stack_views,
    turn_cameras,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor


# How stored modes that are no plain arrays are read.
_PLAIN_MODES = {"1": "L", "P": "RGBA", "LA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}


@dataclass(frozen=True)
class ReleaseSettings:
    """How a scene is read.

    Attributes:
        image_size: pixels per side of the input views.
        view_count: so many input views are taken, from the start.
        output_size: pixels per side of the views to render.
        output_count: likewise for the views to render; all if None.
        relative_pose: the world is turned into the frame of the first camera.
        crop: to the object; without it views are squeezed into squares.
        normalize_exposure: brings bright and dark scenes together ("real" only).
        input_views: indices of the input views in their order ("rig" only); all if None.
        output_views: indices of the views to render ("rig" only).
    """

    image_size: int
    view_count: int
    output_size: int
    output_count: int | None = None
    relative_pose: bool = True
    crop: bool = True
    normalize_exposure: bool = False
    input_views: tuple[int, ...] | None = None
    output_views: tuple[int, ...] = ()


@dataclass(frozen=True)
class TargetViews:
    """Views to render, in the model's frame.

    Attributes:
        rgb: [O, 3, s, s], sRGB in -1..1 on white; None where the layout has no pictures of them.
        mask: [O, 1, s, s], or None likewise.
        ray_origins: [O, s, s, 3].
        ray_directions: [O, s, s, 3], unit length.
        cameras: [O, 20].
    """

    rgb: Tensor | None
    mask: Tensor | None
    ray_origins: Tensor
    ray_directions: Tensor
    cameras: Tensor


@dataclass(frozen=True)
class ReleaseCapture:
    """A scene, read.

    Attributes:
        inputs: what the network reads.
        crops: the cropped input views that the inputs are stacked from.
        origin_size: height and width of the frame that the release projects all views to.
        targets: the views to render.
    """

    inputs: ViewTensors
    crops: tuple[CroppedView, ...]
    origin_size: tuple[int, int]
    targets: TargetViews


def read_real(folder: Path, settings: ReleaseSettings) -> ReleaseCapture:
    """Read photographs with `transforms_input.json` and `transforms_output.json`.

    Images are composited and resized in linear light.

    Raises:
        BadCapture: if a description is missing or lacks a value.
        BadImage: if an image or mask is missing or broken.
    """
    with described_by(folder):
        inputs_file = read_json(folder / "transforms_input.json")
        outputs_file = read_json(folder / "transforms_output.json")
        scale = float(inputs_file.get("scale", 1.0))
        crops = [
            _crop_photograph(folder, inputs_file, index, settings)
            for index in range(min(settings.view_count, len(inputs_file["frames"])))
        ]
        # The input file's scale holds for the outputs; their own is ignored, as in the release.
        cameras = [
            camera_vector(_pose(frame, scale), _field_of_view(outputs_file, index))
            for index, frame in enumerate(outputs_file["frames"][: settings.output_count])
        ]
    if settings.normalize_exposure:
        crops = _normalize_exposure(crops)
    inputs = stack_views(crops, "linear", relative_pose=settings.relative_pose)
    targets = target_rays(cameras, inputs.frame.rotation, settings.output_size)
    first = crops[0].source
    return ReleaseCapture(inputs, tuple(crops), (first.height, first.width), targets)


def _crop_photograph(
    folder: Path, description: dict[str, Any], index: int, settings: ReleaseSettings
) -> CroppedView:
    frame = description["frames"][index]
    name = str(frame["file_path"])
    name = name if name.endswith((".jpg", ".png")) else name + ".png"
    image = on_white(as_floats(read_image(folder / name)), srgb_to_linear)
    # DEFECT 6 (docs/deviations.md): only inside of the scene; the release replaces it in the whole
    # path.
    mask = _mask_channel(as_floats(read_image(folder / name.replace("input", "mask"))))
    window = object_window(mask)
    if not settings.crop:
        size = settings.image_size
        image, mask = resize_area(image, size, size), resize_area(mask, size, size)
        window = Window(0, size, 0, size)
    height, width = mask.shape
    intrinsics = intrinsics_from_fov(width, height, _field_of_view(description, index))
    pose = _pose(frame, float(description.get("scale", 1.0)))
    return crop_view(SourceView(image, mask, intrinsics, pose), window, settings.image_size)


def _field_of_view(description: dict[str, Any], index: int) -> float:
    """Of a frame, or of all of them, in radians.

    DEFECT 5 (docs/deviations.md): a list holds one per frame; the release crashes on it.
    """
    angle = description["frames"][index].get("camera_angle_x")
    if angle is None:
        angle = description["camera_angle_x"]
    return float(angle[index] if isinstance(angle, list) else angle)


def _pose(frame: dict[str, Any], scale: float) -> NDArray[np.float64]:
    pose = np.array(frame["transform_matrix"], np.float64)
    pose[:3, 3] *= scale
    return pose


def _mask_channel(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The coverage in a mask file: its alpha, else its first channel."""
    return image[..., 3] if image.shape[-1] == 4 else image[..., 0]


def _normalize_exposure(crops: Sequence[CroppedView]) -> list[CroppedView]:
    """Scale the light so that the 90th percentile of the object pixels of all views is 0.75."""
    inside = [crop.image.mean(-1)[crop.mask[..., 0] > 0.9999] for crop in crops]
    brightness = np.sort(np.concatenate(inside))
    if len(brightness) == 0:
        return list(crops)
    scale = np.clip(0.75 / brightness[int(0.9 * len(brightness))], 0.625, 1.6)
    return [
        replace(
            crop,
            image=crop.image * (crop.mask * scale + 1.0 - crop.mask),
            background=crop.background * scale,
        )
        for crop in crops
    ]


def target_rays(cameras: Sequence[NDArray[Any]], rotation: NDArray[Any], size: int) -> TargetViews:
    """Rays of views to render, for square frames, in the world turned by rotation^T.

    Args:
        cameras: vectors of 20 numbers.
        rotation: [3, 3], of the first input camera.
        size: pixels per side.
    """
    turned = turn_cameras(np.reshape(cameras, (-1, 20)), rotation)
    origins, directions = np.empty((2, len(turned), size, size, 3))
    for index, camera in enumerate(turned):
        intrinsics = intrinsics_from_fov(size, size, camera[16])
        origins[index], directions[index] = pixel_rays(intrinsics, camera[:16].reshape(4, 4))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return TargetViews(
        None, None, float_tensor(origins), float_tensor(directions), float_tensor(turned)
    )


@contextmanager
def described_by(folder: Path) -> Iterator[None]:
    """Raise BadCapture for a value that a scene's description lacks."""
    try:
        yield
    except (KeyError, IndexError, TypeError) as error:
        raise BadCapture(
            f"The scene {folder} is not described as expected: {error!r}.",
            "Download it again, or give a capture folder with a transforms.json.",
        ) from error


def read_json(path: Path) -> Any:
    """The content of a description file.

    Raises:
        BadCapture: if it is missing or broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCapture(f"{path} cannot be read: {error}.", "Download the scene again.") from error


def read_image(file: Path | BinaryIO) -> NDArray[Any]:
    """An image as it is stored, [height, width, channels], 8 or 16 bit.

    Raises:
        BadImage: if it is missing or broken.
    """
    try:
        with Image.open(file) as image:
            mode = _PLAIN_MODES.get(image.mode, image.mode)
            array = np.asarray(image.convert(mode))
    except (OSError, UnidentifiedImageError) as error:
        raise BadImage(
            f"The image {file} cannot be read: {error}.", "Download the scene again."
        ) from error
    return array if array.ndim == 3 else array[..., None]


def on_white(
    image: NDArray[np.float32], light: Callable[[NDArray[Any]], NDArray[Any]] = np.copy
) -> NDArray[np.float32]:
    """The color of a file with 1, 3 or 4 channels, [height, width, 3], converted by `light`.

    DEFECT 4 (docs/deviations.md): the release fails on files with alpha; here they are put on
    white.
    """
    color: NDArray[np.float32] = light(image[..., : min(3, image.shape[-1])])
    if image.shape[-1] == 4:
        color = color * image[..., 3:] + (1.0 - image[..., 3:])
    return np.broadcast_to(color, (*image.shape[:2], 3))


def as_floats(image: NDArray[Any]) -> NDArray[np.float32]:
    """Stored values in 0..1."""
    largest = 255 if image.dtype == np.uint8 else 65535
    return (image / np.float32(largest)).astype(np.float32)


def as_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in 0..1 as 8 bits."""
    stored: NDArray[np.uint8] = np.rint(image * 255.0).astype(np.uint8)
    return stored
