# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: one object under many lights on one picture, with their names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ..pixels import read_stored, render_pixels, write_png
from ..render_settings import RenderSettings, use_cycles, use_true_colors
from ..scene_state import no_trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAPER, INK = 0.16, 0.92
"""Display-referred gray of the sheet and of the names."""

CAPTION = 0.11
"""Height of the line with the name, relative to the pictures."""

TEXT = 0.62
"""Height of the letters, relative to that line."""

LETTER_WIDTH = 0.56
"""Of Blender's own font, relative to its height, about."""

SMALL_SIDE = 400
"""About the longest side of a sheet for a glance, such as that of the panel, in pixels."""


def write_light_sheet(pictures: Sequence[Path], names: Sequence[str], path: Path) -> None:
    """Write pictures of one size side by side on one sheet, each with a name below it.

    Args:
        pictures: one or more; transparent ones are laid over the gray of the sheet.
        names: as many.
        path: of the PNG file.

    Raises:
        BadImage: if a picture cannot be read.
        OutputNotWritable, DiskFull: if the sheet cannot be written.
    """
    shown = [read_stored(picture) for picture in pictures]
    height, width = shown[0].shape[:2]
    line = max(8, round(CAPTION * height))
    columns = _columns(len(shown), width, height + line)
    rows = math.ceil(len(shown) / columns)
    sheet = np.full((rows * (height + line), columns * width, 3), PAPER, np.float32)
    centers = []
    for index, picture in enumerate(shown):
        top, left = index // columns * (height + line), index % columns * width
        cell = sheet[top : top + height, left : left + width]
        cell[:] = picture[..., :3] * picture[..., 3:] + cell * (1.0 - picture[..., 3:])
        centers.append((left + 0.5 * width, top + height + 0.5 * line))
    letters = _letters(names, centers, sheet.shape[:2], (width, line))[..., None]
    write_png(path, sheet * (1.0 - letters) + INK * letters)


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns of cells with which a sheet fits the smallest square."""
    return min(range(count, 0, -1), key=lambda n: max(n * width, math.ceil(count / n) * height))


def write_small(sheet: Path, path: Path) -> None:
    """Write a picture again, averaged down to the size of the panel.

    Raises:
        BadImage: if it cannot be read.
        OutputNotWritable, DiskFull: if it cannot be written.
    """
    pixels = read_stored(sheet)[..., :3]
    factor = max(1, math.ceil(max(pixels.shape[:2]) / SMALL_SIDE))
    height, width = (side // factor for side in pixels.shape[:2])
    blocks = pixels[: height * factor, : width * factor]
    write_png(path, blocks.reshape(height, factor, width, factor, 3).mean(axis=(1, 3)))


def _letters(
    texts: Sequence[str],
    centers: Sequence[tuple[float, float]],
    shape: tuple[int, int],
    room: tuple[float, float],
) -> np.ndarray:
    """Where letters cover a picture, 0..1 [height, width]: Blender renders them.

    Args:
        texts: one on a line each.
        centers: of the lines: column and row, in pixels.
        shape: of the picture: height and width in pixels.
        room: of each text: width and height in pixels.
    """
    height, width = shape
    with no_trace():
        scene = bpy.data.scenes.new("LSRM letters")
        use_cycles(scene, RenderSettings(samples=8, denoise=False))
        use_true_colors(scene)
        scene.cycles.max_bounces = 0
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.render.resolution_percentage = 100
        _look_down(scene, width, height)
        for text, (column, row) in zip(texts, centers, strict=True):
            curve = bpy.data.curves.new("LSRM letters", "FONT")
            curve.body, curve.align_x, curve.align_y = text, "CENTER", "CENTER"
            curve.size = min(TEXT * room[1], 0.95 * room[0] / (LETTER_WIDTH * len(text)))
            letters = bpy.data.objects.new("LSRM letters", curve)
            letters.location = (column, height - row, 0.0)
            scene.collection.objects.link(letters)
        return render_pixels(scene)[..., 3]


def _look_down(scene: bpy.types.Scene, width: int, height: int) -> None:
    """Add a camera that sees the rectangle from the origin to (width, height), one unit a pixel."""
    camera = bpy.data.cameras.new("LSRM letters")
    camera.type, camera.ortho_scale = "ORTHO", max(width, height)
    scene.camera = bpy.data.objects.new("LSRM letters", camera)
    scene.camera.location = (0.5 * width, 0.5 * height, 10.0)
    scene.collection.objects.link(scene.camera)
