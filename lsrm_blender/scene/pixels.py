# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels between Blender, numpy and files.

Arrays are float32, [height, width, channels], row 0 on top; Blender's own start at the bottom.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

from ...backend.shared.errors import BadImage, Cancelled, write_failure
from ...backend.shared.srgb import linear_to_srgb
from ...backend.shared.temporary_folder import remove_abandoned, temporary_folder
from .render_settings import use_linear_file

ALPHA_FLOOR = 1e-6
RENDER_PREFIX = "lsrm-render-"


def read_image(path: Path) -> np.ndarray:
    """Any image that Blender opens, as linear RGBA [height, width, 4], alpha premultiplied if EXR.

    Raises:
        BadImage: if Blender cannot read it.
    """
    image = _load(path)
    try:
        return image_pixels(image)
    finally:
        bpy.data.images.remove(image)


def read_stored(path: Path) -> np.ndarray:
    """The stored values of an 8- or 16-bit image, 0..1, straight alpha, [height, width, 4].

    Raises:
        BadImage: if Blender cannot read it.
    """
    image = _load(path)
    try:
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "CHANNEL_PACKED"
        return image_pixels(image)
    finally:
        bpy.data.images.remove(image)


def _load(path: Path) -> bpy.types.Image:
    try:
        return bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise BadImage(f"{path} is no image that Blender reads.", "Check the file.") from error


def image_pixels(image: bpy.types.Image) -> np.ndarray:
    """The stored values of a Blender image, [height, width, 4].

    Raises:
        BadImage: if the image's file is missing or broken.
    """
    width, height = image.size
    if width == 0 or height == 0:
        raise BadImage(f"The image {image.filepath!r} has no pixels.", "Check the file.")
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[::-1].copy()


def render_pixels(scene: bpy.types.Scene) -> np.ndarray:
    """Render a working scene: linear, premultiplied RGBA [height, width, 4].

    Raises:
        Cancelled: if the render was stopped.
    """
    with temporary_folder(Path(tempfile.gettempdir()), RENDER_PREFIX) as folder:
        path = folder / "render.exr"
        render_file(scene, path)
        return read_image(path)


def render_file(scene: bpy.types.Scene, path: Path) -> None:
    """Render a working scene to an OpenEXR file: linear, premultiplied RGBA.

    Raises:
        Cancelled: if the render was stopped.
    """
    use_linear_file(scene)
    scene.render.filepath = str(path.absolute())
    state = bpy.ops.render.render(write_still=True, scene=scene.name)
    if "FINISHED" not in state or not path.is_file():
        raise Cancelled("The render was stopped.", "Start it again when you are ready.")


def remove_abandoned_renders() -> None:
    """Remove the folders of Blenders that were killed in `render_pixels`."""
    remove_abandoned(Path(tempfile.gettempdir()), RENDER_PREFIX)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light as display-referred sRGB, both clipped to 0..1."""
    return linear_to_srgb(np.clip(linear, 0.0, 1.0))


def straight(premultiplied: np.ndarray) -> np.ndarray:
    """Divide color by alpha, [height, width, 4]; where alpha is 0 the color is black."""
    color, alpha = premultiplied[..., :3], premultiplied[..., 3:]
    shown = color / np.maximum(alpha, ALPHA_FLOOR) * (alpha > ALPHA_FLOOR)
    return np.concatenate([shown, alpha], axis=-1)


def srgb_with_alpha(premultiplied: np.ndarray) -> np.ndarray:
    """A linear premultiplied render as PNG stores it: sRGB, straight alpha, [height, width, 4]."""
    shown = straight(premultiplied)
    return np.concatenate([to_srgb(shown[..., :3]), shown[..., 3:]], axis=-1)


def over(premultiplied: np.ndarray, background: np.ndarray) -> np.ndarray:
    """A linear premultiplied render [height, width, 4] over a background [height, width, 3]."""
    return premultiplied[..., :3] + (1.0 - premultiplied[..., 3:]) * background


def write_png(path: Path, values: np.ndarray, bits: int = 8) -> None:
    """Store values 0..1, [height, width, 1 | 3 | 4], without conversion; alpha is straight.

    Raises:
        DiskFull: if the disk is full.
        OutputNotWritable: if Blender could not write there for another reason.
    """
    height, width, channels = values.shape
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., : max(channels, 3)] = values
    image = bpy.data.images.new(
        "LSRM png", width, height, alpha=channels == 4, float_buffer=bits == 16
    )
    scene = bpy.data.scenes.new("LSRM png")
    try:
        image.colorspace_settings.name = "Non-Color"
        image.alpha_mode = "CHANNEL_PACKED"
        image.pixels.foreach_set(rgba[::-1].ravel())
        _use_plain_png(scene, channels, bits)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save_render(str(path), scene=scene)
    except (RuntimeError, OSError) as error:
        raise write_failure(path, error) from error
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.images.remove(image)
    if not path.is_file() or path.stat().st_size == 0:
        raise write_failure(path, RuntimeError("nothing was written"))


def _use_plain_png(scene: bpy.types.Scene, channels: int, bits: int) -> None:
    """Set a scene's output to PNG without any color management."""
    scene.view_settings.view_transform = "Raw"
    scene.view_settings.look = "None"
    scene.render.dither_intensity = 0.0
    image = scene.render.image_settings
    image.file_format = "PNG"
    image.color_mode = {1: "BW", 3: "RGB", 4: "RGBA"}[channels]
    image.color_depth = str(bits)
