# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes in the release's "rig" layout: renders under one set of intrinsics."""

from __future__ import annotations

import math
import tarfile
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ...shared.cameras import Intrinsics, intrinsics_from_fov, pixel_rays
from ...shared.errors import BadCapture, BadImage
from ...shared.srgb import linear_to_srgb, srgb_to_linear
from ...views.resize import resize_area, resize_bytes, resize_linear
from ..preprocess import (
    CroppedView,
    SourceView,
    Window,
    camera_vector,
    crop_view,
    encode,
    float_tensor,
    object_window,
    stack_views,
)
from .captures import (
    ReleaseCapture,
    ReleaseSettings,
    as_bytes,
    as_floats,
    described_by,
    on_white,
    read_image,
    read_json,
    target_rays,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Rig:
    """A scene's description.

    Attributes:
        colors: the pictures' files, or their bytes where they came in an archive.
        masks: likewise.
        poses: [4, 4] each, the object at the origin, its radius 0.5.
        frame: intrinsics that all views share.
        field_of_view: horizontal, radians.
        exposures: the factor each picture was multiplied by in linear light; empty if none.
        crop_areas: one window per view where the pictures were cropped before.
    """

    colors: tuple[Path | bytes, ...]
    masks: tuple[Path | bytes, ...]
    poses: tuple[NDArray[np.float64], ...]
    frame: Intrinsics
    field_of_view: float
    exposures: tuple[float, ...]
    crop_areas: tuple[Window, ...] | None


def read_rig(folder: Path, settings: ReleaseSettings) -> ReleaseCapture:
    """Read renders with `images/CameraRig.json`; composited and resized as displayed.

    Raises:
        BadCapture: if a description is missing or lacks a value, or a view does not exist.
        BadImage: if an image or mask is missing or broken.
    """
    with described_by(folder):
        rig = _read_description(folder)
        chosen = settings.input_views or range(len(rig.poses))
        crops = [_input_view(rig, i, settings) for i in chosen[: settings.view_count]]
        outputs = settings.output_views[: settings.output_count]
        cameras = [camera_vector(rig.poses[i], rig.field_of_view) for i in outputs]
        pictures = [_output_view(rig, i, settings) for i in outputs]
        areas = rig.crop_areas
        recropped = [
            _cropped_before(rig, areas[i], i, settings.output_size)[1] for i in outputs if areas
        ]
    inputs = stack_views(crops, "display", relative_pose=settings.relative_pose)
    targets = target_rays(cameras, inputs.frame.rotation, settings.output_size)
    if outputs:
        stacked = np.stack(pictures).transpose(0, 3, 1, 2)
        targets = replace(
            targets, rgb=float_tensor(stacked[:, :3]), mask=float_tensor(stacked[:, 3:])
        )
    if recropped:
        turned = np.stack(recropped) @ inputs.frame.rotation
        targets = replace(targets, ray_directions=float_tensor(turned))
    return ReleaseCapture(inputs, tuple(crops), (rig.frame.height, rig.frame.width), targets)


def rig_views(folder: Path) -> list[SourceView]:
    """All views of a scene as they are stored: on white, at the mean exposure of the scene.

    Raises:
        BadCapture: if a description is missing or lacks a value.
        BadImage: if an image or mask is missing or broken.
    """
    with described_by(folder):
        rig = _read_description(folder)
        return [_whole_view(rig, index) for index in range(len(rig.poses))]


def _whole_view(rig: _Rig, index: int) -> SourceView:
    """A view at the size of its file, with the intrinsics of that."""
    color, mask = _stored(rig, index)
    height, width = mask.shape
    lens = rig.frame
    if rig.crop_areas is not None:
        area = rig.crop_areas[index]
        lens = lens.cropped(area.left, area.top, area.right - area.left, area.bottom - area.top)
    image = _exposed(rig, index, as_floats(color))
    return SourceView(image, as_floats(mask), lens.scaled(width, height), rig.poses[index])


def _read_description(folder: Path) -> _Rig:
    images = folder / "images"
    rig = read_json(images / "CameraRig.json")
    location = np.array(read_json(folder / "scene" / "scene_info.json")["object_location"], float)
    intrinsic = rig["intrinsic"]
    angle = math.radians(intrinsic["fov"])
    exposures: tuple[float, ...] = ()
    if (images / "image_process_info.json").exists():
        processing = read_json(images / "image_process_info.json")["rgb"]
        exposures = tuple(processing.get("autoexposure_scale", ()))
    areas = None
    if (images / "CropArea.json").exists():
        listed = read_json(images / "CropArea.json")["rgb"]["crop_areas"]
        areas = tuple(Window(**{key: int(area[key]) for key in area}) for area in listed)
    return _Rig(
        colors=_pictures(images, "rgb"),
        masks=_pictures(images, "mask"),
        poses=tuple(_centered(matrix, location) for matrix in rig["to_world"]),
        frame=intrinsics_from_fov(int(intrinsic["width"]), int(intrinsic["height"]), angle),
        field_of_view=angle,
        exposures=exposures,
        crop_areas=areas,
    )


def _centered(matrix: Any, location: NDArray[np.float64]) -> NDArray[np.float64]:
    """A pose in the model's world; the scenes' objects have a radius of 0.25."""
    pose = np.array(matrix, np.float64)
    pose[:3, 3] = (pose[:3, 3] - location) * 2.0
    return pose


def _pictures(images: Path, kind: str) -> tuple[Path | bytes, ...]:
    """Sorted files, or the content of an archive in its own order."""
    for archive in (images / f"{kind}.tar", images / "rgb" / f"{kind}.tar"):
        if archive.exists():
            with tarfile.open(archive) as tar:
                files = [tar.extractfile(m) for m in tar if m.isfile() and m.name.endswith(".png")]
                return tuple(file.read() for file in files if file is not None)
    found = tuple(sorted((images / "rgb").glob(f"{kind}*.png")))
    if not found:
        raise BadCapture(
            f"{images / 'rgb'} holds no {kind}*.png.", "Point at a scene of the release."
        )
    return found


def _stored(rig: _Rig, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Color [h, w, 3] and mask [h, w] of a view as its files hold them."""
    color, mask = (
        read_image(BytesIO(file) if isinstance(file, bytes) else file)
        for file in (rig.colors[index], rig.masks[index])
    )
    if mask.shape[-1] not in (1, 4):
        raise BadImage(
            f"The mask of view {index} has {mask.shape[-1]} channels.",
            "Store masks as gray images, or with the mask in the alpha channel.",
        )
    return as_bytes(on_white(as_floats(color))), as_bytes(as_floats(mask)[..., -1])


def _squeezed(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Resized by area to 8 bits, in 0..1."""
    return as_floats(as_bytes(resize_area(as_floats(image), height, width)))


def _exposed(rig: _Rig, index: int, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture at the scene's mean exposure instead of its own."""
    if not rig.exposures:
        return image
    factor = np.float32(np.mean(rig.exposures) / rig.exposures[index])
    exposed: NDArray[np.float32] = linear_to_srgb(srgb_to_linear(image) * factor)
    return exposed.clip(0.0, 1.0)


def _input_view(rig: _Rig, index: int, settings: ReleaseSettings) -> CroppedView:
    size, pose = settings.image_size, rig.poses[index]
    color, mask = _stored(rig, index)
    if settings.crop and rig.crop_areas is None:
        height, width = rig.frame.height, rig.frame.width
        image = _exposed(rig, index, _squeezed(color, height, width))
        coverage = _squeezed(mask, height, width)
        source = SourceView(image, coverage, rig.frame, pose)
        return crop_view(source, object_window(coverage), size)
    image = _exposed(rig, index, as_floats(resize_bytes(color, size, size)))
    coverage = as_floats(resize_bytes(mask, size, size))
    square = intrinsics_from_fov(size, size, rig.field_of_view)
    source = SourceView(image, coverage, square, pose)
    view = crop_view(source, Window(0, size, 0, size), size)
    if rig.crop_areas is None or not settings.crop:
        return view
    window = rig.crop_areas[index]
    uv, directions = _cropped_before(rig, window, index, size)
    return replace(view, uv=uv, directions=directions, window=window, source=rig.frame)


def _cropped_before(
    rig: _Rig, area: Window, index: int, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates and rays of a picture that was cropped when it was rendered.

    The release makes them small, enlarges them to the frame, and crops and shrinks them like
    pictures; the directions keep the lengths that leaves them.
    """
    square = intrinsics_from_fov(size, size, rig.field_of_view)
    _, directions = pixel_rays(square, rig.poses[index])
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    centers = 2.0 * (np.arange(size) + 0.5) / size - 1.0
    grid = np.stack(np.meshgrid(centers, centers), axis=-1)
    channels = np.concatenate([grid, directions], axis=-1, dtype=np.float32)
    channels = resize_linear(channels, rig.frame.height, rig.frame.width)
    channels = channels[area.top : area.bottom, area.left : area.right]
    channels = resize_linear(channels, size, size)
    return channels[..., :2], channels[..., 2:]


def _output_view(rig: _Rig, index: int, settings: ReleaseSettings) -> NDArray[np.float32]:
    """Color in -1..1 on white and mask of a view to render, [size, size, 4]; never cropped."""
    color, mask = _stored(rig, index)
    if settings.crop:
        height, width = rig.frame.height, rig.frame.width
        image, coverage = _squeezed(color, height, width), _squeezed(mask, height, width)
    else:
        side = settings.image_size
        image = as_floats(resize_bytes(color, side, side))
        coverage = as_floats(resize_bytes(mask, side, side))
    size = settings.output_size
    image = resize_area(_exposed(rig, index, image), size, size)
    coverage = resize_area(coverage, size, size)[..., None]
    on_white = image * coverage + (1.0 - coverage)
    return np.concatenate([encode(on_white, "display"), coverage], axis=-1)
